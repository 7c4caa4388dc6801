"""Masks: the model's likeliest tokens, put in place; several masks; what is refused."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from data2vec_core.processing.text_errors import EmptyTextError, MaskCountError, TextTooLongError
from data2vec_core.tasks import MaskFiller


@pytest.fixture
def filler(checkpoints: dict[str, Path]) -> MaskFiller:
    return MaskFiller.from_pretrained(checkpoints["fill_mask"])


def test_predictions_are_the_models_likeliest_tokens(filler: MaskFiller) -> None:
    tokenizer = filler.tokenizer
    ids = tokenizer("a <mask> film")["input_ids"]
    with torch.no_grad():
        logits = filler.model(ids).logits[0, ids[0] == tokenizer.mask_id][0]
    shown = {index: tokenizer.decode([index]).strip() for index in range(len(tokenizer))}
    allowed = [index for index, word in shown.items() if word and "\ufffd" not in word]
    probabilities = logits[allowed].softmax(0)
    result = filler("a <mask> film", top_k=4)
    best = probabilities.topk(4)
    assert [each.score for each in result.predictions] == pytest.approx(best.values.tolist(), abs=1e-5)
    assert [each.token for each in result.predictions] == [shown[allowed[index]] for index in best.indices.tolist()]
    assert json.loads(json.dumps(result.to_json())) == result.to_json()
    assert set(result.to_json()) == {"predictions", "model"}
    assert set(result.to_json()["predictions"][0]) == {"token", "score", "text"}


def test_a_token_comes_with_its_own_space_or_none(filler: MaskFiller) -> None:
    def text(start: str, *words: str) -> str:
        """Put tokens in place as if the model had said them."""
        ids = [filler.tokenizer(word, add_special_tokens=False)["input_ids"][0].tolist() for word in words]
        assert all(len(own) == 1 for own in ids), "the words of this test should be tokens"
        return filler._filling(start.split("<mask>"), list(itertools.chain(*ids)), 1.0).text

    assert text("A <mask> film", " a") == "A a film"
    assert text("A<mask> film", " a") == "A a film"
    assert text("A <mask> film", "a") == "Aa film"
    assert text("<mask> film", " a") == "a film"
    assert text("KEPT\n<mask>, as it is", " a") == "KEPT\na, as it is"
    assert text("<mask> and <mask>.", " a", "b") == "a andb."


def test_several_masks_are_filled_together(filler: MaskFiller) -> None:
    result = filler("a <mask> plot with <mask> end", top_k=30)
    assert len(result.predictions) == 30
    assert len({each.text for each in result.predictions}) >= 29, "no two the same, but for spaces"
    scores = [each.score for each in result.predictions]
    assert scores == sorted(scores, reverse=True)
    for each in result.predictions:
        assert len(each.token.split(" ")) == 2
        assert "<mask>" not in each.text
    # the first mask to be filled is the surer one; the other is then the model's likeliest with that in place
    tokenizer = filler.tokenizer
    ids = tokenizer("a <mask> plot with <mask> end")["input_ids"]
    expected = 1.0
    with torch.no_grad():
        for _ in range(2):
            logits = filler.model(ids).logits[0].masked_fill(~filler._is_shown, -torch.inf).softmax(-1)
            logits[ids[0] != tokenizer.mask_id] = 0
            place, token = divmod(int(logits.argmax()), logits.shape[1])
            expected *= float(logits[place, token])
            ids[0, place] = token
    assert filler("a <mask> plot with <mask> end", top_k=1).predictions[0].score == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "empty"),
        ("a film", {}, "needs <mask> where a word is missing, 1 to 16 times; it has none"),
        ("<mask>" * 17, {}, "it has 17"),
        ("warm and wise " * 60 + "<mask>", {}, r"too long: \d+ tokens, and the model reads \d+ at once"),
        (7, {}, "text: expected a string, got int"),
        ("a <mask>", {"top_k": 0}, "top_k: expected a whole number from 1 to 100, got 0"),
        ("a <mask>", {"top_k": 101}, "top_k: .* got 101"),
        ("a <mask>", {"top_k": 2.0}, "top_k: .* got 2.0"),
        ("a <mask>", {"top_k": True}, "top_k: .* got True"),
    ],
)
def test_what_cannot_be_filled_is_refused(filler: MaskFiller, text: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        filler(text, **options)


def test_the_refusals_tell_apart_what_is_wrong(filler: MaskFiller) -> None:
    for kind, text in ((EmptyTextError, " "), (MaskCountError, "a film"), (TextTooLongError, "so " * 300 + "<mask>")):
        with pytest.raises(kind):
            filler(text)


def test_max_characters_is_an_argument(checkpoints: dict[str, Path]) -> None:
    strict = MaskFiller.from_pretrained(checkpoints["fill_mask"], max_characters=8)
    strict("a <mask>")
    with pytest.raises(ValueError, match="at most 8"):
        strict("an <mask>")


@pytest.mark.parametrize("text", ["<mask>", "😀<mask>👩‍👩‍👧", "a\x00<mask>", "\ud800 <mask>", "</s><mask><s>"])
def test_odd_texts_are_filled(filler: MaskFiller, text: str) -> None:
    assert len(filler(text).predictions) == 5
