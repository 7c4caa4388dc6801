"""Which positions mattered for a class: gradient-weighted attention (analysis-methods.md, section 2).

For every modality: positions are patches, tokens or frames, and any classifier that records its attention in a `Trace`
will do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from data2vec_core.trace import Trace


@dataclass(frozen=True)
class Attribution:
    """Of one class of each item."""

    relevance: Tensor
    """(batch, positions), not negative, in no unit: to be compared within an item."""
    classes: Tensor
    """(batch,) int64, whose relevance it is."""
    logits: Tensor
    """(batch, classes), of the same pass."""


@torch.enable_grad()
def gradient_weighted_attention(
    score: Callable[[Trace], Tensor], readout: Tensor, classes: Tensor | None = None
) -> Attribution:
    """How much each position mattered for a class, followed through all layers (Chefer et al., arXiv 2103.15679,
    equations 5 and 6).

    Of every layer's attention A it keeps, on average over the heads, what raises the class's score y:
    A' = mean((dy/dA * A)+). Relevance starts where the head reads and passes downwards, r <- r + r A'. This is a row
    of the paper's R <- R + A' R, which starts at the identity, without the rest of the matrix. The start itself is
    taken off at the end: a head that averages reads every position alike, and this says nothing about the class.

    It follows attention alone. What a position keeps to itself through residuals and feed-forward layers is counted
    nowhere, so that a head that averages may rest on positions of little relevance. It is no proof of a cause: hide the
    relevant positions and see.

    Args:
        score: runs the model, in eval mode, with the trace it is given; returns the logits (batch, classes).
        readout: (batch, positions), how much of each position the head reads; every row sums to 1. One of a class
            token, 1 / n of each of n that are averaged, 0 of padding.
        classes: (batch,) int64, the class in question of each item; the best of each when None.

    Returns:
        Positions of padding have relevance 0, since no attention is paid to them.
    """
    trace = Trace({"attention"})
    logits = score(trace)
    attentions = trace.all("attention")
    classes = logits.argmax(dim=1) if classes is None else classes
    # With respect to the attention alone: `backward` would leave gradients in weights that others use meanwhile. Items
    # do not see each other, so that the gradient of the sum is that of each.
    gradients = torch.autograd.grad(logits.gather(1, classes[:, None]).sum(), attentions)
    relevance = readout.float()
    for attention, gradient in zip(reversed(attentions), reversed(gradients), strict=True):
        raising = (attention.detach() * gradient).float().clamp(min=0).mean(dim=1)  # (batch, query, key)
        relevance = relevance + torch.einsum("bq,bqk->bk", relevance, raising)
    return Attribution(relevance=relevance - readout, classes=classes, logits=logits.detach())
