"""Scores counted by hand on small cases."""

from __future__ import annotations

import pytest

from data2vec_core.checkpoints.card import Card, Metric
from recipes.evaluate import disagreements
from recipes.metrics import (
    character_errors,
    error_rate,
    mean_class_accuracy,
    span_f1,
    word_errors,
)


@pytest.mark.parametrize(
    ("heard", "said", "errors"),
    [
        ("A B C", "A B C", 0),
        ("A C", "A B C", 1),
        ("A X C", "A B C", 1),
        ("A B C D", "A B C", 1),
        ("", "A B C", 3),
        ("A B", "", 2),
        ("B A", "A B", 2),
    ],
)
def test_word_errors(heard: str, said: str, errors: int) -> None:
    assert word_errors(heard, said) == (errors, len(said.split()))


@pytest.mark.parametrize(
    ("heard", "said", "errors"),
    [("", "A B", 3), ("A B", "A B", 0), ("AB", "A B", 1), ("A C B", "A B", 2), ("", "", 0)],
)
def test_character_errors(heard: str, said: str, errors: int) -> None:
    assert character_errors(heard, said) == (errors, len(said))


def test_the_error_rate_is_over_all_texts_together() -> None:
    assert error_rate(word_errors, ["A", "B C D"], ["A B", "B X D Y"]) == pytest.approx(3 / 6)


def test_mean_class_accuracy_weighs_classes_alike() -> None:
    assert mean_class_accuracy(["a", "a", "a", "a"], ["a", "a", "a", "b"]) == 0.5


def test_span_f1_counts_exact_spans_over_all_texts() -> None:
    true = [{(0, 2, "city"), (3, 4, "year")}, set(), {(1, 2, "city")}]
    found = [{(0, 2, "city"), (3, 4, "city")}, {(0, 1, "city")}, {(1, 2, "city")}]
    precision, recall = 2 / 4, 2 / 3
    assert span_f1(found, true) == pytest.approx(2 * precision * recall / (precision + recall))
    assert span_f1(true, true) == 1
    assert span_f1([set()], [set()]) == 0


def test_disagreement_with_the_card_is_said() -> None:
    card = Card(name="x", modality="audio", task="t", metrics=(Metric("accuracy", 0.70, "test"),))
    assert disagreements(card, [Metric("accuracy", 0.702, "test")]) == []
    assert "card says 0.7000" in disagreements(card, [Metric("accuracy", 0.71, "test")])[0]
    assert "card says nothing" in disagreements(card, [Metric("mean IoU", 0.5, "test")])[0]
