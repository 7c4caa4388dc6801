"""Continuations: reproducible, streamed in whole characters, never longer than the model reads; what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from data2vec_core.tasks import TextContinuer

PROMPT = "A film that is warm"


@pytest.fixture
def continuer(checkpoints: dict[str, Path]) -> TextContinuer:
    return TextContinuer.from_pretrained(checkpoints["continue_text"])


def test_at_temperature_0_the_likeliest_token_is_taken(continuer: TextContinuer) -> None:
    ids = continuer.tokenizer(PROMPT)["input_ids"][:, :-1]
    prompt = ids.shape[1]
    with torch.no_grad():
        for _ in range(8):
            ids = torch.cat([ids, continuer.model(ids).logits[:, -1:].argmax(-1)], dim=1)
    result = continuer(PROMPT, max_new_tokens=8, temperature=0)
    assert result.text == PROMPT + continuer.tokenizer.decode(ids[0, prompt:]).rstrip("\ufffd")
    assert result == continuer(PROMPT, max_new_tokens=8, temperature=0, seed=3)
    assert set(result.to_json()) == {"text", "model"}
    assert json.loads(json.dumps(result.to_json())) == result.to_json()


def test_a_seed_gives_the_same_text_again(continuer: TextContinuer) -> None:
    texts = [continuer(PROMPT, seed=seed, max_new_tokens=12).text for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]
    assert texts[0].startswith(PROMPT)
    assert continuer(PROMPT, max_new_tokens=12).text != continuer(PROMPT, max_new_tokens=12).text


def test_the_pieces_of_a_stream_are_the_text(continuer: TextContinuer) -> None:
    for seed in range(5):
        pieces = list(continuer.stream(PROMPT, seed=seed, max_new_tokens=15, top_k=0, top_p=1, temperature=2))
        assert len(pieces) > 1
        assert all(pieces)
        text = continuer(PROMPT, seed=seed, max_new_tokens=15, top_k=0, top_p=1, temperature=2).text
        assert PROMPT + "".join(pieces) == text


def test_half_a_character_waits_for_the_other(continuer: TextContinuer) -> None:
    ids = continuer.tokenizer(" é😀x", add_special_tokens=False)["input_ids"][0]
    assert len(ids) > 4, "the characters should have several tokens"
    pieces = list(continuer._pieces(iter(ids[:, None])))
    assert "".join(pieces) == " é😀x"
    assert "é" in pieces
    assert "😀" in pieces
    assert list(continuer._pieces(iter(ids[:-2, None]))) == pieces[: pieces.index("😀")]


def test_a_stream_may_be_left(continuer: TextContinuer) -> None:
    stream = continuer.stream(PROMPT, seed=0)
    assert next(stream)
    stream.close()  # type: ignore[attr-defined]


def test_spaces_at_the_end_of_the_prompt_are_left_out(continuer: TextContinuer) -> None:
    assert continuer(PROMPT + "  ", seed=0) == continuer(PROMPT, seed=0)


def test_of_a_long_prompt_the_end_is_read(continuer: TextContinuer) -> None:
    long = "a dull plot with a weak end " * 20
    read = continuer(long, seed=0, max_new_tokens=8)
    assert read.text.startswith(long.rstrip())
    ids = continuer.tokenizer(long.rstrip(), max_length=10**6)["input_ids"][0, :-1]
    kept = torch.cat([ids[:1], ids[-(continuer.window - 8 - 1) :]])[None]
    assert kept.shape[1] + 8 == continuer.window
    with torch.no_grad():
        token = int(continuer.model(kept).logits[0, -1].argmax())
    piece = next(iter(continuer.stream(long, temperature=0, max_new_tokens=8)))
    assert piece.startswith(continuer.tokenizer.decode([token]).rstrip("\ufffd"))


@pytest.mark.parametrize(
    ("prompt", "options", "message"),
    [
        ("  ", {}, "The prompt is empty"),
        (None, {}, "prompt: expected a string, got NoneType"),
        ("a", {"max_new_tokens": 0}, "max_new_tokens: expected a whole number from 1 to"),
        ("a", {"max_new_tokens": 10_000}, "max_new_tokens: .* got 10000"),
        ("a", {"max_new_tokens": 3.5}, "max_new_tokens: .* got 3.5"),
        ("a", {"temperature": -1}, "temperature: expected a number from 0 to 10, got -1"),
        ("a", {"temperature": float("nan")}, "temperature: .* got nan"),
        ("a", {"temperature": "hot"}, "temperature: .* got 'hot'"),
        ("a", {"top_k": -1}, "top_k: .* got -1"),
        ("a", {"top_p": 0}, "top_p: .* got 0"),
        ("a", {"seed": -1}, "seed: .* got -1"),
        ("a", {"seed": "x"}, "seed: .* got 'x'"),
    ],
)
def test_a_broken_rule_is_named_at_once(
    continuer: TextContinuer, prompt: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        continuer.stream(prompt, **options)  # before anything is written


def test_max_characters_is_an_argument(checkpoints: dict[str, Path]) -> None:
    strict = TextContinuer.from_pretrained(checkpoints["continue_text"], max_characters=5)
    with pytest.raises(ValueError, match="prompt is too long: 6 characters"):
        strict("123456")


@pytest.mark.parametrize("prompt", ["😀👩‍👩‍👧", "a\x00b", "עברית", "\ud800 half", "<mask></s><s>", "<pad>"])
def test_odd_prompts_are_continued(continuer: TextContinuer, prompt: str) -> None:
    assert len(continuer(prompt, seed=0, max_new_tokens=5).text) >= len(prompt)
