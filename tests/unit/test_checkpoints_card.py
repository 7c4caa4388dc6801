"""Cards: read and written as JSON, and found beside the bundled models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data2vec_core.checkpoints.bundled import bundled_models
from data2vec_core.checkpoints.card import Card, Metric
from data2vec_core.checkpoints.errors import CheckpointError

FULL = Card(
    name="an4",
    modality="audio",
    task="transcription",
    title="Spelled names",
    description="Hears letters — and ‘dates’.",
    trained_on="CMU AN4",
    licence="BSD-2-Clause",
    parent="speech-small",
    backbone="../speech-small",
    metrics=(Metric("word error rate", 0.41, "test"), Metric("word error rate", 0.39, "valid")),
    minutes=48.5,
    date="2026-01-02",
    parameters=123456,
    extra={"recipe": "ctc", "seed": 0},
)


@pytest.mark.parametrize("card", [FULL, Card(name="x", modality="text", task="classification")])
def test_a_card_survives_its_file(card: Card, tmp_path: Path) -> None:
    card.save(tmp_path)
    assert Card.load(tmp_path) == card


def test_metric_is_looked_up_by_name_and_split() -> None:
    assert FULL.metric("word error rate") == 0.41
    assert FULL.metric("word error rate", "valid") == 0.39
    assert FULL.metric("accuracy") is None


def test_unknown_fields_of_a_file_are_kept(tmp_path: Path) -> None:
    values = FULL.to_dict() | {"mood": "good"}
    (tmp_path / "card.json").write_text(json.dumps(values), encoding="utf-8")
    assert Card.load(tmp_path).extra == {"recipe": "ctc", "seed": 0, "mood": "good"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<html>", "a web page"),
        ("[]", "should hold a JSON object"),
        ('{"name": "a", "modality": "audio"}', "task"),
        ('{"name": "a", "modality": "smell", "task": "sniff"}', "modality='smell'"),
        ('{"name": "a", "modality": "audio", "task": "x", "metrics": [{"nam": 1}]}', "not a card"),
    ],
)
def test_a_broken_card_is_a_checkpoint_error(text: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError, match=expected):
        Card.load(tmp_path)


def test_a_folder_without_a_card_is_a_checkpoint_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no card\.json"):
        Card.load(tmp_path)


def test_bundled_models_are_listed_by_name(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        Card(name=name, modality="vision", task="segmentation").save(tmp_path / name)
    (tmp_path / "no-card").mkdir()
    assert [model.name for model in bundled_models(tmp_path)] == ["a", "b"]
    assert bundled_models(tmp_path / "nowhere") == []


def test_every_bundled_folder_carries_a_card_of_its_own_name() -> None:
    assert all(model.card.name == model.name for model in bundled_models())
