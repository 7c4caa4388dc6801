"""Items of different length in one pass without padding.

A padded batch computes every item at the length of the longest. Packed, the real positions of all items lie in one row,
one item after the other: norms and linear layers, which look at one position at a time, need not know; attention, and
convolutions over time, take the items apart again. Every item comes out as if it had been alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Packing:
    """How a batch lies in a row."""

    is_real: Tensor
    """(batch, positions), True where an item has a position; every other one is padding."""

    @classmethod
    def of(cls, mask: Tensor) -> Packing | None:
        """For a mask (batch, positions), nonzero where real; None where there is no padding, or nothing but padding.

        Raises:
            ValueError: the mask has more dimensions, and says more than which positions are real.
        """
        if mask.dim() != 2:
            raise ValueError(f"without_padding needs a mask (batch, positions), got shape {tuple(mask.shape)}")
        is_real = mask.bool()
        return None if bool(is_real.all()) or not bool(is_real.any()) else cls(is_real)

    @cached_property
    def lengths(self) -> list[int]:
        """Positions of each item."""
        return self.is_real.sum(dim=1).tolist()

    def pack(self, padded: Tensor) -> Tensor:
        """(batch, positions, ...) -> (1, sum of lengths, ...)"""
        return padded[self.is_real][None]

    def unpack(self, packed: Tensor) -> Tensor:
        """(1, sum of lengths, ...) -> (batch, positions, ...), with zeros for padding."""
        padded = packed.new_zeros(*self.is_real.shape, *packed.shape[2:])
        padded[self.is_real] = packed[0]
        return padded

    def each(self, work: Callable[..., Tensor], *packed: Tensor, dim: int = 1) -> Tensor:
        """Apply a function to one item after the other.

        Args:
            packed: what it is given: tensors in which the items lie along `dim`.
        """
        items = zip(*(tensor.split(self.lengths, dim=dim) for tensor in packed), strict=True)
        return torch.cat([work(*item) for item in items if item[0].shape[dim]], dim=dim)
