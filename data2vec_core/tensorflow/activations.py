"""The activations that public configurations name, by the names of `data2vec_core.activations`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf

Activation = Callable[[Any], Any]

_gelu: Activation = partial(tf.nn.gelu, approximate=False)
_tanh_gelu: Activation = partial(tf.nn.gelu, approximate=True)

ACTIVATIONS: dict[str, Activation] = {
    "gelu": _gelu,
    "gelu_python": _gelu,
    "gelu_10": lambda x: tf.clip_by_value(_gelu(x), -10, 10),
    "gelu_new": _tanh_gelu,
    "gelu_pytorch_tanh": _tanh_gelu,
    "gelu_python_tanh": _tanh_gelu,
    "gelu_fast": _tanh_gelu,
    "gelu_accurate": _tanh_gelu,
    "quick_gelu": lambda x: x * tf.sigmoid(1.702 * x),
    "relu": tf.nn.relu,
    "relu2": lambda x: tf.square(tf.nn.relu(x)),
    "relu6": tf.nn.relu6,
    "leaky_relu": partial(tf.nn.leaky_relu, alpha=0.01),  # PyTorch's slope; TensorFlow's own is 0.2
    "hardswish": lambda x: x * tf.nn.relu6(x + 3) / 6,
    "silu": tf.nn.silu,
    "swish": tf.nn.silu,
    "mish": lambda x: x * tf.tanh(tf.math.softplus(x)),
    "tanh": tf.tanh,
    "sigmoid": tf.sigmoid,
    "linear": lambda x: x,
}
