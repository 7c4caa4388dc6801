"""Attention in training, in parts and fused, on a processor: `python -m benchmarks.attention_training`.

One layer, forward and backward, both ways in one process and in turn. Printed are medians and quartiles of the wall
time, and the ratio in parts / fused of the medians (below 1 is faster in parts, as `transformer.is_faster_in_parts`
has it). float32 stands beside it: there the fused kernel is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from unittest import mock

import torch
from torch import Tensor

from benchmarks.timing import row, runs_asked_for, times_of
from data2vec_core import transformer
from data2vec_core.transformer import Attention


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    name: str
    batch: int
    positions: int
    heads: int
    head_dim: int


CASES = (
    Case("bundled text", 16, 128, 8, 28),
    Case("bundled vision", 48, 82, 6, 24),
    Case("bundled speech", 8, 250, 4, 64),
    Case("base text or vision", 4, 197, 12, 64),
    Case("base speech", 2, 500, 12, 64),
)


def step(layer: Attention, hidden: Tensor, dtype: torch.dtype, *, is_in_parts: bool) -> None:
    """Forward and backward."""
    with (
        mock.patch.object(transformer, "is_faster_in_parts", return_value=is_in_parts),
        torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16),
    ):
        mixed = layer(hidden)
    mixed.float().square().mean().backward()


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    runs = runs_asked_for("benchmarks.attention_training", __doc__, arguments)
    print("| case | type | batch | in parts | fused | ratio |\n| --- | --- | --- | --- | --- | --- |")
    for case in CASES:
        torch.manual_seed(0)
        layer = Attention(case.heads * case.head_dim, case.heads)
        hidden = torch.randn(case.batch, case.positions, case.heads * case.head_dim, requires_grad=True)
        for dtype in (torch.bfloat16, torch.float32):
            train = partial(step, layer, hidden, dtype)
            ways = (partial(train, is_in_parts=True), partial(train, is_in_parts=False))
            name = str(dtype).removeprefix("torch.")
            print(row(case.name, name, f"{case.batch} x {case.positions}", times=times_of(ways, runs)), flush=True)


if __name__ == "__main__":
    main()
