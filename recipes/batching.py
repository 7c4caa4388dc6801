"""Which items make up a batch: those of similar length, so that little is padded or cut."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np


class LengthBatches:
    """Batches of items of similar length, in a new order every epoch.

    Args:
        lengths: of every item, in any unit.
        budget: most of that unit in a batch, padding included; one item that is longer makes a batch alone.
        seed: of the orders.
        least: items of a batch, as many processes that share it need; the last two of an epoch are made even for it.

    Raises:
        ValueError: a batch has fewer.
    """

    def __init__(self, lengths: Sequence[int], budget: int, seed: int, *, least: int = 1) -> None:
        self._lengths = np.asarray(lengths)
        self._budget = budget
        self._seed = seed
        self._least = least
        self.epoch = lru_cache(maxsize=2)(self._epoch)
        self.per_epoch = len(self.epoch(0))
        """Of every epoch, although another order may make a batch more or fewer: a step must tell its epoch."""

    def indices(self, step: int) -> list[int]:
        """Items of the batch of one step."""
        batches = self.epoch(step // self.per_epoch)
        return batches[step % self.per_epoch % len(batches)]

    def _epoch(self, epoch: int) -> list[list[int]]:
        random = np.random.default_rng((self._seed, epoch))
        order = np.argsort(self._lengths * random.uniform(0.85, 1.15, len(self._lengths)))
        batches: list[list[int]] = [[]]
        longest = 0
        for index, length in zip(order.tolist(), self._lengths[order].tolist(), strict=True):
            longest = max(longest, length)
            if batches[-1] and longest * (len(batches[-1]) + 1) > self._budget:
                batches.append([])
                longest = length
            batches[-1].append(index)
        if len(batches) > 1 and len(batches[-1]) < self._least:
            both = batches[-2] + batches[-1]
            batches[-2:] = [both[: len(both) // 2], both[len(both) // 2 :]]
        if (fewest := min(map(len, batches))) < self._least:
            raise ValueError(f"batch: one has {fewest} items, and {self._least} processes are to share it; enlarge it")
        random.shuffle(batches)
        return batches
