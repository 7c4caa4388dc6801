"""How well the student predicts: regression heads, loss, and a watch over collapse (data2vec.md 5.1, 5.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_VARIANCE_FLOOR = 1e-6
"""Added to a variance before the root, as the original code does."""


def regression_head(dim: int, kind: Literal["linear", "deep"], *, reads: int | None = None) -> nn.Module:
    """What turns the student's output into a prediction: one linear layer (speech, vision), or two with a GELU between
    and twice the width inside (text).

    Args:
        dim: width of the prediction.
        reads: width of what it is made from; `dim` when None.
    """
    reads = dim if reads is None else reads
    if kind == "linear":
        return nn.Linear(reads, dim)
    return nn.Sequential(nn.Linear(reads, 2 * reads), nn.GELU(), nn.Linear(2 * reads, dim))


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The regression loss."""

    beta: float = 0.0
    """Where smooth-L1 turns from a parabola into a line: 0.5 e² / beta below, |e| - 0.5 beta from there. 0: plain
    squares e²."""
    scale: Literal["inverse root", "one"] = "one"
    """Factor of the loss: 1 / sqrt(dim) (speech) or 1."""
    divisor: Literal["positions", "elements"]
    """The sum over masked positions and channels is divided by the number of masked positions (speech, text) or of
    both (vision)."""

    def __post_init__(self) -> None:
        if self.beta < 0:
            raise ValueError(f"Objective.beta={self.beta}: must not be negative")

    def total(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The loss summed over (masked, dim), in float32, scaled and not yet divided."""
        prediction, target = prediction.float(), target.float()
        if self.beta == 0:
            total = F.mse_loss(prediction, target, reduction="sum")
        else:
            total = F.smooth_l1_loss(prediction, target, reduction="sum", beta=self.beta)
        return total / math.sqrt(prediction.shape[-1]) if self.scale == "inverse root" else total

    def count(self, prediction: Tensor) -> int:
        """By what the total of (masked, dim) is to be divided; summed over all parts of a batch that is computed in
        parts."""
        return prediction.numel() if self.divisor == "elements" else prediction.shape[0]


@dataclass(frozen=True)
class Moments:
    """Sums from which the spread of vectors follows; those of parts of a batch add up to those of the batch."""

    count: int
    total: Tensor
    """(dim,) float64"""
    squares: Tensor
    """(dim,) float64"""

    @classmethod
    def of(cls, vectors: Tensor) -> Moments:
        """Of (masked, dim)."""
        vectors = vectors.detach().double()
        return cls(len(vectors), vectors.sum(dim=0), vectors.square().sum(dim=0))

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.count + other.count, self.total + other.total, self.squares + other.squares)

    def spread(self) -> float:
        """Standard deviation over the vectors, sqrt(unbiased variance + 1e-6), averaged over channels. Near 0 when all
        positions are told the same: the method has collapsed. NaN of fewer than two vectors."""
        if self.count < 2:
            return math.nan
        variance = (self.squares - self.total.square() / self.count).clamp(min=0) / (self.count - 1)
        return torch.sqrt(variance + _VARIANCE_FLOOR).mean().item()


class CollapseError(RuntimeError):
    """Targets or predictions have become the same for all positions; going on is of no use."""


@dataclass(frozen=True, kw_only=True)
class CollapseAlarm:
    """When to stop a run whose representations have collapsed, looked at in every report; the published thresholds of
    speech."""

    after: int = 5000
    """Steps without alarm at the start."""
    target: float = 0.1
    """Smallest healthy spread of targets."""
    prediction: float = 0.01
    """Smallest healthy spread of predictions."""

    def check(self, step: int, target: float, prediction: float) -> None:
        """Raises:
        CollapseError: after `step` steps, the spread of one of them is too small.
        """
        if step <= self.after:
            return
        for name, value, least in (("targets", target, self.target), ("predictions", prediction, self.prediction)):
            if value < least:
                raise CollapseError(
                    f"step {step}: the {name} have a standard deviation of {value:.4f}, less than {least}; try a "
                    "slower teacher, a lower learning rate or a longer warm-up"
                )
