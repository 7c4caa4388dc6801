"""Relative position bias in TensorFlow; see `data2vec_core.vision.relative_position`."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from data2vec_core.tensorflow.resizing import Size, resize
from data2vec_core.vision.relative_position import CLASS_ROWS, distance_count


def relative_position_index(rows: Size, columns: Size) -> Any:
    """Which table row belongs to each (query, key), the class token being position 0.

    Returns:
        (1 + patches, 1 + patches) int32, as of the PyTorch function of this name, for sizes that a graph leaves open
        as well.
    """
    row = tf.repeat(tf.range(rows), columns)  # (patches,)
    column = tf.tile(tf.range(columns), [rows])  # (patches,)
    down = row[:, None] - row[None, :] + rows - 1  # (query, key), 0 to 2 rows - 2
    right = column[:, None] - column[None, :] + columns - 1
    distances = (2 * rows - 1) * (2 * columns - 1)
    of_patches = down * (2 * columns - 1) + right
    asked_by_patches = tf.fill((rows * columns, 1), distances + 1)
    of_class = tf.concat([[distances + 2], tf.fill((rows * columns,), distances)], axis=0)
    return tf.concat([of_class[None], tf.concat([asked_by_patches, of_patches], axis=1)], axis=0)


class RelativePositionBias(keras.layers.Layer):
    """The table of one layer, or of all layers, and the bias that it gives to a grid of patches.

    Args:
        window, heads, true_layout: as of the PyTorch class.
    """

    def __init__(self, window: tuple[int, int], heads: int, *, true_layout: bool = False) -> None:
        super().__init__()
        rows = distance_count(*window) + CLASS_ROWS
        self.table = self.add_weight(shape=(rows, heads), initializer="zeros", name="table")
        layout = (2 * window[0] - 1, 2 * window[1] - 1)
        self._layout = layout if true_layout else layout[::-1]
        self.built = True

    def call(self, grid: tuple[Size, Size], index: Any) -> Any:
        """What to add to the scores of images of `grid` (rows, columns) patches: (1, heads, query, key).

        Args:
            index: `relative_position_index` of the grid, which is the same for all layers.
        """
        table = tf.convert_to_tensor(self.table)
        distances, of_class = table[:-CLASS_ROWS], table[-CLASS_ROWS:]
        heads = table.shape[1]
        as_map = tf.reshape(distances, (1, *self._layout, heads))
        resized = resize(as_map, (2 * grid[0] - 1, 2 * grid[1] - 1))  # leaves one of that layout as it is
        rows = tf.concat([tf.reshape(resized, (-1, heads)), of_class], axis=0)
        bias = tf.gather(rows, index)  # (query, key, heads)
        return tf.transpose(bias, (2, 0, 1))[None]
