"""Choosing the next token from its logits."""

from __future__ import annotations

import torch
from torch import Tensor


def keep_top_k(logits: Tensor, top_k: int) -> Tensor:
    """Rule out (-inf) all but the `top_k` likeliest tokens; ties with the last stay. (..., vocab) -> the same."""
    smallest_kept = logits.topk(min(top_k, logits.shape[-1]), dim=-1).values[..., -1:]
    return logits.masked_fill(logits < smallest_kept, -torch.inf)


def keep_top_p(logits: Tensor, top_p: float) -> Tensor:
    """Rule out (-inf) the unlikely tokens beyond the smallest set that has probability `top_p` (nucleus sampling,
    Holtzman et al., arXiv 1904.09751). The likeliest token always stays. (..., vocab) -> the same."""
    ascending, order = logits.sort(dim=-1)
    is_in_tail = ascending.softmax(dim=-1).cumsum(dim=-1) <= 1 - top_p
    is_in_tail[..., -1] = False
    return logits.masked_fill(is_in_tail.scatter(-1, order, is_in_tail), -torch.inf)


def sample(
    logits: Tensor,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw tokens: logits over temperature, then top-k, then top-p, then the draw.

    Args:
        logits: (batch, vocab).
        temperature: above 0; below 1 sharpens.
        top_k: None or 0 keeps all tokens.
        top_p: 1 keeps all tokens.

    Returns:
        (batch,) int64
    """
    logits = logits / temperature
    if top_k:
        logits = keep_top_k(logits, top_k)
    if top_p < 1:
        logits = keep_top_p(logits, top_p)
    return torch.multinomial(logits.softmax(dim=-1), 1, generator=generator)[:, 0]
