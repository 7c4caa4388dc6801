"""Weights from a PyTorch model to its TensorFlow sister, and back.

The layers of both have the same attribute names, so a weight goes by the path of attributes that leads to it. What
differs is what Keras calls a weight, and in what order its axes are (`data2vec_core.checkpoints.keras_layout`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import torch
from torch import nn

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


def copy_from_pytorch(model: nn.Module, layer: keras.layers.Layer) -> None:
    """Give a TensorFlow model the numbers of a PyTorch model of its configuration."""
    tensors = model.state_dict()
    for name, weight in named_weights(layer):
        weight.assign(to_keras(weight.name, tensors.pop(name).detach().cpu().numpy()))
    assert not tensors, f"the TensorFlow model has no place for {sorted(tensors)}"


@torch.no_grad()
def copy_to_pytorch(layer: keras.layers.Layer, model: nn.Module) -> None:
    """The way back."""
    tensors = model.state_dict()
    for name, weight in named_weights(layer):
        tensors.pop(name).copy_(torch.from_numpy(from_keras(weight.name, keras.ops.convert_to_numpy(weight))))
    assert not tensors, f"the TensorFlow model lacks {sorted(tensors)}"


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
