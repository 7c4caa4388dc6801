"""What texts name, and where: windows, batches, what is refused. See `tests/property/test_tags.py` for the rules."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from data2vec_core.processing.tags import spans_of, words_of
from data2vec_core.tasks import TaggedText, TokenTagger
from tests.tasks.answers import assert_same


@pytest.fixture
def tagger(checkpoints: dict[str, Path]) -> TokenTagger:
    return TokenTagger.from_pretrained(checkpoints["tag_tokens"])


def places(result: TaggedText) -> list[tuple[int, int, str]]:
    return [(entity.start, entity.end, entity.label) for entity in result.entities]


def test_entities_are_the_models_best_tags(tagger: TokenTagger) -> None:
    text = "a dull plot with a weak end and more of it"
    windows = tagger.tokenizer.windows(text)
    with torch.no_grad():
        probabilities = tagger.model(**windows.inputs).logits[0].softmax(-1)
    words = words_of(text, windows.offsets[0].tolist())
    of_words = probabilities[[word.first_token for word in words]]
    tags = tagger.scheme.best(of_words.log().numpy())
    result = tagger(text)
    assert result.entities, "the random model should find something, or this compares nothing"
    assert places(result) == [(words[s.start].start, words[s.end - 1].end, s.label) for s in spans_of(tags)]
    [span, *_] = spans_of(tags)
    ids = [tagger.scheme.labels.index(tag) for tag in tags[span.start : span.end]]
    chosen = of_words[range(span.start, span.end), ids]
    assert result.entities[0].score == pytest.approx(chosen.log().mean().exp().item(), abs=1e-5)


def test_the_result_turns_into_json(tagger: TokenTagger) -> None:
    made = tagger("a film that is warm and wise").to_json()
    assert set(made) == {"entities", "model"}
    assert all(set(entity) == {"text", "label", "start", "end", "score"} for entity in made["entities"])
    assert json.loads(json.dumps(made)) == made


def test_a_batch_is_tagged_as_single_texts(tagger: TokenTagger) -> None:
    texts = ["a film", "a dull plot with a weak end and more of it " * 3, "x", "it moves you", "wise 😀"] * 4
    for text, result in zip(texts, tagger.batch(texts), strict=True):
        assert places(result) == places(tagger(text))


def test_a_long_text_is_tagged_to_its_end(tagger: TokenTagger) -> None:
    text = "a film that is warm and wise but has a weak end " * 40
    entities = tagger(text).entities
    assert entities[-1].end > len(text) - 60
    assert all(text[entity.start : entity.end] == entity.text for entity in entities)


@pytest.mark.parametrize("text", ["", "   ", "\n\t \u2003"])
def test_white_space_is_refused(tagger: TokenTagger, text: str) -> None:
    with pytest.raises(ValueError, match="empty"):
        tagger(text)


def test_something_else_than_text_is_refused(tagger: TokenTagger) -> None:
    with pytest.raises(ValueError, match="expected a string, got int"):
        tagger(3)  # type: ignore[arg-type]


def test_max_characters_is_an_argument(checkpoints: dict[str, Path]) -> None:
    strict = TokenTagger.from_pretrained(checkpoints["tag_tokens"], max_characters=5)
    strict("12345")
    with pytest.raises(ValueError, match="at most 5"):
        strict("123456")


def test_a_hundred_thousand_characters(tagger: TokenTagger) -> None:
    assert tagger("warm and wise " * 7200).entities


def test_no_texts_no_results(tagger: TokenTagger) -> None:
    assert tagger.batch([]) == []


def test_concurrent_calls_answer_as_single_ones(tagger: TokenTagger) -> None:
    texts = [f"a film number {index} " * (1 + 5 * index) for index in range(12)]
    expected = [tagger(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        assert_same(list(pool.map(tagger, texts)), expected)
