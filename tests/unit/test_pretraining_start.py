"""Students and teachers from checkpoints of every kind."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from data2vec_core import (
    Data2VecAudioForCTC,
    Data2VecAudioModel,
    Data2VecTextForCausalLM,
    Data2VecTextForSequenceClassification,
    Data2VecVisionForImageClassification,
)
from data2vec_core.checkpoints.card import Card
from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.files import write_json
from data2vec_core.checkpoints.loading import CheckpointWarning
from data2vec_core.checkpoints.sharing import share_backbone
from data2vec_core.presets import PRESETS
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.pretraining.decoder import ConvDecoder
from data2vec_core.pretraining.masking import InverseBlocks
from data2vec_core.pretraining.modalities import build_pretraining
from data2vec_core.pretraining.start import load_student, load_teacher
from tests.pretraining_samples import MODALITIES, tiny_batch, tiny_method, tiny_pretraining


def quietly(folder: Path, **options: Any) -> PretrainedModel:
    """Without the warning that a head is left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CheckpointWarning)
        return load_student(folder, **options)


@pytest.mark.parametrize("modality", MODALITIES)
def test_student_and_teacher_come_back(modality: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    before = tiny_pretraining(modality)
    with torch.no_grad():
        for parameter in before.teacher.parameters():
            parameter.add_(0.1)
    before.save_pretrained(tmp_path)
    after = build_pretraining(load_student(tmp_path), tiny_method(modality))
    assert load_teacher(after, tmp_path)
    for name in ("student", "teacher"):
        expected = getattr(before, name).state_dict()
        for key, tensor in getattr(after, name).state_dict().items():
            assert torch.equal(tensor, expected[key]), key


@pytest.mark.parametrize("modality", MODALITIES)
def test_without_a_teacher_it_is_a_copy_of_the_student(modality: str, tmp_path: Path) -> None:
    tiny_pretraining(modality).student.save_pretrained(tmp_path)
    model = build_pretraining(load_student(tmp_path), tiny_method(modality))
    before = {name: tensor.clone() for name, tensor in model.teacher.state_dict().items()}
    assert not load_teacher(model, tmp_path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.teacher.state_dict().items())
    assert max(model.teacher.distances(model.student)) == 0


@pytest.mark.parametrize(
    ("model_class", "preset", "changes"),
    [
        (Data2VecAudioForCTC, "audio-tiny", {"mask_time_prob": 0.0, "mask_feature_prob": 0.2}),
        (Data2VecAudioForCTC, "audio-tiny", {"apply_spec_augment": False}),
        (Data2VecAudioModel, "audio-tiny", {"add_adapter": True, "output_hidden_size": 24}),
        (Data2VecTextForSequenceClassification, "text-tiny", {}),
        (Data2VecTextForCausalLM, "text-tiny", {"is_decoder": True}),
        (Data2VecVisionForImageClassification, "vision-tiny", {"use_mean_pooling": True}),
    ],
)
def test_fine_tuned_encoders_can_learn_on(
    model_class: type[PretrainedModel], preset: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    finetuned = model_class(PRESETS[preset].replace(**changes))
    finetuned.save_pretrained(tmp_path)
    student = quietly(tmp_path)
    kept = finetuned.base_model.state_dict()
    same = [name for name, tensor in student.state_dict().items() if name in kept and torch.equal(tensor, kept[name])]
    fresh = set(student.state_dict()) - set(same)
    assert fresh <= {"masked_spec_embed", "embeddings.mask_token", "layernorm.weight", "layernorm.bias"}
    modality = preset.split("-")[0]
    output = build_pretraining(student, tiny_method(modality))(
        tiny_batch(modality), [torch.Generator().manual_seed(row) for row in range(3)]
    )
    assert output.loss.isfinite()


def test_the_teacher_of_a_shared_backbone(tmp_path: Path) -> None:
    """A task's folder without an encoder of its own goes on from its backbone, teacher included."""
    backbone = tiny_pretraining("text")
    with torch.no_grad():
        for parameter in backbone.teacher.parameters():
            parameter.mul_(1.5)
    backbone.save_pretrained(tmp_path / "backbone")
    with pytest.warns(CheckpointWarning, match="initialised at random"):
        task = Data2VecTextForSequenceClassification.from_pretrained(tmp_path / "backbone")
    task.save_pretrained(tmp_path / "task")
    Card(name="task", modality="text", task="classification").save(tmp_path / "task")
    share_backbone(tmp_path / "task", "../backbone")
    model = build_pretraining(quietly(tmp_path / "task"), tiny_method("text"))
    with pytest.warns(CheckpointWarning, match="classifier"):
        assert load_teacher(model, tmp_path / "task")
    name = "encoder.layers.1.feed_forward.up.weight"
    assert torch.equal(model.teacher.model.get_parameter(name), backbone.teacher.model.get_parameter(name))


def test_a_student_for_a_decoder_and_its_teacher_have_no_mask_token(tmp_path: Path) -> None:
    tiny_pretraining("vision").save_pretrained(tmp_path)
    student = quietly(tmp_path, use_mask_token=False)
    method = tiny_method("vision", decoder=ConvDecoder(width=16, groups=4), masking=InverseBlocks())
    model = build_pretraining(student, method)
    with pytest.warns(CheckpointWarning, match="mask_token"):
        assert load_teacher(model, tmp_path)


def test_what_cannot_start_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_student(tmp_path / "nothing")
    write_json(tmp_path / "config.json", {"model_type": "wav2vec2"})
    with pytest.raises(CheckpointError, match="none of data2vec-audio.*'wav2vec2'"):
        load_student(tmp_path)
