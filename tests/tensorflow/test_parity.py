"""The three classes against their PyTorch sisters, for every option of the configuration and all kinds of sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import torch

from data2vec_core.checkpoints.keras_layout import from_keras
from data2vec_core.tensorflow import TFData2VecVisionForImageClassification, TFData2VecVisionModel
from data2vec_core.tensorflow.weights import named_weights
from tests.tensorflow.sisters import COMPONENT, END_TO_END, TINY, array, assert_close, assert_same_result, sisters

PLAIN = TINY.replace(use_relative_position_bias=False, num_hidden_layers=2)
ENCODERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "layer bias": {"use_relative_position_bias": True},
    "shared bias": {"use_shared_relative_position_bias": True},
    "everything positional": {
        "use_absolute_position_embeddings": True,
        "use_relative_position_bias": True,
        "use_shared_relative_position_bias": True,
    },
    "no layer scale": {"layer_scale_init_value": 0.0},
    "class token pooling": {"use_mean_pooling": False, "use_relative_position_bias": True},
    "other norm and activation": {"layer_norm_eps": 1e-3, "hidden_act": "gelu_new", "use_mean_pooling": False},
    "one channel": {"num_channels": 1},
    "wide window": {"image_size": (16, 40), "use_relative_position_bias": True},
    "wide window, true layout": {
        "image_size": (16, 40),
        "use_relative_position_bias": True,
        "fix_non_square_bias": True,
    },
    "tall window": {
        "image_size": (40, 24),
        "use_shared_relative_position_bias": True,
        "use_absolute_position_embeddings": True,
    },
    "wide patches": {"patch_size": (8, 4)},
}
SEGMENTERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "no auxiliary head": {"use_auxiliary_head": False},
    "deep auxiliary head": {"auxiliary_num_convs": 3, "auxiliary_loss_weight": 0.7},
    "auxiliary head with its input": {"auxiliary_concat_input": True},
    "auxiliary head without convolutions": {"auxiliary_num_convs": 0, "auxiliary_channels": 32},
    "other pooling": {"pool_scales": (1, 3)},
    "other taps": {"out_indices": (5, 2, 1, 3)},
    "three taps": {"out_indices": (0, 1, 2, 3)},
    "taps of the original": {"out_indices": (0, 1, 2, 3), "segmentation_taps": "beit"},
    "class token pooling": {"use_mean_pooling": False},
    "another label to ignore": {"semantic_loss_ignore_index": 2},
    "odd grid": {"image_size": 40},
}
#: (height, width) in pixels: native, flat, with pixels beyond the last patch, a single patch.
SIZES = [(32, 32), (16, 56), (51, 30), (8, 8)]
WANTED = {"output_hidden_states": True, "output_attentions": True}
LABELS: dict[str, tuple[int, str | None, torch.Tensor]] = {
    "one class": (5, None, torch.tensor([0, 3, 4])),
    "several classes": (5, None, torch.tensor([[0.0, 1, 0, 1, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 1]])),
    "one number": (1, None, torch.tensor([0.3, -1.0, 2.0])),
    "ignored label": (5, "single_label_classification", torch.tensor([1, -100, 2])),
    "several, said": (5, "multi_label_classification", torch.tensor([[0.0, 1, 0, 1, 0]] * 3)),
    "three numbers": (3, "regression", torch.randn(3, 3, generator=torch.Generator().manual_seed(0))),
}


def pictures(config: Any, size: tuple[int, int], count: int = 2) -> torch.Tensor:
    return torch.randn(count, config.num_channels, *size)


def label_maps(config: Any, size: tuple[int, int], count: int = 2) -> torch.Tensor:
    """A fifth of the labels is to be ignored."""
    labels = torch.randint(0, config.num_labels, (count, *size))
    labels[torch.rand(labels.shape) < 0.2] = config.semantic_loss_ignore_index
    return labels


@pytest.mark.parametrize("options", ENCODERS.values(), ids=ENCODERS)
def test_encoder_states_and_attentions(options: dict[str, Any]) -> None:
    config = PLAIN.replace(**options)
    ours, pytorch = sisters("Model", config, add_pooling_layer=True)
    for size in SIZES:
        pixels = pictures(config, size)
        with torch.no_grad():
            assert_same_result(ours(pixels.numpy(), **WANTED), pytorch(pixels, **WANTED))


def test_masked_patches() -> None:
    ours, pytorch = sisters("Model", PLAIN.replace(use_mask_token=True, use_absolute_position_embeddings=True))
    pixels, is_masked = pictures(PLAIN, (32, 40), 3), torch.rand(3, 20) < 0.5
    with torch.no_grad():
        expected = pytorch(pixels, bool_masked_pos=is_masked)
    assert_same_result(ours(pixels.numpy(), bool_masked_pos=is_masked.numpy()), expected)
    inputs = {"pixel_values": pixels.numpy(), "bool_masked_pos": is_masked.numpy().astype("int32")}
    assert_same_result(ours(inputs), expected)


@pytest.mark.parametrize("pooled_mean", [True, False])
@pytest.mark.parametrize(("classes", "problem", "labels"), LABELS.values(), ids=LABELS)
def test_classifier_and_its_losses(classes: int, problem: str | None, labels: torch.Tensor, pooled_mean: bool) -> None:
    config = TINY.replace(num_labels=classes, problem_type=problem, use_mean_pooling=pooled_mean)
    ours, pytorch = sisters("ForImageClassification", config)
    pixels = pictures(config, (32, 43), 3)
    with torch.no_grad():
        expected = pytorch(pixels, labels=labels, **WANTED)
    result = ours(pixels.numpy(), labels=labels.numpy(), **WANTED)
    assert_same_result(result, expected)
    assert result.loss.shape == ()  # in transformers 4.x, a vector


def test_classifier_without_classes() -> None:
    ours, pytorch = sisters("ForImageClassification", TINY.replace(num_labels=0))
    pixels = pictures(TINY, (32, 32))
    with torch.no_grad():
        assert_same_result(ours(pixels.numpy()), pytorch(pixels))


@pytest.mark.parametrize("options", SEGMENTERS.values(), ids=SEGMENTERS)
def test_segmenter_and_its_loss(options: dict[str, Any]) -> None:
    config = TINY.replace(**options)
    ours, pytorch = sisters("ForSemanticSegmentation", config)
    for size in (config.image_size_pair, (43, 25)):
        pixels, labels = pictures(config, size), label_maps(config, (37, 50))
        with torch.no_grad():
            result = ours(pixels.numpy(), labels=labels.numpy(), **WANTED)
            assert_same_result(result, pytorch(pixels, labels=labels, **WANTED))
        assert result.loss.shape == ()


def test_segmenter_runs_no_block_that_nobody_looks_at() -> None:
    ours, pytorch = sisters("ForSemanticSegmentation", TINY.replace(out_indices=(0, 1, 2, 3)))
    for size in ((16, 56), (8, 8)):
        pixels = pictures(TINY, size)
        with torch.no_grad():
            assert_same_result(ours(pixels.numpy()), pytorch(pixels))


def test_segmenter_of_one_class() -> None:
    ours, pytorch = sisters("ForSemanticSegmentation", TINY.replace(num_labels=1))
    pixels = pictures(TINY, (32, 32))
    with torch.no_grad():
        assert_same_result(ours(pixels.numpy()), pytorch(pixels))
    with pytest.raises(ValueError, match="a loss needs at least two classes, num_labels is 1"):
        ours(pixels.numpy(), labels=np.zeros((2, 32, 32), int))


def gradients(ours: Any, loss: Any, tape: Any) -> dict[str, Any]:
    """By PyTorch's name, with PyTorch's axes."""
    named = {name: weight for name, weight in named_weights(ours) if weight.trainable}
    found = tape.gradient(loss, [weight.value for weight in named.values()])
    return {
        name: None if gradient is None else from_keras(weight.name, tf.convert_to_tensor(gradient).numpy())
        for (name, weight), gradient in zip(named.items(), found, strict=True)
    }


#: Batch norm by batch statistics takes a constant away, so that these biases have no influence in training.
NO_INFLUENCE = ("pyramid.fourfold.0.bias", "pyramid.fourfold.3.bias", "pyramid.twofold.0.bias")


@pytest.mark.parametrize("task", ["ForImageClassification", "ForSemanticSegmentation"])
def test_a_training_step(task: str) -> None:
    """Results, gradients of every weight, and the running statistics that the step leaves."""
    config = TINY.replace(drop_path_rate=0.0, use_shared_relative_position_bias=True, auxiliary_concat_input=True)
    ours, pytorch = sisters(task, config)
    pixels = pictures(config, (40, 32), 5)
    labels = torch.tensor([4, 1, 0, 0, 2]) if task == "ForImageClassification" else label_maps(config, (37, 50), 5)
    expected = pytorch.train()(pixels, labels=labels)
    expected.loss.backward()
    with tf.GradientTape() as tape:
        result = ours(pixels.numpy(), labels=labels.numpy(), training=True)
    assert_same_result(result, expected)
    found = gradients(ours, result.loss, tape)
    parameters = dict(pytorch.named_parameters())
    assert sorted(found) == sorted(parameters)
    largest = max(parameter.grad.abs().max().item() for parameter in parameters.values() if parameter.grad is not None)
    for name, parameter in parameters.items():
        assert (found[name] is None) == (parameter.grad is None), name
        if parameter.grad is None:
            continue
        if name in NO_INFLUENCE:
            assert np.abs(found[name]).max() <= END_TO_END * largest, name
        else:
            assert_close(found[name], parameter.grad, END_TO_END, name)
    state = pytorch.state_dict()
    for name, weight in named_weights(ours):
        if not weight.trainable:
            assert_close(weight, state[name], COMPONENT, name)


def test_dropout_and_dropped_paths_act_in_training_only() -> None:
    config = TINY.replace(hidden_dropout_prob=0.3, attention_probs_dropout_prob=0.3, drop_path_rate=0.5)
    ours, _ = sisters("ForImageClassification", config)
    pixels = pictures(config, (32, 32), 8).numpy()
    once, again = (ours(pixels, training=True).logits for _ in range(2))
    assert np.abs(once - again).max() > 1e-3
    np.testing.assert_array_equal(ours(pixels).logits, ours(pixels, training=False).logits)


def test_a_dropped_path_leaves_whole_items_as_they_are() -> None:
    config = TINY.replace(drop_path_rate=0.5, num_hidden_layers=2)
    ours, _ = sisters("Model", config)
    states = ours(pictures(config, (16, 16), 40).numpy(), output_hidden_states=True, training=True).hidden_states
    changed = np.abs(array(states[2]) - array(states[1])).max(axis=(1, 2)) > 0
    # the last block drops each of its two branches half of the time, so that a quarter of the items pass unchanged
    assert 0 < (~changed).sum() < 25
    assert (np.abs(array(states[1]) - array(states[0])).max(axis=(1, 2)) > 0).all()  # the first block drops nothing


def test_everything_dropped() -> None:
    ours, _ = sisters("Model", TINY.replace(drop_path_rate=1.0, num_hidden_layers=2))
    states = ours(pictures(TINY, (16, 16)).numpy(), output_hidden_states=True, training=True).hidden_states
    np.testing.assert_array_equal(states[2], states[1])


def test_flags_of_the_configuration_and_plain_tuples() -> None:
    ours, pytorch = sisters("ForImageClassification", TINY.replace(output_hidden_states=True))
    pixels = pictures(TINY, (32, 32))
    with torch.no_grad():
        expected = pytorch(pixels, return_dict=False, output_attentions=True)
    found = ours(pixels.numpy(), return_dict=False, output_attentions=True)
    assert_close(found, expected, COMPONENT * 10)
    assert "hidden_states" not in ours(pixels.numpy(), output_hidden_states=False)


def test_interpolation_flag_changes_nothing() -> None:
    ours, _ = sisters("Model", TINY.replace(use_absolute_position_embeddings=True))
    pixels = pictures(TINY, (48, 24)).numpy()
    with_flag = ours(pixels, interpolate_pos_encoding=True).last_hidden_state
    np.testing.assert_array_equal(with_flag, ours(pixels).last_hidden_state)


def test_an_entry_that_is_not_there_reads_as_none() -> None:
    result = TFData2VecVisionModel(TINY)(pictures(TINY, (32, 32)).numpy())
    assert result.pooler_output is None
    with pytest.raises(AttributeError, match="no field 'logit'"):
        result.logit  # noqa: B018


@pytest.mark.parametrize(
    ("pixels", "complaint"),
    [
        (np.zeros((2, 1, 32, 32)), r"expected \(batch, 3, height, width\), got \(2, 1, 32, 32\)"),
        (np.zeros((2, 32, 32, 3)), r"expected \(batch, 3, height, width\)"),
        (np.zeros((3, 32, 32)), r"expected \(batch, 3, height, width\), got \(3, 32, 32\)"),
        (np.zeros((2, 3, 7, 32)), r"\(7, 32\) pixels hold no patch of \(8, 8\)"),
        ({"pixels": np.zeros((2, 3, 32, 32))}, r"expected pixel_values, .* got \['pixels'\]"),
        ({"pixel_values": np.zeros((2, 3, 32, 32)), "label": np.zeros(2)}, "got .*'label'"),
    ],
)
def test_wrong_pictures(pixels: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        TFData2VecVisionForImageClassification(TINY)(pixels)


def test_wrong_masks() -> None:
    pixels = np.zeros((2, 3, 32, 32), np.float32)
    with pytest.raises(ValueError, match="needs a model with a mask token"):
        TFData2VecVisionModel(TINY)(pixels, bool_masked_pos=np.zeros((2, 16), bool))
    with pytest.raises(ValueError, match=r"expected \(batch, patches\) = \(2, 16\), got \(2, 9\)"):
        TFData2VecVisionModel(TINY.replace(use_mask_token=True))(pixels, bool_masked_pos=np.zeros((2, 9), bool))


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        (np.array([0, 5]), "expected ids from 0 to 4"),
        (np.array([0, -1]), "expected ids from 0 to 4"),
        (np.array([0, 1, 2]), "expected 2 class ids, got 3"),
        (np.zeros((2, 4), np.float32), r"expected the shape \(2, 5\), got \(2, 4\)"),
    ],
)
def test_wrong_labels(labels: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        TFData2VecVisionForImageClassification(TINY)(np.zeros((2, 3, 32, 32), np.float32), labels=labels)


def test_wrong_label_maps() -> None:
    model, pixels = sisters("ForSemanticSegmentation", TINY)[0], np.zeros((2, 3, 32, 32), np.float32)
    with pytest.raises(ValueError, match=r"labels: expected \(2, height, width\), got \(2, 32\)"):
        model(pixels, labels=np.zeros((2, 32), int))
    with pytest.raises(ValueError, match="expected ids from 0 to 4"):
        model(pixels, labels=np.full((2, 32, 32), 9))
