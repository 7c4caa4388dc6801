"""Keras layers that have their weights as soon as they are made, as PyTorch's modules do: so a model can be loaded and
saved before it has seen a picture. And a batch norm that keeps PyTorch's statistics."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


def linear(in_dim: int, out_dim: int, *, spread: float, bias: bool = True) -> keras.layers.Dense:
    """`torch.nn.Linear`; weights drawn from N(0, spread), biases 0."""
    layer = keras.layers.Dense(out_dim, use_bias=bias, kernel_initializer=_normal(spread))
    return _built(layer, (None, in_dim))


def layer_norm(dim: int, eps: float) -> keras.layers.LayerNormalization:
    """`torch.nn.LayerNorm` over the last axis."""
    return _built(keras.layers.LayerNormalization(epsilon=eps), (None, dim))


def convolution(
    in_channels: int,
    out_channels: int,
    size: int | tuple[int, int],
    *,
    spread: float,
    stride: int | tuple[int, int] = 1,
    keeps_size: bool = False,
    bias: bool = True,
) -> keras.layers.Conv2D:
    """`torch.nn.Conv2d`, channels last.

    Args:
        keeps_size: pad with zeros so that the result has the size of the map (of an odd `size`).
    """
    layer = keras.layers.Conv2D(
        out_channels,
        size,
        strides=stride,
        padding="same" if keeps_size else "valid",
        use_bias=bias,
        kernel_initializer=_normal(spread),
    )
    return _built(layer, (None, None, None, in_channels))


def doubling_convolution(dim: int, *, spread: float) -> keras.layers.Conv2DTranspose:
    """`torch.nn.ConvTranspose2d` of size and stride 2, channels last: every place becomes 2 x 2."""
    layer = keras.layers.Conv2DTranspose(dim, 2, strides=2, padding="valid", kernel_initializer=_normal(spread))
    return _built(layer, (None, None, None, dim))


class BatchNorm(keras.layers.Layer):
    """`torch.nn.BatchNorm2d`, channels last.

    Keras's own keeps the variance of a batch as it is; PyTorch keeps the unbiased one, divided by one value less. So
    their running statistics, and what the model says after training, would drift apart.
    """

    MOMENTUM = 0.1
    """Weight of a new batch in the running statistics."""
    EPSILON = 1e-5

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = self.add_weight(shape=(channels,), initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=(channels,), initializer="zeros", name="beta")
        self.moving_mean = self.add_weight(
            shape=(channels,), initializer="zeros", name="moving_mean", trainable=False, autocast=False
        )
        self.moving_variance = self.add_weight(
            shape=(channels,), initializer="ones", name="moving_variance", trainable=False, autocast=False
        )
        self.num_batches_tracked = self.add_weight(
            shape=(), initializer="zeros", name="num_batches_tracked", dtype="int64", trainable=False
        )
        self.built = True

    def call(self, maps: Any, training: bool | None = None) -> Any:
        """(batch, rows, columns, channels) -> the same. Where the layer is frozen, by the running statistics always, as
        Keras has it."""
        values = tf.cast(maps, tf.float32)
        if training and self.trainable:
            mean, variance = tf.nn.moments(values, axes=(0, 1, 2))
            self._keep(mean, variance, tf.size(values) // tf.shape(values)[-1])
        else:
            mean, variance = self.moving_mean, self.moving_variance
        normed = tf.nn.batch_normalization(values, mean, variance, self.beta, self.gamma, self.EPSILON)
        return tf.cast(normed, maps.dtype)

    def _keep(self, mean: Any, variance: Any, count: Any) -> None:
        count = tf.cast(count, tf.float32)
        unbiased = variance * count / tf.maximum(count - 1, 1.0)  # one value has no variance to keep
        for kept, new in ((self.moving_mean, mean), (self.moving_variance, unbiased)):
            kept.assign(kept + self.MOMENTUM * (new - kept))
        self.num_batches_tracked.assign(self.num_batches_tracked + 1)


def _normal(spread: float) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=spread)


def _built(layer: Any, shape: tuple[int | None, ...]) -> Any:
    layer.build(shape)
    return layer
