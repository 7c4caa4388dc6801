"""Predictions at masked places against the training objective's own pass, and their targets by any rule."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from analysis.masked_prediction import TARGET_TENSORS, MaskedPrediction, predict_masked
from data2vec_core.pretraining.decoder import ConvDecoder
from data2vec_core.pretraining.masking import InverseBlocks, mask_generators
from data2vec_core.pretraining.modalities import build_pretraining
from data2vec_core.pretraining.targets import TargetRule
from tests.pretraining_samples import MODALITIES, tiny_batch, tiny_method, tiny_pretraining, tiny_student


def one_of(modality: str) -> dict[str, torch.Tensor]:
    """The first input of the tiny batch, which has no padding."""
    return {name: tensor[:1] for name, tensor in tiny_batch(modality).items() if name != "attention_mask"}


def tiny_model(modality: str, **changes: Any) -> Any:
    model = tiny_pretraining(modality, **changes).eval()
    with torch.no_grad():  # or student and teacher would be the same
        for parameter in model.teacher.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("masks", [1, 2])
def test_predictions_and_targets_are_those_of_training(modality: str, masks: int) -> None:
    model = tiny_model(modality, masks_per_sample=masks)
    batch = one_of(modality)
    found = predict_masked(model, batch, seed=4)
    with torch.no_grad():
        output = model(batch, mask_generators(4, 0, [0], masks))
    count = len(found.positions)
    assert output.mask.is_masked[0].numpy().tolist() == found.is_masked.tolist()
    assert found.predictions == pytest.approx(output.predictions[:count].numpy(), abs=1e-5)
    target = found.target()
    assert target.vectors[found.is_masked] == pytest.approx(output.targets[:count].numpy(), abs=1e-5)
    assert target.rule == model.method.targets
    if modality == "text":
        assert found.shown_ids is not None
        assert found.shown_ids.tolist() == output.mask.input_ids[0].tolist()


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_mask_of_ones_own_hides_that_and_nothing_else(modality: str) -> None:
    model = tiny_model(modality)
    batch = one_of(modality)
    found = predict_masked(model, batch, [3, 5])
    assert found.positions.tolist() == [3, 5]
    assert found.predictions is not None
    assert found.predictions.shape[0] == 2
    again = predict_masked(model, batch, [5, 3])
    assert again.predictions == pytest.approx(found.predictions)
    other = predict_masked(model, batch, [3])
    assert other.predictions is not None
    assert not np.allclose(other.predictions[0], found.predictions[0]), "what stands at 5 is seen now"
    assert other.layers["hidden"] == pytest.approx(found.layers["hidden"]), "the teacher sees all, whatever is masked"


@pytest.mark.parametrize("modality", MODALITIES)
def test_any_rule_makes_a_target_without_another_pass(modality: str) -> None:
    found = predict_masked(tiny_model(modality), one_of(modality))
    depth = len(found.layers["hidden"])
    for tensor in ("hidden", "feed_forward"):
        for k in range(1, depth + 1):
            target = found.target(k, tensor)
            assert target.tiles.shape == (k, *found.layers["hidden"].shape[1:])
            if found.rule.mean_norm == "none":
                assert target.vectors == pytest.approx(target.tiles.mean(axis=0), abs=1e-5)
    with pytest.raises(ValueError, match="the model has"):
        found.target(depth + 1)
    with pytest.raises(ValueError, match="expected one of hidden, feed_forward"):
        found.target(1, "values")  # type: ignore[arg-type]


def made_up(predictions: np.ndarray, layers: np.ndarray, masked: list[int]) -> MaskedPrediction:
    is_masked = np.zeros(layers.shape[1], dtype=bool)
    is_masked[masked] = True
    return MaskedPrediction(
        is_masked=is_masked,
        shown_ids=None,
        predictions=predictions.astype(np.float32),
        layers={"hidden": layers.astype(np.float32)},
        is_counted=np.ones(layers.shape[1], dtype=bool),
        rule=TargetRule(top_layers=1, tensor="hidden", layer_norm="none"),
    )


def test_errors_and_ranks() -> None:
    layers = np.random.default_rng(0).standard_normal((1, 20, 64))
    predictions = np.stack([layers[0, 2], 0.5 * layers[0, 9], layers[0, 0]])
    found = made_up(predictions, layers, [2, 9, 15])
    target = found.target()
    errors = found.errors(target)
    assert errors.error[0] == pytest.approx(0, abs=1e-9)
    assert errors.error[1] == pytest.approx(np.square(0.5 * layers[0, 9]).mean(), rel=1e-5)
    assert errors.cosine[:2] == pytest.approx([1, 1])
    assert errors.rank[:2].tolist() == [1, 1]
    assert errors.rank[2] > 1
    assert errors.chance == 1 / 20
    assert found.nearest(target, 3)[:, 0].tolist() == [2, 9, 0]
    every = found.nearest(target, 20)
    assert found.nearest(target, 5).tolist() == every[:, :5].tolist()
    assert found.guess(target) == pytest.approx(np.square(layers[0, [2, 9, 15]] - layers[0].mean(0)).mean(), rel=1e-5)


def test_guessing_hits_by_chance_and_errs_by_the_variance() -> None:
    random = np.random.default_rng(1)
    layers = random.standard_normal((8, 400, 48))
    found = dataclasses.replace(
        made_up(random.standard_normal((400, 48)), layers, list(range(400))),
        rule=TargetRule(top_layers=8, tensor="hidden", layer_norm="layer"),
    )
    assert np.mean(found.errors(found.target()).rank) == pytest.approx(200, abs=20)
    # analysis-methods.md, section 3: the average of K independent normalised layers has variance 1 / K
    assert found.target().spread() == pytest.approx(1 / 8, rel=0.02)
    assert found.target(1).spread() == pytest.approx(1, rel=0.01)
    nothing = dataclasses.replace(found, predictions=np.zeros((400, 48), np.float32))
    assert nothing.errors(found.target(1)).error.mean() == pytest.approx(1, rel=0.01)


def test_what_cannot_be_masked_is_refused() -> None:
    model = tiny_model("text")
    batch = one_of("text")
    length = batch["input_ids"].shape[1]
    with pytest.raises(ValueError, match="special tokens"):
        predict_masked(model, batch, [0])
    with pytest.raises(ValueError, match=f"position {length} is not there"):
        predict_masked(model, batch, [length])
    with pytest.raises(ValueError, match="at least one position"):
        predict_masked(model, batch, [])
    with pytest.raises(ValueError, match="one input at a time"):
        predict_masked(model, tiny_batch("text"))
    with pytest.raises(ValueError, match=r"call eval\(\)"):
        predict_masked(model.train(), batch)


@pytest.mark.parametrize("modality", MODALITIES)
def test_the_students_own_layers_stand_in_for_a_predictor(modality: str) -> None:
    model = tiny_model(modality, masks_per_sample=2)
    batch = one_of(modality)
    found = predict_masked(model, batch, [3, 5], has_predictor=False)
    assert found.predictions is None
    assert found.student_layers is not None
    assert found.layers["hidden"] == pytest.approx(predict_masked(model, batch, [3, 5]).layers["hidden"])
    depth = len(found.layers["hidden"])
    for tensor in TARGET_TENSORS:
        for k in (1, depth):
            target = found.target(k, tensor)
            other = dataclasses.replace(found, layers=found.student_layers).target(k, tensor)
            assert found.predicted(target) == pytest.approx(other.vectors[[3, 5]], abs=1e-6)
            wanted = np.square(other.vectors - target.vectors)[[3, 5]].mean(axis=1)
            assert found.errors(target).error == pytest.approx(wanted, abs=1e-6)
    with torch.no_grad():
        for parameter in model.head.parameters():
            parameter.add_(torch.randn_like(parameter))
    again = predict_masked(model, batch, [3, 5], has_predictor=False)
    assert again.predicted(again.target()) == pytest.approx(found.predicted(found.target())), "the head is not asked"


def test_a_student_and_its_copy_differ_by_the_mask_alone() -> None:
    model = tiny_pretraining("vision").eval()  # the teacher is a copy at the start
    found = predict_masked(model, one_of("vision"), [3, 5], has_predictor=False)
    assert found.student_layers is not None
    with torch.no_grad():
        model.student.embeddings.mask_token.add_(1.0)
    other = predict_masked(model, one_of("vision"), [3, 5], has_predictor=False)
    assert other.layers["hidden"] == pytest.approx(found.layers["hidden"])
    assert other.student_layers is not None
    assert not np.allclose(other.student_layers["hidden"], found.student_layers["hidden"])


def test_what_a_student_that_skips_hidden_patches_would_say_is_not_made_up() -> None:
    student = tiny_student("vision", use_mask_token=False)
    decoder = ConvDecoder(width=16, kernel=3, layers=1, groups=4, noise=1.0)
    model = build_pretraining(student, tiny_method("vision", masking=InverseBlocks(), decoder=decoder)).eval()
    found = predict_masked(model, one_of("vision"), [3, 5], seed=1)
    assert found.predictions is not None
    again = predict_masked(model, one_of("vision"), [3, 5], seed=1)
    assert again.predictions == pytest.approx(found.predictions), "the decoder's noise is drawn by the seed"
    with pytest.raises(ValueError, match="says nothing about what it does not see"):
        predict_masked(model, one_of("vision"), has_predictor=False)


def test_the_agreement_of_layers_is_told_before_their_average_is_normalised() -> None:
    layers = np.random.default_rng(2).standard_normal((4, 300, 64))
    found = dataclasses.replace(
        made_up(layers[0, :1], layers, [0]),
        rule=TargetRule(top_layers=4, tensor="hidden", layer_norm="layer", mean_norm="layer"),
    )
    assert found.target().spread() == pytest.approx(1, rel=0.01)
    assert found.target().agreement() == pytest.approx(1 / 4, rel=0.05)
