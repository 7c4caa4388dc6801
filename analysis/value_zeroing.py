"""What a position really gives to another: the value vectors of one position are set to zero, and one looks at what
changes (Mohebbi et al., arXiv 2301.12971; speech: 2310.09925). Closer to a cause than attention, which it checks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.subject import Role, Shown, Subject
from data2vec_core.trace import Trace
from data2vec_core.transformer import BlockStack

COPIES = 16
"""Of the input in one pass, each without another position."""
Run = Callable[[int, Trace], Any]
"""(copies, trace): runs the model, in eval mode and without padding, on so many copies of one input."""


@torch.inference_mode()
def value_zeroing(
    run: Run,
    layer: int,
    positions: Sequence[int | Sequence[int]] | None = None,
    *,
    head: int = 0,
    copies: int = COPIES,
) -> NDArray[np.float32]:
    """How much the output of a block changes, at each position, when the values of another are zero.

    The change includes what the block does after attention, and it is that of one block: what came into it had mixed
    the positions before. It costs a pass of the model for every position.

    Args:
        layer: of the block, from 1.
        positions: those to silence, one after another, or several at a time; all when None.
        head: in which they are silent, from 1; 0: in all.
        copies: inputs of one pass.

    Returns:
        (position looked at, position silenced) cosine distances, 0 (nothing changes) to 2.

    Raises:
        ValueError: a layer from 0 down, or a head or a position that is not there.
    """
    if layer < 1:
        raise ValueError(f"layer={layer}: blocks are counted from 1")
    if head < 0:
        raise ValueError(f"head={head}: heads are counted from 1, and 0 is all of them")
    whole = Trace({"hidden": [layer]})
    run(1, whole)
    before = whole["hidden", layer][0].float()
    groups = [list(one) if isinstance(one, Sequence) else [one] for one in positions or ()]
    if positions is None:
        groups = [[place] for place in range(len(before))]
    if wrong := [place for group in groups for place in group if not 0 <= place < len(before)]:
        raise ValueError(f"positions: {wrong[0]} is not there; the input has {len(before)}, numbered from 0")
    changes = []
    for first in range(0, len(groups), copies):
        silenced = groups[first : first + copies]
        change = partial(_without, groups=silenced, head=head)
        trace = Trace({"hidden": [layer]}, replace={("values", layer): change})
        run(len(silenced), trace)
        after = trace["hidden", layer].float()  # (copies, positions, dim)
        changes.append(1 - torch.cosine_similarity(after, before[None], dim=-1))
    if not changes:
        return np.zeros((len(before), 0), np.float32)
    return torch.cat(changes).T.clamp(min=0).cpu().numpy()


def as_attention(changes: NDArray[Any]) -> NDArray[np.float64]:
    """Rows made to sum to 1, so that they can be drawn beside attention; a row without any change is even.

    Args:
        changes: (query, key) of `value_zeroing`.
    """
    totals = changes.sum(axis=1, keepdims=True, dtype=np.float64)
    even = np.full(changes.shape, 1 / max(1, changes.shape[1]))
    return np.where(totals > 0, changes / np.where(totals > 0, totals, 1), even)


@torch.inference_mode()
def block_alone(subject: Subject, shown: Shown, role: Role, layer: int) -> Run:
    """For `value_zeroing`: runs one block on what comes into it, once for all, and not the whole model every time.

    Raises:
        ValueError: no such layer or role.
    """
    if not 1 <= layer <= subject.depth:
        raise ValueError(f"layer={layer}: expected 1 to {subject.depth}")
    trace = Trace({"hidden": [layer - 1, layer]})
    subject.run(shown, role, trace)
    before, after = trace["hidden", layer - 1], trace["hidden", layer]
    network = subject.pretraining.teacher.model if role == "teacher" and subject.has_teacher else subject.encoder
    stack = next(module for module in network.modules() if isinstance(module, BlockStack))
    inputs: dict[str, Any] = {}
    if shown.grid is not None:
        shared = getattr(stack, "relative_position_bias", None)
        inputs = {"grid": shown.grid, "bias": None if shared is None else shared(shown.grid, None)}

    def run(copies: int, trace: Trace) -> None:
        trace.clear()
        hidden = before.expand(copies, *before.shape[1:])
        trace.visit("hidden", layer, stack.layers[layer - 1](hidden, trace=trace, layer=layer, **inputs))

    again = Trace({"hidden": [layer]})
    run(1, again)
    if torch.allclose(again["hidden", layer], after, rtol=1e-3, atol=1e-4):
        return run
    # a model that is given more than this, such as one that reads from left to right only
    return lambda copies, trace: subject.run(shown, role, trace, copies=copies)


def rank_correlation(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Spearman's: of the ranks of two lists of numbers, equal ones sharing theirs; -1 to 1, not a number where either
    list is all alike.

    Raises:
        ValueError: not two lists of one length.
    """
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"expected two lists of one length, got {first.shape} and {second.shape}")
    ranks = []
    for values in (first, second):
        _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(counts) - (counts - 1) / 2)[inverse])
    centred = [one - one.mean() for one in ranks]
    size = float(np.linalg.norm(centred[0]) * np.linalg.norm(centred[1])) if len(first) else 0.0
    return float(centred[0] @ centred[1]) / size if size > 0 else float("nan")


def _without(values: Tensor, groups: Sequence[Sequence[int]], head: int) -> Tensor:
    """(copies, heads, positions, head_dim) values, of each copy those of another group zero, in one head or in all."""
    if head > values.shape[1]:
        raise ValueError(f"head={head}: there are {values.shape[1]}")
    heads = slice(None) if head == 0 else slice(head - 1, head)
    changed = values.clone()
    for copy, places in enumerate(groups):
        changed[copy, heads, places] = 0
    return changed
