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

    A block that a trace looks into is never recomputed in the backward pass, whatever `gradient_checkpointing` says:
    what it recorded would be replaced by tensors that no gradient reaches.

    Args:
        tensors: which tensors to record: names (then of every layer), or a mapping from name to layers (None: every
            layer). Negative layers are not accepted: the trace does not know the model's depth.
        reduce: per name, a function applied to the tensor the moment it exists; what it returns is stored instead
            (one query's row, a head's entropy), so that a full attention stack need never be in memory.
        replace: per (name, layer), a function from the tensor to the one the forward pass shall go on with, for
            causal checks such as zeroing the values of one position. Recording sees the replaced tensor.
        retain_gradients: keep the gradient of everything recorded (of what `reduce` made of it, where it did), so
            that its `.grad` is there after `backward`.

    Recorded tensors stay attached to the graph when there is one; run under `no_grad` to record values alone.

    Raises:
        ValueError: an unknown tensor name, a negative layer, or a reduction of what is not recorded.
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
        self._extends: Trace | None = None

        names = {*self._wanted, *self._reduce, *(name for name, _ in self._replace)}
        for name in sorted(names - set(TENSOR_NAMES)):
            raise ValueError(f"unknown tensor {name!r}; a trace records {', '.join(TENSOR_NAMES)}")
        for name in sorted(self._reduce.keys() - self._wanted.keys()):
            raise ValueError(f"reduce has a function for {name}, which the trace does not record")
        if min(self._layers_named(), default=0) < 0:
            raise ValueError("layers are counted from 0 (the input of the first block); none may be negative")

    def also(self, *names: TensorName) -> Trace:
        """A trace for one pass that records every layer of some further tensors as well, as `output_hidden_states` and
        its like need. What this one asked for lands in both; this one asks for no more than before.

        Raises:
            ValueError: this trace reduces one of them, and the model itself needs it whole.
        """
        for name in names:
            if name in self._reduce:
                raise ValueError(f"the model needs {name} whole, and this trace reduces it; use a second forward pass")
        extended = Trace(
            self._wanted | dict.fromkeys(names),
            reduce=self._reduce,
            replace=self._replace,
            retain_gradients=self._retain_gradients,
        )
        extended._extends = self
        return extended

    def require_depth(self, layers: int) -> None:
        """Make sure that a model has every layer that is named.

        Raises:
            ValueError: it has fewer.
        """
        if (deepest := max(self._layers_named(), default=0)) > layers:
            raise ValueError(f"the trace names layer {deepest}, the model has {layers} layers")

    def _layers_named(self) -> set[int]:
        recorded = {layer for layers in self._wanted.values() for layer in layers or ()}
        return recorded | {layer for _, layer in self._replace}

    def touches(self, name: TensorName, layer: int) -> bool:
        """Whether a block must produce this tensor explicitly, because it is recorded or replaced."""
        return self._records(name, layer) or (name, layer) in self._replace

    def looks_into(self, layer: int) -> bool:
        """Whether it touches anything that comes to be inside a block, before its output."""
        return any(self.touches(name, layer) for name in TENSOR_NAMES if name != "hidden")

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
            stored = self._reduce[name](tensor) if name in self._reduce else tensor
            if self._retain_gradients and stored.requires_grad:
                stored.retain_grad()
            self._keep(name, layer, stored)
        return tensor

    def _keep(self, name: TensorName, layer: int, stored: Tensor) -> None:
        if self._records(name, layer):
            self._store[name, layer] = stored
            if self._extends is not None:
                self._extends._keep(name, layer, stored)

    def clear(self) -> None:
        """Forget what was recorded, keep what is asked for."""
        self._store.clear()
        if self._extends is not None:
            self._extends.clear()

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
