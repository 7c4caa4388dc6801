"""The parts that TensorFlow does not have in PyTorch's form: resizing, position bias, activations, batch norm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import torch
from torch.nn import functional as F

from data2vec_core.activations import ACTIVATIONS as PYTORCH_ACTIVATIONS
from data2vec_core.tensorflow.activations import ACTIVATIONS
from data2vec_core.tensorflow.layers import BatchNorm
from data2vec_core.tensorflow.relative_position import RelativePositionBias, relative_position_index
from data2vec_core.tensorflow.resizing import Weights, bicubic, bilinear, region_means, resize
from data2vec_core.vision.relative_position import RelativePositionBias as PyTorchBias
from data2vec_core.vision.relative_position import relative_position_index as pytorch_index
from tests.tensorflow.sisters import COMPONENT, assert_close

SIZES = [
    ((4, 4), (4, 4)),
    ((4, 4), (16, 16)),
    ((7, 5), (3, 11)),
    ((1, 1), (5, 3)),
    ((14, 9), (1, 1)),
    ((2, 3), (37, 50)),
]
RESIZINGS: dict[str, tuple[Weights, Any]] = {
    "bilinear": (bilinear, lambda maps, size: F.interpolate(maps, size=size, mode="bilinear", align_corners=False)),
    "bicubic": (bicubic, lambda maps, size: F.interpolate(maps, size=size, mode="bicubic", align_corners=False)),
    "means of regions": (region_means, F.adaptive_avg_pool2d),
}


@pytest.mark.parametrize("kind", RESIZINGS)
@pytest.mark.parametrize(("there", "wanted"), SIZES, ids=str)
def test_resizing(there: tuple[int, int], wanted: tuple[int, int], kind: str) -> None:
    weights, pytorch = RESIZINGS[kind]
    maps = torch.randn(2, 3, *there)
    expected = pytorch(maps, wanted).permute(0, 2, 3, 1)
    channels_last = maps.permute(0, 2, 3, 1).numpy()
    assert_close(resize(tf.constant(channels_last), wanted, weights), expected, COMPONENT)


@pytest.mark.parametrize("kind", RESIZINGS)
def test_resizing_where_a_graph_leaves_the_sizes_open(kind: str) -> None:
    weights, _ = RESIZINGS[kind]

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3)), tf.TensorSpec((2,), tf.int32)])
    def with_open_sizes(values: Any, size: Any) -> Any:
        return resize(values, (size[0], size[1]), weights)

    for there, wanted in SIZES:
        maps = tf.random.normal((2, *there, 3))
        assert_close(with_open_sizes(maps, wanted), resize(maps, wanted, weights), COMPONENT)


@pytest.mark.parametrize("grid", [(1, 1), (2, 2), (3, 5), (7, 4)], ids=str)
def test_index_of_relative_positions(grid: tuple[int, int]) -> None:
    np.testing.assert_array_equal(relative_position_index(*grid), pytorch_index(*grid).numpy())


@pytest.mark.parametrize("true_layout", [False, True])
@pytest.mark.parametrize("window", [(4, 4), (3, 5), (6, 2)], ids=str)
@pytest.mark.parametrize("grid", [(4, 4), (3, 5), (2, 7), (1, 1)], ids=str)
def test_relative_position_bias(window: tuple[int, int], grid: tuple[int, int], true_layout: bool) -> None:
    expected = PyTorchBias(window, 4, true_layout=true_layout)
    torch.nn.init.normal_(expected.table)
    ours = RelativePositionBias(window, 4, true_layout=true_layout)
    ours.table.assign(expected.table.detach().numpy())
    assert_close(ours(grid=grid, index=relative_position_index(*grid)), expected(grid), COMPONENT)


def test_every_activation_is_there() -> None:
    assert list(ACTIVATIONS) == list(PYTORCH_ACTIVATIONS)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name: str) -> None:
    values = torch.cat([torch.linspace(-14, 14, 561), torch.tensor([0.0])])
    assert_close(ACTIVATIONS[name](tf.constant(values.numpy())), PYTORCH_ACTIVATIONS[name](values), COMPONENT)


def test_batch_norm_keeps_the_statistics_of_pytorch() -> None:
    ours, expected = BatchNorm(3), torch.nn.BatchNorm2d(3)
    for _ in range(3):
        maps = torch.randn(4, 3, 2, 5) * 3 + 1
        result = ours(tf.constant(maps.permute(0, 2, 3, 1).numpy()), training=True)
        assert_close(result, expected(maps).permute(0, 2, 3, 1), COMPONENT)
    assert_close(ours.moving_mean, expected.running_mean, COMPONENT)
    assert_close(ours.moving_variance, expected.running_var, COMPONENT)
    assert int(ours.num_batches_tracked) == int(expected.num_batches_tracked) == 3  # type: ignore[arg-type]


def test_a_frozen_batch_norm_learns_nothing() -> None:
    layer = BatchNorm(2)
    layer.trainable = False
    maps = tf.random.normal((4, 3, 3, 2)) + 5
    np.testing.assert_allclose(layer(maps, training=True), maps, rtol=1e-4)
    np.testing.assert_array_equal(layer.moving_mean, [0, 0])
