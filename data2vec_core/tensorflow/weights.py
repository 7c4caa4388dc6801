"""Weights from a PyTorch model to its TensorFlow sister, and back.

The layers of both have the same attribute names, so a weight goes by the path of attributes that leads to it. What
differs is what Keras calls a weight, and in what order its axes are (`data2vec_core.checkpoints.keras_layout`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import torch
from torch import Tensor

from data2vec_core.checkpoints.keras_layout import from_keras, to_keras, torch_name

_OTHER_ATTRIBUTES = {"output_projection": "output"}
"""Attributes of ours that PyTorch has under another name: `output` is taken on every Keras layer."""


def named_weights(layer: keras.layers.Layer, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every weight of a layer and of those inside it, with the name that it has in the PyTorch model's `state_dict`."""
    children = dict(_children(layer))
    of_children = {id(weight) for child in children.values() for weight in child.weights}
    for weight in layer.weights:
        if id(weight) not in of_children:
            yield prefix + torch_name(weight.name), weight
    for name, child in children.items():
        yield from named_weights(child, f"{prefix}{name}.")


def take_weights(layer: keras.layers.Layer, tensors: Mapping[str, Tensor]) -> None:
    """Give a TensorFlow model the numbers in the `state_dict` of a PyTorch model of its configuration."""
    weights = dict(named_weights(layer))
    assert weights.keys() == tensors.keys(), f"only one has {sorted(weights.keys() ^ tensors.keys())}"
    for name, weight in weights.items():
        tensor = tensors[name].detach().cpu()
        weight.assign(to_keras(weight.name, (tensor.float() if tensor.is_floating_point() else tensor).numpy()))


def pytorch_tensors(layer: keras.layers.Layer) -> dict[str, Tensor]:
    """The way back: what `load_state_dict` of the PyTorch model takes."""
    return {
        name: torch.from_numpy(from_keras(weight.name, keras.ops.convert_to_numpy(weight)))
        for name, weight in named_weights(layer)
    }


def _children(layer: keras.layers.Layer) -> Iterator[tuple[str, keras.layers.Layer]]:
    """The layers that are attributes of a layer, or in a list that is one, by PyTorch's name for that path."""
    for attribute, value in vars(layer).items():
        if attribute.startswith("_"):
            continue
        name = _OTHER_ATTRIBUTES.get(attribute, attribute)
        if isinstance(value, keras.layers.Layer):
            yield name, value
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, keras.layers.Layer):
                    yield f"{name}.{index}", item
