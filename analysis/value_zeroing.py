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

from data2vec_core.trace import Trace

COPIES = 16
"""Of the input in one pass, each without another position."""
Run = Callable[[int, Trace], Any]
"""(copies, trace): runs the model, in eval mode and without padding, on so many copies of one input."""


@torch.inference_mode()
def value_zeroing(
    run: Run, layer: int, positions: Sequence[int] | None = None, *, copies: int = COPIES
) -> NDArray[np.float32]:
    """How much the output of a block changes, at each position, when the values of another are zero in all its heads.

    The change includes what the block does after attention, and it is that of one block: what came into it had mixed
    the positions before. It costs a pass of the model for every position.

    Args:
        layer: of the block, from 1.
        positions: those to silence; all when None.
        copies: inputs of one pass.

    Returns:
        (position looked at, position silenced) cosine distances, 0 (nothing changes) to 2.

    Raises:
        ValueError: a layer from 0 down, or a position that is not there.
    """
    if layer < 1:
        raise ValueError(f"layer={layer}: blocks are counted from 1")
    whole = Trace({"hidden": [layer]})
    run(1, whole)
    before = whole["hidden", layer][0].float()
    if positions is None:
        positions = range(len(before))
    if wrong := [position for position in positions if not 0 <= position < len(before)]:
        raise ValueError(f"positions: {wrong[0]} is not there; the input has {len(before)}, numbered from 0")
    changes = []
    for first in range(0, len(positions), copies):
        silenced = torch.tensor(positions[first : first + copies])
        trace = Trace({"hidden": [layer]}, replace={("values", layer): partial(_without, positions=silenced)})
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


def _without(values: Tensor, positions: Tensor) -> Tensor:
    """(copies, heads, positions, head_dim) values, of each copy those of another position zero."""
    changed = values.clone()
    changed[torch.arange(len(positions)), :, positions] = 0
    return changed
