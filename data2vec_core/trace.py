"""Recording what happens inside a forward pass, in one way for every purpose.

A `Trace` is handed to a model's `forward` and passed down to every block. It says beforehand which tensors of which
layers it wants; the block asks, and gives. Nothing else is computed or kept: a block whose attention nobody wants runs
the fused kernel. Teacher targets, `output_hidden_states`, the analyses and the app all read the same trace.

Layers are counted as in the literature: layer 0 is the input of the first block (after embedding, position, norm and
dropout), layer l the l-th block. A model of L blocks has hidden states 0..L and attentions 1..L.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, get_args

import torch
from torch import Tensor

TensorName = Literal["hidden", "attention", "cross_attention", "values", "feed_forward"]
"""What can be recorded of a layer:

* `hidden` (batch, positions, dim): the block's output; of layer 0, the input of the first block;
* `attention` (batch, heads, query, key): probabilities, after dropout where that is active;
* `cross_attention` (batch, heads, query, encoder positions): of a text decoder;
* `values` (batch, heads, positions, head_dim): value vectors before they are mixed;
* `feed_forward` (batch, positions, dim): the feed-forward result before dropout, residual and norm.
"""
TENSOR_NAMES: tuple[TensorName, ...] = get_args(TensorName)

Change = Callable[[Tensor], Tensor]


class Trace:
    """A request for tensors of a forward pass, and afterwards their store. Every pass empties it first.

    Args:
        tensors: which tensors to record: names (then of every layer), or a mapping from name to layers (None: every
            layer). Negative layers are not accepted: the trace does not know the model's depth.
        reduce: per name, a function applied to the tensor the moment it exists; what it returns is stored instead
            (one query's row, a head's entropy), so that a full attention stack need never be in memory.
        replace: per (name, layer), a function from the tensor to the one the forward pass shall go on with, for
            causal checks such as zeroing the values of one position. Recording sees the replaced tensor.
        retain_gradients: keep the gradient of every recorded tensor, so that its `.grad` is there after `backward`.

    Recorded tensors stay attached to the graph when there is one; run under `no_grad` to record values alone.

    Raises:
        ValueError: an unknown tensor name or a negative layer.
    """

    def __init__(
        self,
        tensors: Iterable[TensorName] | Mapping[TensorName, Iterable[int] | None] = (),
        *,
        reduce: Mapping[TensorName, Change] | None = None,
        replace: Mapping[tuple[TensorName, int], Change] | None = None,
        retain_gradients: bool = False,
    ) -> None:
        if not isinstance(tensors, Mapping):
            tensors = dict.fromkeys(tensors)
        self._wanted: dict[TensorName, frozenset[int] | None] = {
            name: None if layers is None else frozenset(layers) for name, layers in tensors.items()
        }
        self._reduce = dict(reduce or {})
        self._replace = dict(replace or {})
        self._retain_gradients = retain_gradients
        self._store: dict[tuple[TensorName, int], Tensor] = {}

        names = {*self._wanted, *self._reduce, *(name for name, _ in self._replace)}
        for name in sorted(names - set(TENSOR_NAMES)):
            raise ValueError(f"unknown tensor {name!r}; a trace records {', '.join(TENSOR_NAMES)}")
        layers_named = {layer for layers in self._wanted.values() for layer in layers or ()}
        if min(layers_named | {layer for _, layer in self._replace}, default=0) < 0:
            raise ValueError("layers are counted from 0 (the input of the first block); none may be negative")

    def also(self, *names: TensorName) -> Trace:
        """Ask for every layer of some further tensors, as `output_hidden_states` and its like do. Returns self.

        Raises:
            ValueError: this trace reduces one of them, and the model itself needs it whole.
        """
        for name in names:
            if name in self._reduce:
                raise ValueError(f"the model needs {name} whole, and this trace reduces it; use a second forward pass")
        self._wanted |= dict.fromkeys(names)
        return self

    def touches(self, name: TensorName, layer: int) -> bool:
        """Whether a block must produce this tensor explicitly, because it is recorded or replaced."""
        return self._records(name, layer) or (name, layer) in self._replace

    def _records(self, name: TensorName, layer: int) -> bool:
        if name not in self._wanted:
            return False
        layers = self._wanted[name]
        return layers is None or layer in layers

    def visit(self, name: TensorName, layer: int, tensor: Tensor) -> Tensor:
        """Called by the model with each tensor as it comes to be; returns the one to go on with.

        Raises:
            ValueError: a replacement changed the shape.
        """
        if change := self._replace.get((name, layer)):
            changed = change(tensor)
            if changed.shape != tensor.shape:
                raise ValueError(
                    f"the replacement of {name} in layer {layer} has shape {tuple(changed.shape)}, "
                    f"the forward pass needs {tuple(tensor.shape)}"
                )
            tensor = changed
        if self._records(name, layer):
            if self._retain_gradients and tensor.requires_grad:
                tensor.retain_grad()
            self._store[name, layer] = self._reduce[name](tensor) if name in self._reduce else tensor
        return tensor

    def clear(self) -> None:
        """Forget what was recorded, keep what is asked for."""
        self._store.clear()

    def layers(self, name: TensorName) -> list[int]:
        """Layers of which this tensor was recorded, in order."""
        return sorted(layer for stored, layer in self._store if stored == name)

    def all(self, name: TensorName) -> tuple[Tensor, ...]:
        """The recorded tensors of one name, from the lowest layer to the highest."""
        return tuple(self._store[name, layer] for layer in self.layers(name))

    def stack(self, name: TensorName) -> Tensor:
        """`all`, stacked along a new first dimension: (layers, ...)."""
        return torch.stack(self.all(name))

    def __getitem__(self, key: tuple[TensorName, int]) -> Tensor:
        """The tensor recorded under (name, layer).

        Raises:
            KeyError: it was not asked for, or the forward pass has not run.
        """
        if key not in self._store:
            raise KeyError(f"{key[0]} of layer {key[1]} was not recorded; recorded: {sorted(self._store)}")
        return self._store[key]

    def __contains__(self, key: tuple[TensorName, int]) -> bool:
        return key in self._store
