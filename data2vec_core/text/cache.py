"""Keys and values that a decoder keeps between calls, so that each new token is computed alone."""

from __future__ import annotations

import torch
from torch import Tensor


class AttentionCache:
    """Keys and values of one attention, both (batch, heads, positions, head_dim); None while empty."""

    def __init__(self) -> None:
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Append (batch, heads, new, head_dim) tensors; returns all keys and values so far."""
        if self.keys is not None and self.values is not None:
            key = torch.cat([self.keys, key], dim=-2)
            value = torch.cat([self.values, value], dim=-2)
        self.keys, self.values = key, value
        return key, value

    def select(self, rows: Tensor) -> None:
        """Make item i of the batch what item `rows[i]` was."""
        if self.keys is not None and self.values is not None:
            self.keys = self.keys.index_select(0, rows)
            self.values = self.values.index_select(0, rows)


class BlockCache(AttentionCache):
    """Of one decoder block: its self-attention, and in `cross` its cross-attention to the encoder's output."""

    def __init__(self) -> None:
        super().__init__()
        self.cross = AttentionCache()

    def select(self, rows: Tensor) -> None:
        super().select(rows)
        self.cross.select(rows)


class KeyValueCache:
    """Of a whole decoder, one entry a block. A forward pass extends it in place.

    Args:
        layers: number of blocks.
    """

    def __init__(self, layers: int) -> None:
        self._blocks = [BlockCache() for _ in range(layers)]

    @property
    def length(self) -> int:
        """Positions read so far, padded ones included."""
        keys = self._blocks[0].keys if self._blocks else None
        return 0 if keys is None else keys.shape[-2]

    def reorder(self, rows: Tensor) -> None:
        """Make item i of the batch what item `rows[i]` was: how beams that go on leave the others behind.

        Args:
            rows: (new batch,) int64; an item may be named several times or not at all.
        """
        for block in self._blocks:
            block.select(rows)

    def __len__(self) -> int:
        return len(self._blocks)

    def __getitem__(self, layer: int) -> BlockCache:
        return self._blocks[layer]
