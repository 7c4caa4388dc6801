"""From four feature maps to class maps in TensorFlow; see `data2vec_core.vision.segmentation_heads`. Everything here is
channels-last: (batch, rows, columns, channels)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from data2vec_core.config import Data2VecVisionConfig
from data2vec_core.tensorflow.activations import ACTIVATIONS
from data2vec_core.tensorflow.layers import BatchNorm, convolution, doubling_convolution
from data2vec_core.tensorflow.resizing import region_means, resize
from data2vec_core.vision.segmentation_heads import auxiliary_widths


class ConvNormReLU(keras.layers.Layer):
    """Convolution that keeps the size, batch norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, size: int, *, spread: float) -> None:
        super().__init__()
        self.convolution = convolution(in_channels, out_channels, size, spread=spread, keeps_size=True, bias=False)
        self.normalization = BatchNorm(out_channels)
        self.built = True

    def call(self, maps: Any, training: bool | None = None) -> Any:
        return tf.nn.relu(self.normalization(self.convolution(maps), training=training))


class FeaturePyramid(keras.layers.Layer):
    """Four levels, at 4, 2, 1 and 1/2 times the patch grid, from hidden states that all have the grid's size."""

    def __init__(self, config: Data2VecVisionConfig) -> None:
        super().__init__()
        dim, spread = config.hidden_size, config.initializer_range
        self.fourfold = [
            doubling_convolution(dim, spread=spread),
            BatchNorm(dim),
            keras.layers.Activation(ACTIVATIONS["gelu"]),
            doubling_convolution(dim, spread=spread),
        ]
        self.twofold = [doubling_convolution(dim, spread=spread)]
        self.built = True

    def call(self, maps: Sequence[Any], training: bool | None = None) -> list[Any]:
        """Three or four maps (batch, rows, columns, dim), from an early block to a late one -> as many levels."""
        enlarge, norm, activation, enlarge_again = self.fourfold
        fourfold = enlarge_again(activation(norm(enlarge(maps[0]), training=training)))
        return [fourfold, self.twofold[0](maps[1]), maps[2], *(_halved(one) for one in maps[3:])]


def _halved(maps: Any) -> Any:
    """Largest value of every 2 x 2 patches; a side of one patch stays one, of an odd number the last is left out."""
    pooled = tf.nn.max_pool2d(maps, 2, 2, "SAME")  # one too many of an odd side
    rows, columns = (tf.maximum(side // 2, 1) for side in _size(maps))
    return pooled[:, :rows, :columns]


class UPerHead(keras.layers.Layer):
    """Decode head: pyramid pooling of the coarsest level, a top-down path, and a classifier of all levels together."""

    def __init__(self, config: Data2VecVisionConfig) -> None:
        super().__init__()
        dim, scales, spread = config.hidden_size, config.pool_scales, config.initializer_range
        self._scales = scales
        self.psp_branches = [ConvNormReLU(dim, dim, 1, spread=spread) for _ in scales]
        self.psp_bottleneck = ConvNormReLU(dim * (1 + len(scales)), dim, 3, spread=spread)
        self.lateral_convs = [ConvNormReLU(dim, dim, 1, spread=spread) for _ in range(3)]
        self.fpn_convs = [ConvNormReLU(dim, dim, 3, spread=spread) for _ in range(3)]
        self.fpn_bottleneck = ConvNormReLU(4 * dim, dim, 3, spread=spread)
        self.classifier = convolution(dim, config.class_count, 1, spread=spread)
        self.built = True

    def call(self, levels: Sequence[Any], training: bool | None = None) -> Any:
        """Levels, finest first -> (batch, rows, columns, classes) at the size of the first."""
        convs = zip(self.lateral_convs, levels, strict=False)
        laterals = [conv(level, training=training) for conv, level in convs]
        laterals.append(self.pool(levels[-1], training))
        for finer in reversed(range(len(laterals) - 1)):
            laterals[finer] = laterals[finer] + resize(laterals[finer + 1], _size(laterals[finer]))
        convs = zip(self.fpn_convs, laterals, strict=False)
        smoothed = [conv(lateral, training=training) for conv, lateral in convs]
        smoothed.append(laterals[-1])
        size = _size(smoothed[0])
        together = tf.concat([smoothed[0], *(resize(level, size) for level in smoothed[1:])], axis=-1)
        return self.classifier(self.fpn_bottleneck(together, training=training))

    def pool(self, coarsest: Any, training: bool | None = None) -> Any:
        """Pyramid pooling: means over s x s regions of the map, for every scale s, beside the map itself.

        Every branch is given the map; in transformers 4.x, each was given what the one before had made of it.
        """
        size = _size(coarsest)
        pooled = [
            resize(branch(resize(coarsest, (scale, scale), region_means), training=training), size)
            for scale, branch in zip(self._scales, self.psp_branches, strict=True)
        ]
        return self.psp_bottleneck(tf.concat([coarsest, *pooled], axis=-1), training=training)


class FCNHead(keras.layers.Layer):
    """Auxiliary head: a few convolutions on the level that has the patch grid's size."""

    def __init__(self, config: Data2VecVisionConfig) -> None:
        super().__init__()
        dim, channels, spread = config.hidden_size, config.auxiliary_channels, config.initializer_range
        widths = auxiliary_widths(config)
        self.convs = [ConvNormReLU(before, channels, 3, spread=spread) for before in widths[:-1]]
        self.conv_cat = (
            ConvNormReLU(dim + channels, channels, 3, spread=spread) if config.auxiliary_concat_input else None
        )
        self.classifier = convolution(channels, config.class_count, 1, spread=spread)
        self.built = True

    def call(self, level: Any, training: bool | None = None) -> Any:
        """(batch, rows, columns, dim) -> (batch, rows, columns, classes)"""
        hidden = level
        for conv in self.convs:
            hidden = conv(hidden, training=training)
        if self.conv_cat is not None:
            hidden = self.conv_cat(tf.concat([level, hidden], axis=-1), training=training)
        return self.classifier(hidden)


def _size(maps: Any) -> tuple[Any, Any]:
    _, rows, columns, _ = keras.ops.shape(maps)
    return rows, columns
