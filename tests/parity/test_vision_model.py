"""The vision encoder and the image classifier against the reference, for every option of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import data2vec_core
from data2vec_core import Data2VecVisionForImageClassification
from data2vec_core.presets import PRESETS
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.vision.relative_position import RelativePositionBias
from tests.parity.reference import (
    COMPONENT,
    assert_close_to_reference,
    assert_same_gradients,
    assert_same_result,
    random_reference,
    reload_in_ours,
    reload_in_reference,
    transformers,
)

TINY: Any = PRESETS["vision-tiny"].replace(use_relative_position_bias=False)

OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "layer bias": {"use_relative_position_bias": True},
    "shared bias": {"use_shared_relative_position_bias": True},
    "both biases": {"use_relative_position_bias": True, "use_shared_relative_position_bias": True},
    "absolute positions": {"use_absolute_position_embeddings": True},
    "everything positional": {
        "use_absolute_position_embeddings": True,
        "use_relative_position_bias": True,
        "use_shared_relative_position_bias": True,
    },
    "mask token": {"use_mask_token": True},
    "no layer scale": {"layer_scale_init_value": 0.0},
    "class token pooling": {"use_mean_pooling": False},
    "other norm and activation": {"layer_norm_eps": 1e-3, "hidden_act": "gelu_new", "use_mean_pooling": False},
    "one channel": {"num_channels": 1},
    "wide window": {"image_size": (16, 40), "use_relative_position_bias": True},
    "tall window": {"image_size": (40, 24), "use_shared_relative_position_bias": True},
    "wide patches": {"patch_size": (8, 4)},
}

#: (height, width) in pixels: native, larger, smaller, flat, with pixels beyond the last patch, a single patch.
SIZES = [(32, 32), (48, 48), (16, 16), (16, 56), (35, 30), (8, 8)]


def pair(task: str, config: Any, tmp_path: Path) -> tuple[Any, Any]:
    """Our model and the reference of one class with the same weights."""
    reference = random_reference(getattr(transformers, f"Data2VecVision{task}"), config)
    ours: PretrainedModel = reload_in_ours(reference, getattr(data2vec_core, f"Data2VecVision{task}"), tmp_path)
    return ours, reference


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_encoder_states_and_attentions(options: dict[str, Any], size: tuple[int, int], tmp_path: Path) -> None:
    config = TINY.replace(**options)
    ours, reference = pair("Model", config, tmp_path)
    pixels = torch.randn(2, config.num_channels, *size)
    wanted = {"output_hidden_states": True, "output_attentions": True}
    with torch.no_grad():
        assert_same_result(ours(pixels, **wanted), reference(pixels, **wanted))
        # Without anything recorded the fused kernel runs; the reference's explicit one stays the measure.
        assert_same_result(ours(pixels), reference(pixels))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_encoder_gradients(options: dict[str, Any], tmp_path: Path) -> None:
    config = TINY.replace(**options)
    ours, reference = pair("Model", config, tmp_path)
    pixels = torch.randn(2, config.num_channels, 40, 32)
    is_masked = torch.rand(2, 5 * 32 // config.patch_size_pair[1]) < 0.5 if config.use_mask_token else None
    weights = torch.randn(2, 1, config.hidden_size)
    for model in (ours, reference):
        (model(pixels, bool_masked_pos=is_masked).last_hidden_state * weights).sum().backward()
    assert_same_gradients(ours, reference)


def test_masked_patches(tmp_path: Path) -> None:
    ours, reference = pair("Model", TINY.replace(use_mask_token=True), tmp_path)
    pixels = torch.randn(3, 3, 32, 32)
    is_masked = torch.rand(3, 16) < 0.5
    with torch.no_grad():
        expected = reference(pixels, bool_masked_pos=is_masked)
        assert_same_result(ours(pixels, bool_masked_pos=is_masked), expected)
        assert_same_result(ours(pixels, bool_masked_pos=is_masked.long()), expected)


def test_interpolation_flag_changes_nothing(tmp_path: Path) -> None:
    ours, reference = pair("Model", TINY.replace(**OPTIONS["everything positional"]), tmp_path)
    pixels = torch.randn(2, 3, 48, 24)
    with torch.no_grad():
        expected = reference(pixels, interpolate_pos_encoding=True)
        assert_same_result(ours(pixels, interpolate_pos_encoding=True), expected)


def test_pooler_of_the_bare_model(tmp_path: Path) -> None:
    classifier, reference = pair("ForImageClassification", TINY, tmp_path)
    pixels = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert_same_result(classifier.backbone(pixels), reference.data2vec_vision(pixels))


@pytest.mark.parametrize("window", [(4, 4), (3, 5), (6, 2)], ids=str)
@pytest.mark.parametrize("grid", [(4, 4), (3, 5), (2, 7), (1, 1)], ids=str)
def test_bias_component(window: tuple[int, int], grid: tuple[int, int]) -> None:
    ours = RelativePositionBias(window, 4)
    with torch.no_grad():
        ours.table.normal_()
    config = transformers.Data2VecVisionConfig(num_attention_heads=4)
    module = transformers.models.data2vec.modeling_data2vec_vision.Data2VecVisionRelativePositionBias
    reference = module(config, window_size=window)
    reference.load_state_dict({"relative_position_bias_table": ours.table.detach()})
    assert_close_to_reference(ours(grid), reference(grid), COMPONENT)


@pytest.mark.parametrize("size", [(32, 32), (64, 24), (7 * 8 + 3, 8)], ids=str)
def test_embeddings_component(size: tuple[int, int], tmp_path: Path) -> None:
    ours, reference = pair("Model", TINY.replace(use_absolute_position_embeddings=True, use_mask_token=True), tmp_path)
    pixels = torch.randn(2, 3, *size)
    is_masked = torch.rand(2, (size[0] // 8) * (size[1] // 8)) < 0.5
    expected, grid = reference.embeddings(pixels, is_masked)
    embedded, our_grid = ours.embeddings(pixels, is_masked)
    assert our_grid == tuple(grid)
    assert_close_to_reference(embedded, expected, COMPONENT)


@pytest.mark.parametrize("pooled_mean", [True, False])
@pytest.mark.parametrize(
    ("classes", "problem", "labels"),
    [
        (5, None, torch.tensor([0, 3, 4])),
        (5, None, torch.tensor([[0.0, 1, 0, 1, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 1]])),
        (1, None, torch.tensor([0.3, -1.0, 2.0])),
        (5, "single_label_classification", torch.tensor([1, -100, 2])),
        (5, "multi_label_classification", torch.tensor([[0.0, 1, 0, 1, 0]] * 3)),
        (3, "regression", torch.randn(3, 3)),
    ],
    ids=["one class", "several classes", "one number", "ignored label", "several, said", "three numbers"],
)
def test_classifier_losses_and_gradients(
    classes: int, problem: str | None, labels: torch.Tensor, pooled_mean: bool, tmp_path: Path
) -> None:
    config = TINY.replace(
        num_labels=classes, problem_type=problem, use_mean_pooling=pooled_mean, use_relative_position_bias=True
    )
    ours, reference = pair("ForImageClassification", config, tmp_path)
    pixels = torch.randn(3, 3, 32, 40)
    wanted = {"output_hidden_states": True, "output_attentions": True}
    result, expected = ours(pixels, labels=labels, **wanted), reference(pixels, labels=labels, **wanted)
    assert_same_result(result, expected)
    result.loss.backward()
    expected.loss.backward()
    assert_same_gradients(ours, reference)


def test_classifier_without_classes(tmp_path: Path) -> None:
    ours, reference = pair("ForImageClassification", TINY.replace(num_labels=0), tmp_path)
    pixels = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert_same_result(ours(pixels), reference(pixels))


def test_training_draws_the_same_dropout(tmp_path: Path) -> None:
    """From the same seed, dropout and drop path fall on the same places, so that training runs can be compared."""
    config = TINY.replace(drop_path_rate=0.5, hidden_dropout_prob=0.2, attention_probs_dropout_prob=0.2)
    ours, reference = pair("ForImageClassification", config, tmp_path)
    pixels, labels = torch.randn(6, 3, 32, 32), torch.randint(0, 2, (6,))
    results = []
    for model in (ours.train(), reference.train()):
        torch.manual_seed(3)
        results.append(model(pixels, labels=labels, output_attentions=True, output_hidden_states=True))
        results[-1].loss.backward()
    assert_same_result(*results)
    assert_same_gradients(ours, reference)


def test_gradient_checkpointing_gives_the_same_gradients(tmp_path: Path) -> None:
    config = TINY.replace(**OPTIONS["both biases"], drop_path_rate=0.0)
    ours, reference = pair("ForImageClassification", config, tmp_path)
    pixels, labels = torch.randn(3, 3, 32, 32), torch.randint(0, 2, (3,))
    ours.train().gradient_checkpointing_enable()
    for model in (ours, reference.train()):
        model(pixels, labels=labels).loss.backward()
    assert_same_gradients(ours, reference)


@pytest.mark.parametrize("task", ["Model", "ForImageClassification"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_reference_loads_what_we_save(task: str, options: dict[str, Any], tmp_path: Path) -> None:
    config = TINY.replace(**options, num_labels=3)
    torch.manual_seed(0)
    ours = getattr(data2vec_core, f"Data2VecVision{task}")(config).eval()
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    reference = reload_in_reference(ours, getattr(transformers, f"Data2VecVision{task}"), tmp_path)
    pixels = torch.randn(2, config.num_channels, 32, 32)
    with torch.no_grad():
        assert_same_result(ours(pixels), reference(pixels))


def test_fresh_weights_follow_the_reference(tmp_path: Path) -> None:
    """Both fresh models have the same constants, and random weights of the same spread."""
    config = TINY.replace(**OPTIONS["everything positional"], use_mask_token=True, hidden_size=64)
    ours = Data2VecVisionForImageClassification(config)
    reference = transformers.Data2VecVisionForImageClassification(transformers.AutoConfig.for_model(**config.to_dict()))
    own = reload_in_reference(ours, transformers.Data2VecVisionForImageClassification, tmp_path).state_dict()
    for name, expected in reference.state_dict().items():
        spread = expected.std().item()
        if spread == 0:
            torch.testing.assert_close(own[name], expected, msg=name)
        else:
            assert own[name].std().item() == pytest.approx(spread, rel=0.25), name
