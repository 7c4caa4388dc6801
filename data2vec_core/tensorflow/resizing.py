"""Maps at another size, by PyTorch's rules: bilinear, bicubic, and means of regions.

Each of them is a matrix along the rows and one along the columns. TensorFlow's own functions will not do: its bicubic
filter has another constant (-0.5, where PyTorch has -0.75) and other borders, and it has no adaptive pooling.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Size = Any
"""Number of rows or columns: an int, or an integer tensor where a graph leaves it open."""
Weights = Callable[[Size, Size], Any]
"""Given how many places there are and how many are wanted: (wanted, there), what each wanted one takes of each."""

_CUBIC = -0.75
"""PyTorch's constant of the cubic filter (Keys, 1981)."""


def bilinear(there: Size, wanted: Size) -> Any:
    """Between the two nearest places; beyond the outermost ones, those."""
    position = tf.clip_by_value(_centres(there, wanted), 0.0, tf.cast(there - 1, tf.float32))
    return tf.nn.relu(1.0 - tf.abs(position[:, None] - _places(there)[None, :]))


def bicubic(there: Size, wanted: Size) -> Any:
    """Cubic convolution of the four nearest places; the outermost ones stand for those beyond."""
    position = _centres(there, wanted)
    before = tf.floor(position)
    weights = tf.zeros((wanted, there))
    for step in (-1, 0, 1, 2):
        place = tf.clip_by_value(tf.cast(before, tf.int32) + step, 0, there - 1)
        share = _cubic(tf.abs(position - before - step))
        weights += share[:, None] * tf.one_hot(place, there)
    return weights


def region_means(there: Size, wanted: Size) -> Any:
    """Means over regions that together cover everything and overlap where the numbers do not divide (PyTorch's adaptive
    average pooling)."""
    region = tf.range(wanted)[:, None]
    start, end = region * there // wanted, ((region + 1) * there + wanted - 1) // wanted
    place = tf.range(there)[None, :]
    is_inside = tf.cast((place >= start) & (place < end), tf.float32)
    return is_inside / tf.cast(end - start, tf.float32)


def resize(maps: Any, size: tuple[Size, Size], weights: Weights = bilinear) -> Any:
    """(batch, rows, columns, channels) -> the same with `size` (rows, columns)."""
    there = tf.unstack(tf.shape(maps)[1:3])
    there = [static or dynamic for static, dynamic in zip(maps.shape[1:3], there, strict=True)]
    down, across = (tf.cast(weights(*sides), maps.dtype) for sides in zip(there, size, strict=True))
    return tf.einsum("Cc,bRcd->bRCd", across, tf.einsum("Rr,brcd->bRcd", down, maps))


def _centres(there: Size, wanted: Size) -> Any:
    """(wanted,): the middle of each wanted place, counted in those that are there."""
    scale = tf.cast(there, tf.float32) / tf.cast(wanted, tf.float32)
    return (_places(wanted) + 0.5) * scale - 0.5


def _places(count: Size) -> Any:
    return tf.cast(tf.range(count), tf.float32)


def _cubic(distance: Any) -> Any:
    near = ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance * distance + 1
    far = ((_CUBIC * distance - 5 * _CUBIC) * distance + 8 * _CUBIC) * distance - 4 * _CUBIC
    return tf.where(distance <= 1, near, far)
