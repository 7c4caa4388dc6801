"""The teacher: what is averaged, copied and shared, its decay, its mode, its files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from data2vec_core.pretraining.schedule import TeacherDecay
from data2vec_core.pretraining.teacher import Teacher, average
from tests.pretraining_samples import MODALITIES, tiny_pretraining, tiny_student

#: Tensors of the teacher that are copied, by the start of their names; the others are averaged.
COPIED = {"audio": ("pos_conv_embed.",), "text": ("embeddings.",), "vision": ()}


def disturb(module: nn.Module) -> None:
    """Move every parameter."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter))


@pytest.mark.parametrize("modality", MODALITIES)
def test_what_is_averaged_and_what_is_copied(modality: str) -> None:
    student = tiny_student(modality)
    teacher = Teacher(student)
    before = {name: tensor.clone() for name, tensor in teacher.model.state_dict().items()}
    disturb(student)
    teacher.follow(student, 0.9)
    part = student.state_dict(prefix="") if modality != "audio" else student.get_submodule("encoder").state_dict()
    assert before.keys() == part.keys()
    for name, tensor in teacher.model.state_dict().items():
        if COPIED[modality] and name.startswith(COPIED[modality]):
            assert torch.equal(tensor, part[name]), name
        else:
            assert_close(tensor, 0.9 * before[name] + 0.1 * part[name])
            assert not torch.equal(tensor, before[name]), name


def test_the_speech_teacher_has_no_convolutions_of_its_own() -> None:
    names = Teacher(tiny_student("audio")).state_dict()
    assert all(name.startswith(("model.layers.", "model.layer_norm.", "model.pos_conv_embed.")) for name in names)


@pytest.mark.parametrize(("decay", "stays"), [(0.0, False), (1.0, True)])
def test_decay_at_its_ends(decay: float, stays: bool) -> None:
    mean, new = nn.Linear(3, 2), nn.Linear(3, 2)
    before = mean.weight.clone()
    average(mean, new, decay)
    assert torch.equal(mean.weight, before if stays else new.weight)


def test_integers_are_copied_and_strangers_refused() -> None:
    mean, new = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    new(torch.randn(4, 3))
    average(mean, new, 0.5)
    assert mean.num_batches_tracked == 1
    assert mean.running_mean is not None
    assert new.running_mean is not None
    assert_close(mean.running_mean, new.running_mean / 2)
    with pytest.raises(ValueError, match="differ in .*running_mean"):
        average(mean, nn.LayerNorm(3), 0.5)
    with pytest.raises(ValueError, match="decay=1.5"):
        average(mean, new, 1.5)


@pytest.mark.parametrize("modality", MODALITIES)
def test_teacher_stays_in_eval_float32_and_without_gradients(modality: str) -> None:
    pretraining = tiny_pretraining(modality)
    pretraining.train()
    assert pretraining.student.training
    assert not any(module.training for module in pretraining.teacher.modules())
    pretraining.eval().train()
    assert not any(module.training for module in pretraining.teacher.modules())
    assert not any(parameter.requires_grad for parameter in pretraining.teacher.parameters())
    assert any(name.startswith("teacher.") for name in pretraining.state_dict()), "it is saved with the rest"

    half = tiny_student(modality).to(torch.bfloat16)
    teacher = Teacher(half)
    disturb(half)
    teacher.follow(half, 0.5)
    assert {tensor.dtype for tensor in teacher.parameters()} == {torch.float32}


def test_decay_schedule() -> None:
    decay = TeacherDecay(0.999, 0.9999, 30_000)
    assert [decay(step) for step in (0, 15_000, 30_000, 10**6)] == pytest.approx([0.999, 0.99945, 0.9999, 0.9999])
    assert TeacherDecay(0.9998, 0.9998, 0)(0) == 0.9998
    with pytest.raises(ValueError, match="TeacherDecay.end=2"):
        TeacherDecay(0.9, 2)


@pytest.mark.parametrize("modality", MODALITIES)
def test_distances_by_layer(modality: str) -> None:
    student = tiny_student(modality)
    teacher = Teacher(student)
    assert set(teacher.distances(student)) == {0.0}
    last = list(student.get_submodule("encoder.layers").children())[-1]
    with torch.no_grad():
        for parameter in last.parameters():
            parameter.mul_(2)
    distances = teacher.distances(student)
    assert len(distances) == student.config.num_hidden_layers
    assert distances[:-1] == (0.0,) * (len(distances) - 1)
    assert distances[-1] == pytest.approx(0.5)


@pytest.mark.parametrize("modality", MODALITIES)
def test_saved_teacher_is_a_whole_model(modality: str, tmp_path: Path) -> None:
    pretraining = tiny_pretraining(modality)
    disturb(pretraining.teacher.model)
    disturb(pretraining.student)
    pretraining.save_pretrained(tmp_path)
    options = {"add_pooling_layer": False} if modality == "text" else {}
    kind = type(pretraining.student)
    student = kind.from_pretrained(tmp_path, **options)
    teacher = kind.from_pretrained(tmp_path, role="teacher", **options)
    assert teacher.load_report is not None
    assert teacher.load_report.is_complete
    own = pretraining.student.state_dict()
    averaged = pretraining.teacher.model.state_dict(prefix="encoder." if modality == "audio" else "")
    for name, tensor in student.state_dict().items():
        assert torch.equal(tensor, own[name]), name
    for name, tensor in teacher.state_dict().items():
        assert torch.equal(tensor, averaged[name] if name in averaged else own[name]), name
    assert averaged.keys() < own.keys() if modality == "audio" else averaged.keys() == own.keys()
