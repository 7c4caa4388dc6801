"""Texts and their classes: windows, batches, what is refused."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from data2vec_core.tasks import Classification, TextClassifier
from tests.tasks.answers import assert_same


@pytest.fixture
def classifier(checkpoints: dict[str, Path]) -> TextClassifier:
    return TextClassifier.from_pretrained(checkpoints["classify_text"])


def scores(result: Classification) -> dict[str, float]:
    return {label.label: label.score for label in result.labels}


def test_scores_are_the_models_probabilities(classifier: TextClassifier) -> None:
    text = "a warm film"
    with torch.no_grad():
        expected = classifier.model(**classifier.tokenizer(text)).logits.softmax(-1)[0]
    result = classifier(text)
    assert scores(result) == pytest.approx({"negative": expected[0].item(), "positive": expected[1].item()})
    assert result.labels[0].score >= result.labels[1].score
    assert set(result.to_json()) == {"labels", "model"}
    assert json.loads(json.dumps(result.to_json())) == result.to_json()


def test_a_batch_scores_as_single_texts(classifier: TextClassifier) -> None:
    texts = ["a film", "a dull plot with a weak end and more of it" * 3, "x", "it moves you", "wise 😀"] * 4
    for text, result in zip(texts, classifier.batch(texts), strict=True):
        assert scores(result) == pytest.approx(scores(classifier(text)), abs=1e-5)


def test_a_long_text_is_the_mean_of_its_windows(classifier: TextClassifier) -> None:
    text = "a film that is warm and wise but has a weak end " * 10
    windows = classifier.tokenizer.windows(text, max_length=classifier.window, stride=classifier.window // 4)
    assert len(windows) > 2
    assert windows.input_ids.shape[1] == classifier.model.config.max_length
    with torch.no_grad():
        each = torch.stack(
            [
                classifier.model(ids[None, : int(mask.sum())]).logits.softmax(-1)[0]
                for ids, mask in zip(windows.input_ids, windows.attention_mask, strict=True)
            ]
        )
    weights = windows.attention_mask.sum(1) / windows.attention_mask.sum()
    expected = (weights[:, None] * each).sum(0)
    assert (each[0] - expected).abs().max() > 1e-4, "windows should differ, or this compares nothing"
    assert scores(classifier(text))["positive"] == pytest.approx(expected[1].item(), abs=1e-5)


@pytest.mark.parametrize("text", ["", "   ", "\n\t \u2003"])
def test_white_space_is_refused(classifier: TextClassifier, text: str) -> None:
    with pytest.raises(ValueError, match="empty"):
        classifier(text)


def test_something_else_than_text_is_refused(classifier: TextClassifier) -> None:
    with pytest.raises(ValueError, match="expected a string, got int"):
        classifier(3)  # type: ignore[arg-type]


def test_max_characters_is_an_argument(checkpoints: dict[str, Path]) -> None:
    strict = TextClassifier.from_pretrained(checkpoints["classify_text"], max_characters=5)
    strict("12345")
    with pytest.raises(ValueError, match="at most 5"):
        strict("123456")


@pytest.mark.parametrize("text", ["😀👩‍👩‍👧", "a\x00b", "עברית العربية", "\ud800 half", "<mask></s><s>", "\u200b"])
def test_odd_texts_are_classified(classifier: TextClassifier, text: str) -> None:
    assert sum(scores(classifier(text)).values()) == pytest.approx(1)


def test_a_hundred_thousand_characters(classifier: TextClassifier) -> None:
    assert sum(scores(classifier("warm and wise " * 7200)).values()) == pytest.approx(1)


def test_no_texts_no_results(classifier: TextClassifier) -> None:
    assert classifier.batch([]) == []


def test_concurrent_calls_answer_as_single_ones(classifier: TextClassifier) -> None:
    texts = [f"a film number {index} " * (1 + 5 * index) for index in range(12)]
    expected = [classifier(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        assert_same(list(pool.map(classifier, texts)), expected)
