"""The objective by hand on small numbers, its gradients, and the published settings."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from data2vec_core import (
    Data2VecAudioConfig,
    Data2VecAudioModel,
    Data2VecTextConfig,
    Data2VecTextModel,
    Data2VecVisionForImageClassification,
    Data2VecVisionModel,
)
from data2vec_core.checkpoints.loading import blank_weights
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.pretraining.masking import Mask
from data2vec_core.pretraining.modalities import build_pretraining
from data2vec_core.pretraining.objective import CollapseAlarm, CollapseError, Moments, regression_head
from data2vec_core.pretraining.presets import METHODS, PUBLISHED
from data2vec_core.pretraining.schedule import TriStage, WarmupCosine
from tests.pretraining_samples import (
    MODALITIES,
    seeded,
    tiny_batch,
    tiny_config,
    tiny_method,
    tiny_pretraining,
    tiny_student,
)

PREDICTION = torch.tensor([[1.0, 0.0, 2.0, 5.0], [0.0, 0.0, 0.0, -1.0]])
TARGET = torch.tensor([[0.0, 0.0, 0.0, 2.0], [0.0, 0.0, 0.0, 0.0]])  # errors 1, 0, 2, 3 and 0, 0, 0, 1


def test_speech_divides_squares_by_the_root_of_the_width_and_by_positions() -> None:
    objective = METHODS["data2vec-audio"].objective
    assert objective.total(PREDICTION, TARGET).item() == pytest.approx((1 + 4 + 9 + 1) / math.sqrt(4))
    assert objective.count(PREDICTION) == 2


def test_text_sums_over_channels_and_divides_by_positions() -> None:
    objective = METHODS["data2vec-text"].objective
    assert objective.total(PREDICTION, TARGET).item() == pytest.approx((1 + 4 + 9 + 1) / 8)  # all below beta 4
    assert objective.total(torch.tensor([[6.0]]), torch.zeros(1, 1)).item() == pytest.approx(6 - 2)
    assert objective.count(PREDICTION) == 2


def test_vision_takes_the_mean_over_all_elements() -> None:
    objective = METHODS["data2vec-vision"].objective
    for error, loss in ((1.0, 0.25), (3.0, 2.0)):
        assert objective.total(torch.tensor([[error]]), torch.zeros(1, 1)).item() == pytest.approx(loss)
    assert objective.total(PREDICTION, TARGET).item() == pytest.approx(0.25 + 1.0 + 2.0 + 0.25)
    assert objective.count(PREDICTION) == 8


def test_heads() -> None:
    assert isinstance(regression_head(6, "linear"), nn.Linear)
    shapes = {name: tuple(p.shape) for name, p in regression_head(6, "deep").named_parameters()}
    assert shapes == {"0.weight": (12, 6), "0.bias": (12,), "2.weight": (6, 12), "2.bias": (6,)}


def test_spread_is_the_mean_standard_deviation_and_parts_add_up() -> None:
    vectors = torch.randn(40, 5) * torch.arange(1.0, 6.0) + 3
    expected = torch.sqrt(vectors.double().var(dim=0) + 1e-6).mean().item()
    assert Moments.of(vectors).spread() == pytest.approx(expected)
    assert (Moments.of(vectors[:7]) + Moments.of(vectors[7:])).spread() == pytest.approx(expected)
    assert Moments.of(torch.ones(9, 5)).spread() == pytest.approx(1e-3)
    assert math.isnan(Moments.of(torch.ones(1, 5)).spread())


def test_collapse_alarm() -> None:
    alarm = CollapseAlarm()
    alarm.check(5000, 0.0, 0.0)
    alarm.check(5001, 0.1, 0.01)
    with pytest.raises(CollapseError, match="step 5001: the targets have a standard deviation of 0.0900"):
        alarm.check(5001, 0.09, 0.5)
    with pytest.raises(CollapseError, match="the predictions"):
        alarm.check(5001, 0.5, 0.009)


@pytest.mark.parametrize("modality", MODALITIES)
def test_every_student_parameter_gets_a_gradient_and_no_teacher_one(modality: str) -> None:
    pretraining = tiny_pretraining(modality, still=True)
    output = pretraining(tiny_batch(modality), seeded())
    output.loss.backward()
    for name, parameter in [*pretraining.student.named_parameters(), *pretraining.head.named_parameters()]:
        assert parameter.grad is not None, name
        # A softmax does not change when all its scores move together, whence a key bias gets 0 but for rounding.
        assert parameter.grad.any() or name.endswith("key.bias"), name
    assert all(p.grad is None for p in pretraining.teacher.parameters())
    assert not output.targets.requires_grad
    assert_close(output.loss, output.total / output.count)


@pytest.mark.parametrize("modality", MODALITIES)
def test_only_masked_positions_count(modality: str) -> None:
    """The predictions are those of the masked positions in order, and what is predicted elsewhere changes nothing."""
    pretraining: Any = tiny_pretraining(modality, still=True)
    batch = tiny_batch(modality)
    output = pretraining(batch, seeded())
    inputs = pretraining.prepare(batch)
    hidden, target = pretraining.study(inputs, output.mask), pretraining.teach(inputs, output.mask)
    rows, positions = output.mask.is_masked.nonzero(as_tuple=True)
    assert len(output.predictions) == len(rows) < output.mask.is_masked.numel()
    for index, (row, position) in enumerate(zip(rows.tolist(), positions.tolist(), strict=True)):
        assert_close(output.predictions[index], pretraining.head(hidden[row, position]))
        assert_close(output.targets[index], target[row, position])
    again = pretraining(batch, mask=output.mask)
    assert torch.equal(again.loss, output.loss)


@pytest.mark.parametrize("modality", MODALITIES)
def test_under_autocast_the_student_is_rounded_and_the_teacher_is_not(modality: str) -> None:
    """As on a GPU; the CPU has the same switch."""
    pretraining: Any = tiny_pretraining(modality, still=True)
    batch = tiny_batch(modality)
    exact = pretraining(batch, seeded())
    with torch.autocast("cpu", torch.bfloat16):
        output = pretraining(batch, seeded())
    assert output.predictions.dtype == torch.bfloat16
    assert output.targets.dtype == output.total.dtype == torch.float32
    if modality == "audio":  # the frames that both read are the student's
        assert_close(output.targets, exact.targets, atol=0.1, rtol=0)
    else:
        assert torch.equal(output.targets, exact.targets)
    assert output.loss.item() == pytest.approx(exact.loss.item(), rel=0.02)
    output.loss.backward()
    assert all(p.grad.dtype == torch.float32 for p in pretraining.student.parameters())


@pytest.mark.parametrize("modality", MODALITIES)
def test_the_teacher_may_be_rounded_too(modality: str) -> None:
    pretraining: Any = tiny_pretraining(modality, still=True)
    batch = tiny_batch(modality)
    exact = pretraining(batch, seeded(), is_teacher_cast=True)  # without autocast there is nothing to cast to
    assert torch.equal(exact.targets, pretraining(batch, seeded()).targets)
    with torch.autocast("cpu", torch.bfloat16):
        output = pretraining(batch, seeded(), is_teacher_cast=True)
    assert output.targets.dtype == output.total.dtype == torch.float32
    assert not torch.equal(output.targets, exact.targets)
    assert_close(output.targets, exact.targets, atol=0.1, rtol=0)


def test_nothing_masked_is_no_loss_and_a_mask_or_generators_are_needed() -> None:
    pretraining = tiny_pretraining("vision", still=True)
    batch = tiny_batch("vision")
    assert pretraining(batch, mask=Mask(torch.zeros(3, 16, dtype=torch.bool))).loss.item() == 0
    for options in ({}, {"generators": seeded(), "mask": Mask(torch.zeros(3, 16, dtype=torch.bool))}):
        with pytest.raises(ValueError, match="exactly one of generators and mask"):
            pretraining(batch, **options)


@pytest.mark.parametrize(
    ("modality", "changes", "message"),
    [
        ("audio", {"mask_time_prob": 0.0}, "needs a mask embedding"),
        ("audio", {"apply_spec_augment": False}, "needs a mask embedding"),
        ("audio", {"add_adapter": True}, "add_adapter=False"),
        ("text", {"is_decoder": True}, "is_decoder=False"),
        ("text", {"vocab_size": 130}, "vocab_size=120, the student has 130 tokens"),
        ("vision", {"use_mask_token": False}, "use_mask_token=True"),
        ("vision", {"use_mean_pooling": True}, "use_mean_pooling=False"),
        ("vision", {"num_hidden_layers": 1, "out_indices": (0, 0, 0, 0)}, "top_layers=2: the model has 1 layers"),
    ],
)
def test_a_student_that_cannot_learn_is_refused(modality: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_pretraining(tiny_student(modality, **changes), tiny_method(modality))


def test_a_pooler_a_head_and_another_modality_are_refused() -> None:
    with pytest.raises(ValueError, match="add_pooling_layer=False"):
        build_pretraining(Data2VecTextModel(tiny_config("text")), tiny_method("text"))
    with pytest.raises(ValueError, match="encoders without a head, got Data2VecVisionForImageClassification"):
        build_pretraining(Data2VecVisionForImageClassification(tiny_config("vision")), tiny_method("vision"))
    with pytest.raises(ValueError, match="must be a PatchMasking, got BertTokens"):
        build_pretraining(tiny_student("vision"), tiny_method("text"))


def test_published_runs() -> None:
    """Figures of data2vec.md 5.1 and 5.2 that follow from the table."""
    audio = PUBLISHED["audio-base"].plan.schedule
    assert isinstance(audio, TriStage)
    assert audio(0) == pytest.approx(5e-6)
    assert [audio(step) for step in (12_000, 371_999)] == [5e-4] * 2
    assert audio(372_000 + 14_000) == pytest.approx(5e-5)  # half-way down by decades
    assert audio(400_000) == pytest.approx(5e-6)
    text = PUBLISHED["text-base"].plan.schedule
    assert isinstance(text, WarmupCosine)
    assert [text(step) for step in (0, 5_000, 10_000, 1_000_000)] == pytest.approx([0, 1e-4, 2e-4, 0])
    vision = PUBLISHED["vision-base"].plan.schedule
    assert [vision(step) for step in (6_250, 500_000)] == pytest.approx([2e-3, 1e-5])


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_students_and_methods_fit(name: str) -> None:
    preset = PUBLISHED[name]
    with blank_weights():  # base and large sizes, without their memory
        match preset.student:
            case Data2VecAudioConfig():
                student: PretrainedModel = Data2VecAudioModel(preset.student)
            case Data2VecTextConfig():
                student = Data2VecTextModel(preset.student, add_pooling_layer=False)
            case _:
                student = Data2VecVisionModel(preset.student)
        pretraining = build_pretraining(student, preset.method)
    groups = preset.plan.optimiser(pretraining).param_groups
    assert sum(len(group["params"]) for group in groups) == sum(1 for _ in student.parameters()) + (
        4 if "text" in name else 2
    )
    assert bool(groups[1]["params"]) == ("vision" in name), "only vision spares vectors from decay"
