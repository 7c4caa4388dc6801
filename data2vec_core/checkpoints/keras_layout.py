"""How Keras keeps the weights of a layer, beside how PyTorch does: other names, and kernels with their axes the other
way round (data2vec.md 3.5)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_KERNEL = "kernel"
#: Of layers and norms; a weight of any other name (a token, a table, a scale) has it on both sides.
_TORCH_NAMES = {
    _KERNEL: "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
#: By the number of axes of a kernel: which of PyTorch's become Keras's. Linear (out, in) -> (in, out);
#: convolution (out, in, height, width) -> (height, width, in, out);
#: transposed convolution (in, out, height, width) -> (height, width, out, in).
_TO_KERAS = {2: (1, 0), 4: (2, 3, 1, 0)}


def torch_name(keras_name: str) -> str:
    """What PyTorch calls a weight of a layer that Keras calls `kernel`, `gamma`, ..."""
    return _TORCH_NAMES.get(keras_name, keras_name)


def to_keras(keras_name: str, values: Array) -> Array:
    """A tensor of PyTorch's with the axes of the Keras weight of this name."""
    return values.transpose(_TO_KERAS[values.ndim]) if keras_name == _KERNEL else values


def from_keras(keras_name: str, values: Array) -> Array:
    """The way back."""
    if keras_name != _KERNEL:
        return values
    return np.ascontiguousarray(values.transpose(np.argsort(_TO_KERAS[values.ndim])))
