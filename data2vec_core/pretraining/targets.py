"""What the student has to predict: the teacher's upper layers, normalised and averaged (data2vec.md 5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from data2vec_core.trace import Trace

Normalisation = Literal["none", "layer", "instance"]
NORM_EPS = 1e-5


@dataclass(frozen=True, kw_only=True)
class TargetRule:
    """How a target is made of the teacher's layers."""

    top_layers: int
    """K: how many of the last layers are averaged."""
    tensor: Literal["feed_forward", "hidden"]
    """`feed_forward`: the feed-forward result before dropout, residual and norm (speech, text); `hidden`: the block's
    output (vision)."""
    layer_norm: Normalisation
    """Of each layer before averaging, without learnt weights: `instance` over time (speech), `layer` over channels."""
    mean_norm: Normalisation = "none"
    """Of the average."""

    def trace(self, depth: int) -> Trace:
        """What a forward pass of a teacher of `depth` blocks has to record.

        Raises:
            ValueError: K is not between 1 and the depth.
        """
        if not 1 <= self.top_layers <= depth:
            raise ValueError(f"TargetRule.top_layers={self.top_layers}: the model has {depth} layers")
        return Trace({self.tensor: range(depth - self.top_layers + 1, depth + 1)})

    def build(self, trace: Trace, is_counted: Tensor | None = None) -> Tensor:
        """The target, from a recorded pass.

        Args:
            is_counted: (batch, positions), which positions enter the statistics of `instance`; all when None.

        Returns:
            (batch, positions, dim) float32; positions that do not count are 0 by `instance`.
        """
        return average_layers(trace.all(self.tensor), self, is_counted)


def average_layers(layers: Sequence[Tensor], rule: TargetRule, is_counted: Tensor | None = None) -> Tensor:
    """Normalise each (batch, positions, dim) tensor of K layers, average, normalise the average; as `build` says.

    Raises:
        ValueError: not K layers.
    """
    if len(layers) != rule.top_layers:
        raise ValueError(f"layers: the rule averages {rule.top_layers}, got {len(layers)}")
    normed = [normalise(layer.float(), rule.layer_norm, is_counted) for layer in layers]
    return normalise(torch.stack(normed).mean(dim=0), rule.mean_norm, is_counted)


def normalise(hidden: Tensor, how: Normalisation, is_counted: Tensor | None = None) -> Tensor:
    """Mean 0 and variance 1 of each position over its channels (`layer`), or of each channel over the counted
    positions of its item (`instance`).

    Args:
        hidden: (batch, positions, dim).
        is_counted: (batch, positions); the others leave the statistics of `instance` alone and come out as 0.
    """
    if how == "layer":
        return F.layer_norm(hidden, hidden.shape[-1:], eps=NORM_EPS)
    if how == "instance":
        weight = torch.ones_like(hidden[..., :1]) if is_counted is None else is_counted.unsqueeze(-1).to(hidden.dtype)
        count = weight.sum(dim=1, keepdim=True).clamp(min=1)
        mean = (hidden * weight).sum(dim=1, keepdim=True) / count
        centred = (hidden - mean) * weight
        variance = centred.square().sum(dim=1, keepdim=True) / count
        return centred * torch.rsqrt(variance + NORM_EPS)
    return hidden
