"""How classifiers read their scores: at a temperature, and with a sense of what is foreign."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.tasks import AudioClassifier, Classification, ImageClassifier, TextClassifier
from data2vec_core.tasks.confidence import CONFIDENCE_FILE, Confidence, Familiarity, state_statistics

SOUND = np.sin(np.arange(8000) / 20).astype(np.float32)
ASKED: dict[str, tuple[Any, Callable[[Any], Classification]]] = {
    "classify_audio": (AudioClassifier, lambda task: task(SOUND, sampling_rate=16000)),
    "classify_text": (TextClassifier, lambda task: task("a warm and wise film " * 60)),  # several windows
    "classify_image": (ImageClassifier, lambda task: task(Image.new("RGB", (40, 30), (200, 30, 90)))),
}


def familiar(task: Any, *, layer: int = 1, bias: float) -> Confidence:
    weights = torch.zeros(2 * task.model.config.hidden_size)
    return Confidence(temperature=2.0, familiarity=Familiarity(layer=layer, weights=weights, bias=bias))


@pytest.mark.parametrize("name", ASKED)
def test_a_checkpoint_without_the_files_says_nothing(name: str, checkpoints: dict[str, Path]) -> None:
    task_class, ask = ASKED[name]
    result = ask(task_class.from_pretrained(checkpoints[name]))
    assert result.outside is None
    assert "outside" not in result.to_json()


@pytest.mark.parametrize("name", ASKED)
def test_what_is_saved_beside_the_weights_is_used(name: str, checkpoints: dict[str, Path], tmp_path: Path) -> None:
    task_class, ask = ASKED[name]
    folder = shutil.copytree(checkpoints[name], tmp_path / name)
    plain = task_class.from_pretrained(folder)
    before = ask(plain)
    for bias, is_outside in ((0.5, True), (-0.5, False)):
        familiar(plain, bias=bias).save(folder)
        after = ask(task_class.from_pretrained(folder))
        assert after.outside is is_outside
        assert after.to_json()["outside"] is is_outside
        assert after.labels[0].score < before.labels[0].score  # a higher temperature is less sure


def test_temperature_divides_the_scores(checkpoints: dict[str, Path]) -> None:
    task = ImageClassifier.from_pretrained(checkpoints["classify_image"])
    picture = Image.new("RGB", (40, 30), (200, 30, 90))
    pixels = task.processor([picture])["pixel_values"]
    with torch.inference_mode():
        expected = (task.model(pixels).logits[0] / 3).softmax(dim=-1)
    task.confidence = Confidence(temperature=3.0)
    scores = {label.label: label.score for label in task(picture).labels}
    assert list(scores.values()) == pytest.approx(expected.sort(descending=True).values.tolist(), abs=1e-6)


def test_strangeness_is_asked_of_the_layer_that_was_chosen(checkpoints: dict[str, Path]) -> None:
    task = TextClassifier.from_pretrained(checkpoints["classify_text"])
    text = "a dull plot"
    with torch.inference_mode():
        output = task.model(**task.tokenizer(text), output_hidden_states=True)
    for layer, hidden in enumerate(output.hidden_states):
        own = state_statistics(hidden)[0]
        weights = torch.randn(len(own), generator=torch.Generator().manual_seed(layer))
        level = float(own @ weights)
        known = Familiarity(layer=layer, weights=weights, bias=-level - 1e-3 * abs(level))
        task.confidence = Confidence(familiarity=known)
        assert task(text).outside is False
        task.confidence = Confidence(familiarity=replace(known, bias=-level + 1e-3 * abs(level)))
        assert task(text).outside is True


def test_statistics_leave_padding_out() -> None:
    hidden = torch.randn(2, 7, 5)
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    padded = state_statistics(hidden, mask)
    torch.testing.assert_close(padded[1:], state_statistics(hidden[1:, :4]))
    torch.testing.assert_close(padded[0, :5], hidden[0].mean(dim=0))
    torch.testing.assert_close(padded[0, 5:], hidden[0].std(dim=0, correction=0))


def test_files_go_around_and_broken_ones_are_named(tmp_path: Path) -> None:
    known = Familiarity(layer=2, weights=torch.randn(8), bias=0.25)
    Confidence(temperature=1.5, familiarity=known).save(tmp_path)
    read = Confidence.load(tmp_path)
    assert (read.temperature, read.layers) == (1.5, (2,))
    assert read.familiarity is not None
    torch.testing.assert_close(read.familiarity.weights, known.weights)
    (tmp_path / CONFIDENCE_FILE).write_text('{"temperature": "warm"}')
    with pytest.raises(CheckpointError, match="cannot be understood"):
        Confidence.load(tmp_path)
    with pytest.raises(ValueError, match="temperature"):
        Confidence(temperature=0.0)
