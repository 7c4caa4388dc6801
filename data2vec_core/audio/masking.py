"""SpecAugment masks: spans over time and over channels, hidden in training (Park et al., arXiv 1904.08779)."""

from __future__ import annotations

import torch
from torch import Tensor


def draw_spans(
    lengths: Tensor,
    size: int,
    *,
    probability: float,
    span: int,
    min_spans: int = 0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw random spans to be masked, row by row.

    Each row gets `probability * length / span` spans, rounded up or down by one draw that the whole batch shares, but
    at least `min_spans`, and no more than fit side by side into `size` or than the row has places for. Starts are
    distinct and uniform; spans may overlap. A row too short for a whole span stays unmasked (the reference raises when
    all are; data2vec.md 9.2, item 7).

    Args:
        lengths: (batch,) real positions of each row.
        size: positions of the padded batch.
        probability: share of positions in spans, before overlaps.
        span: length of a span.
        min_spans: spans that every row gets, as far as they fit.

    Returns:
        (batch, size), True where masked; never beyond a row's length.

    Raises:
        ValueError: `span` is below 1.
    """
    if span < 1:
        raise ValueError(f"a span needs at least one position, got span={span}")
    rounding = torch.rand((), generator=generator).item()
    is_masked = torch.zeros(len(lengths), size, dtype=torch.bool)
    for row, length in zip(is_masked, lengths.tolist(), strict=True):
        starts = max(length - span + 1, 0)
        count = min(max(int(probability * length / span + rounding), min_spans), size // span, starts)
        chosen = torch.randperm(starts, generator=generator)[:count]
        row[(chosen[:, None] + torch.arange(span)).flatten()] = True
    return is_masked.to(lengths.device)
