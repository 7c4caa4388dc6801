"""What of an input mattered for its class, in all modalities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from analysis.attention_classes import class_relevance, readout
from analysis.patch_relevance import patch_relevance
from analysis.subject import Subject
from data2vec_core.tasks import TASKS
from tests.tasks.conftest import checkpoints  # noqa: F401 - a fixture

TASK_OF = {"audio": "classify_audio", "text": "classify_text", "vision": "classify_image"}
INPUTS: dict[str, Any] = {
    "audio": (0.1 * np.random.default_rng(0).standard_normal(4000)).astype(np.float32),
    "text": "a warm film",
    "vision": np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8),
}


def loaded(checkpoints: dict[str, Path], modality: str) -> tuple[Any, Any]:  # noqa: F811
    place = checkpoints[TASK_OF[modality]]
    shown = Subject.from_pretrained(place).show(INPUTS[modality], sampling_rate=16_000)
    return TASKS[TASK_OF[modality]].from_pretrained(place), shown


@pytest.mark.parametrize("modality", TASK_OF)
def test_every_place_has_a_relevance_for_the_class_of_the_task(
    modality: str,
    checkpoints: dict[str, Path],  # noqa: F811
) -> None:
    task, shown = loaded(checkpoints, modality)
    found = class_relevance(task, shown)
    assert found.values.shape == (len(shown) + shown.class_tokens,)
    assert (found.values >= 0).all()
    assert found.values.max() > 0
    source = INPUTS[modality]
    answer = task(source, sampling_rate=16_000) if modality == "audio" else task(source)
    assert (found.label, found.probability) == (answer.labels[0].label, pytest.approx(answer.labels[0].score, abs=1e-3))
    assert all(parameter.grad is None for parameter in task.model.parameters())
    other = class_relevance(task, shown, 1 - min(found.class_id, 1))
    assert other.class_id != found.class_id
    assert not np.allclose(other.values, found.values)
    with pytest.raises(ValueError, match="class_id=99"):
        class_relevance(task, shown, 99)


def test_of_a_picture_it_is_the_relevance_of_its_patches(checkpoints: dict[str, Path]) -> None:  # noqa: F811
    task, shown = loaded(checkpoints, "vision")
    found, expected = class_relevance(task, shown), patch_relevance(task, INPUTS["vision"])
    assert found.values[1:] == pytest.approx(expected.values.ravel(), abs=1e-7)


def test_heads_read_frames_alike_and_of_a_text_the_first_token(checkpoints: dict[str, Path]) -> None:  # noqa: F811
    sound, text, picture = (loaded(checkpoints, modality)[1] for modality in TASK_OF)
    assert readout(sound) == pytest.approx(np.full(len(sound), 1 / len(sound)))
    assert readout(text).tolist() == [1] + [0] * (len(text) - 1)
    assert readout(picture)[0] == 0
    assert readout(picture, mean_of_patches=False).tolist() == [1] + [0] * len(picture)
    assert torch.tensor(readout(picture)).sum() == pytest.approx(1)
