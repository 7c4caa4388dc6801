"""From pixels to the transformer's input in TensorFlow; see `data2vec_core.vision.embeddings`."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from data2vec_core.config import Data2VecVisionConfig
from data2vec_core.tensorflow.layers import convolution
from data2vec_core.tensorflow.resizing import Size, bicubic, resize


class VisionEmbeddings(keras.layers.Layer):
    """Project patches, put the mask token over masked ones, prepend the class token, add positions."""

    def __init__(self, config: Data2VecVisionConfig) -> None:
        super().__init__()
        dim, patch, grid = config.hidden_size, config.patch_size_pair, config.grid_size
        self._channels, self._patch_size, self._grid_size = config.num_channels, patch, grid
        self.patch_projection = convolution(
            config.num_channels, dim, patch, stride=patch, spread=config.initializer_range
        )
        self.cls_token = self._zeros((1, 1, dim), "cls_token")
        self.mask_token = self._zeros((1, 1, dim), "mask_token") if config.use_mask_token else None
        self.position_embeddings = (
            self._zeros((1, 1 + grid[0] * grid[1], dim), "position_embeddings")
            if config.use_absolute_position_embeddings
            else None
        )
        self.dropout = keras.layers.Dropout(config.hidden_dropout_prob)
        self.built = True

    def call(
        self, pixel_values: Any, bool_masked_pos: Any = None, training: bool | None = None
    ) -> tuple[Any, tuple[Size, Size]]:
        """Embed images of any size of at least one patch; pixels beyond the last whole patch are dropped.

        Args:
            pixel_values: (batch, channels, height, width).
            bool_masked_pos: (batch, patches), True or 1 where the mask token replaces a patch, in row-major order.

        Returns:
            (batch, 1 + patches, dim), and the grid (rows, columns) that the patches form.

        Raises:
            ValueError: images or mask of a wrong shape, or a mask for a model without a mask token.
        """
        self._check_pixels(tuple(pixel_values.shape))
        channels_last = tf.transpose(tf.cast(pixel_values, self.compute_dtype), (0, 2, 3, 1))
        maps = self.patch_projection(channels_last)  # (batch, rows, columns, dim)
        batch, rows, columns, dim = keras.ops.shape(maps)
        hidden = tf.reshape(maps, (batch, rows * columns, dim))
        of_class = tf.convert_to_tensor(self.cls_token)
        if bool_masked_pos is not None:
            hidden = self._masked(hidden, bool_masked_pos)
        if self.position_embeddings is not None:
            positions = self._positions((rows, columns))
            hidden, of_class = hidden + positions[:, 1:], of_class + positions[:, :1]
        hidden = tf.concat([tf.repeat(of_class, batch, axis=0), hidden], axis=1)
        return self.dropout(hidden, training=training), (rows, columns)

    def _positions(self, grid: tuple[Size, Size]) -> Any:
        """(1, 1 + patches, dim): the position table, resized by bicubic interpolation when the grid is another one."""
        table = tf.convert_to_tensor(self.position_embeddings)
        as_map = tf.reshape(table[:, 1:], (1, *self._grid_size, table.shape[-1]))
        resized = resize(as_map, grid, bicubic)  # leaves one of that size as it is
        return tf.concat([table[:, :1], tf.reshape(resized, (1, grid[0] * grid[1], table.shape[-1]))], axis=1)

    def _masked(self, hidden: Any, bool_masked_pos: Any) -> Any:
        if self.mask_token is None:
            raise ValueError(
                "bool_masked_pos needs a model with a mask token: use_mask_token=True in its configuration"
            )
        if not hidden.shape[:2].is_compatible_with(bool_masked_pos.shape):
            raise ValueError(
                f"bool_masked_pos: expected (batch, patches) = {tuple(hidden.shape[:2])}, "
                f"got {tuple(bool_masked_pos.shape)}"
            )
        return tf.where(tf.cast(bool_masked_pos, tf.bool)[..., None], tf.convert_to_tensor(self.mask_token), hidden)

    def _check_pixels(self, shape: tuple[int | None, ...]) -> None:
        """Sides that a graph leaves open are checked by the convolution."""
        if len(shape) != 4 or shape[1] not in (None, self._channels):
            raise ValueError(f"pixel_values: expected (batch, {self._channels}, height, width), got {shape}")
        if any(side is not None and side < least for side, least in zip(shape[2:], self._patch_size, strict=True)):
            raise ValueError(f"pixel_values: {shape[2:]} pixels hold no patch of {self._patch_size}")

    def _zeros(self, shape: tuple[int, ...], name: str) -> Any:
        return self.add_weight(shape=shape, initializer="zeros", name=name)
