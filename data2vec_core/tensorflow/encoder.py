"""The transformer blocks of the vision encoder in TensorFlow; see `data2vec_core.transformer` and `vision.block`.

The layers have the attribute names of the PyTorch modules, by which their weights are exchanged (`weights`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf

from data2vec_core.config import Data2VecVisionConfig
from data2vec_core.tensorflow.activations import ACTIVATIONS
from data2vec_core.tensorflow.layers import layer_norm, linear
from data2vec_core.tensorflow.relative_position import RelativePositionBias, relative_position_index
from data2vec_core.tensorflow.resizing import Size
from data2vec_core.vision.block import drop_path_rates


@dataclass
class Record:
    """What a pass through the encoder leaves behind."""

    states: list[Any] = field(default_factory=list)
    """(batch, 1 + patches, dim) each: the first block's input, then every block's output."""
    attentions: list[Any] | None = None
    """(batch, heads, query, key) of every block, where they are asked for."""


class Attention(keras.layers.Layer):
    """Multi-head attention; the key projection has no bias."""

    def __init__(self, config: Data2VecVisionConfig) -> None:
        super().__init__()
        dim, spread = config.hidden_size, config.initializer_range
        self._heads = config.num_attention_heads
        self._head_dim = dim // self._heads
        self.query = linear(dim, dim, spread=spread)
        self.key = linear(dim, dim, spread=spread, bias=False)
        self.value = linear(dim, dim, spread=spread)
        self.output_projection = linear(dim, dim, spread=spread)
        self.dropout = keras.layers.Dropout(config.attention_probs_dropout_prob)
        self.built = True

    def call(self, hidden: Any, bias: Any = None, training: bool | None = None) -> tuple[Any, Any]:
        """Mix positions.

        Args:
            hidden: (batch, positions, dim).
            bias: added to the scores, broadcastable to (batch, heads, query, key).

        Returns:
            (batch, positions, dim), and the probabilities (batch, heads, query, key) that mixed them.
        """
        query, key, value = (self._split(part(hidden)) for part in (self.query, self.key, self.value))
        scores = tf.matmul(query, key, transpose_b=True) * self._head_dim**-0.5
        if bias is not None:
            scores = scores + tf.cast(bias, scores.dtype)
        probabilities = self.dropout(tf.nn.softmax(scores), training=training)
        mixed = tf.transpose(tf.matmul(probabilities, value), (0, 2, 1, 3))  # (batch, positions, heads, head_dim)
        return self.output_projection(tf.reshape(mixed, tf.shape(hidden))), probabilities

    def _split(self, projected: Any) -> Any:
        """(batch, positions, dim) -> (batch, heads, positions, head_dim)"""
        batch, positions, _ = keras.ops.shape(projected)
        split = tf.reshape(projected, (batch, positions, self._heads, self._head_dim))
        return tf.transpose(split, (0, 2, 1, 3))


class FeedForward(keras.layers.Layer):
    """Two linear layers with an activation between; applied at each position alone."""

    def __init__(self, config: Data2VecVisionConfig) -> None:
        super().__init__()
        dim, inner, spread = config.hidden_size, config.intermediate_size, config.initializer_range
        self.up = linear(dim, inner, spread=spread)
        self._activation = ACTIVATIONS[config.hidden_act]
        self.down = linear(inner, dim, spread=spread)
        self.built = True

    def call(self, hidden: Any) -> Any:
        """(batch, positions, dim) -> the same"""
        return self.down(self._activation(self.up(hidden)))


class VisionBlock(keras.layers.Layer):
    """Attention and feed-forward layer, each normed before, scaled, and at times dropped; and maybe a position bias."""

    def __init__(self, config: Data2VecVisionConfig, *, drop_path: float) -> None:
        super().__init__()
        dim, start = config.hidden_size, config.layer_scale_init_value
        self.attention = Attention(config)
        self.attention_norm = layer_norm(dim, config.layer_norm_eps)
        self.feed_forward = FeedForward(config)
        self.feed_forward_norm = layer_norm(dim, config.layer_norm_eps)
        self.dropout = keras.layers.Dropout(config.hidden_dropout_prob)
        self.drop_path = keras.layers.Dropout(drop_path, noise_shape=(None, 1, 1))  # whole items: stochastic depth
        self.attention_scale = self._scale("attention_scale", start) if start > 0 else None
        self.feed_forward_scale = self._scale("feed_forward_scale", start) if start > 0 else None
        self.relative_position_bias = _bias(config) if config.use_relative_position_bias else None
        self.built = True

    def call(
        self,
        hidden: Any,
        grid: tuple[Size, Size],
        index: Any = None,
        bias: Any = None,
        training: bool | None = None,
    ) -> tuple[Any, Any]:
        """Run the block.

        Args:
            hidden: (batch, 1 + patches, dim).
            grid: (rows, columns) of patches.
            index: see `RelativePositionBias`; needed where the block has one.
            bias: the one that all blocks share.

        Returns:
            (batch, 1 + patches, dim), and the attention probabilities (batch, heads, query, key).
        """
        if self.relative_position_bias is not None:
            own = self.relative_position_bias(grid=grid, index=index)
            bias = own if bias is None else bias + own
        mixed, probabilities = self.attention(self.attention_norm(hidden), bias=bias, training=training)
        hidden = self._added(hidden, mixed, self.attention_scale, training)
        fed = self.feed_forward(self.feed_forward_norm(hidden))
        return self._added(hidden, fed, self.feed_forward_scale, training), probabilities

    def _added(self, hidden: Any, branch: Any, scale: Any, training: bool | None) -> Any:
        branch = self.dropout(branch, training=training)
        if scale is not None:
            branch = branch * tf.cast(scale, branch.dtype)
        return hidden + self.drop_path(branch, training=training)

    def _scale(self, name: str, start: float) -> Any:
        dim = self.attention_norm.gamma.shape
        return self.add_weight(shape=dim, initializer=keras.initializers.Constant(start), name=name)


class VisionEncoder(keras.layers.Layer):
    """The blocks, and the position bias that they share where the configuration asks for one."""

    def __init__(self, config: Data2VecVisionConfig) -> None:
        super().__init__()
        rates = drop_path_rates(config.drop_path_rate, config.num_hidden_layers)
        self.layers = [VisionBlock(config, drop_path=rate) for rate in rates]
        self.relative_position_bias = _bias(config) if config.use_shared_relative_position_bias else None
        self._has_bias = config.use_relative_position_bias or config.use_shared_relative_position_bias
        self.built = True

    def call(
        self,
        hidden: Any,
        grid: tuple[Size, Size],
        blocks: int | None = None,
        keeps_attentions: bool = False,
        training: bool | None = None,
    ) -> Record:
        """Run the blocks one after another.

        Args:
            hidden: (batch, 1 + patches, dim).
            grid: (rows, columns) of patches.
            blocks: how many of them, from the first on; all when None.
            keeps_attentions: whether the record shall hold attentions.
        """
        index = relative_position_index(*grid) if self._has_bias else None
        bias = None if self.relative_position_bias is None else self.relative_position_bias(grid=grid, index=index)
        record = Record([hidden], [] if keeps_attentions else None)
        for block in self.layers[:blocks]:
            hidden, probabilities = block(hidden, grid=grid, index=index, bias=bias, training=training)
            record.states.append(hidden)
            if record.attentions is not None:
                record.attentions.append(probabilities)
        return record


def _bias(config: Data2VecVisionConfig) -> RelativePositionBias:
    return RelativePositionBias(config.grid_size, config.num_attention_heads, true_layout=config.fix_non_square_bias)
