"""Finding the task of a checkpoint, and refusing one that was not trained for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.loading import CheckpointWarning
from data2vec_core.tasks import TASKS, AudioClassifier, TextClassifier, task_of

MODALITIES = {
    "transcribe": "audio",
    "classify_audio": "audio",
    "compare_speakers": "audio",
    "speaker_activity": "audio",
    "classify_text": "text",
    "tag_tokens": "text",
    "answer_question": "text",
    "choose": "text",
    "fill_mask": "text",
    "continue_text": "text",
    "classify_image": "vision",
    "segment_image": "vision",
}


def test_the_tasks_are_those_of_the_endpoints() -> None:
    assert {name: task.modality for name, task in TASKS.items()} == MODALITIES


@pytest.mark.parametrize("name", MODALITIES)
def test_a_checkpoint_knows_its_task(checkpoints: dict[str, Path], name: str) -> None:
    assert task_of(checkpoints[name]) is TASKS[name]


@pytest.mark.parametrize("name", MODALITIES)
def test_results_name_the_model_they_came_from(checkpoints: dict[str, Path], name: str) -> None:
    assert TASKS[name].from_pretrained(checkpoints[name]).model_name == str(checkpoints[name])


def test_a_backbone_has_no_task(checkpoints: dict[str, Path]) -> None:
    with pytest.raises(CheckpointError, match="Data2VecAudioModel, which is none of the tasks: transcribe"):
        task_of(checkpoints["audio"])


def test_a_checkpoint_without_architectures_has_no_task(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "data2vec-text"}))
    with pytest.raises(CheckpointError, match="no architecture"):
        task_of(tmp_path)


@pytest.mark.parametrize("name", MODALITIES)
@pytest.mark.filterwarnings("ignore::data2vec_core.checkpoints.loading.CheckpointWarning")
@pytest.mark.filterwarnings("ignore:without is_decoder=True")
def test_a_backbone_does_not_answer_from_a_random_head(checkpoints: dict[str, Path], name: str) -> None:
    with pytest.raises(CheckpointError, match="is only a backbone"):
        TASKS[name].from_pretrained(checkpoints[MODALITIES[name]])


def test_another_tasks_checkpoint_is_refused(checkpoints: dict[str, Path]) -> None:
    with (
        pytest.warns(CheckpointWarning),
        pytest.raises(CheckpointError, match="saved as Data2VecAudioForCTC and has no trained"),
    ):
        AudioClassifier.from_pretrained(checkpoints["transcribe"])


def test_another_modalitys_checkpoint_is_refused(checkpoints: dict[str, Path]) -> None:
    with pytest.raises(CheckpointError, match="data2vec-audio"):
        TextClassifier.from_pretrained(checkpoints["transcribe"])


def test_regression_is_no_classification(checkpoints: dict[str, Path]) -> None:
    loaded = TextClassifier.from_pretrained(checkpoints["classify_text"])
    loaded.model.config = loaded.model.config.replace(problem_type="regression")
    with pytest.raises(CheckpointError, match="regression"):
        TextClassifier(loaded.model, loaded.tokenizer)


@pytest.mark.parametrize("name", MODALITIES)
def test_a_checkpoint_without_its_processor_is_refused(checkpoints: dict[str, Path], tmp_path: Path, name: str) -> None:
    for file in ("config.json", "model.safetensors"):
        (tmp_path / file).symlink_to(checkpoints[name] / file)
    with pytest.raises(CheckpointError, match=r"has (no|neither) .*\.json"):
        TASKS[name].from_pretrained(tmp_path)
