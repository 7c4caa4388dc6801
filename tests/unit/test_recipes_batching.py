"""Batches by length: every item once an epoch, within the budget, enough for all processes."""

from __future__ import annotations

import numpy as np
import pytest

from recipes.batching import LengthBatches


@pytest.mark.parametrize("least", [1, 3])
@pytest.mark.parametrize("count", [7, 8, 9, 40, 41])
def test_every_item_once_an_epoch_and_no_batch_too_small(count: int, least: int) -> None:
    batches = LengthBatches([5] * count, 40, 0, least=least)
    for epoch in range(3):
        found = batches.epoch(epoch)
        assert sorted(item for batch in found for item in batch) == list(range(count))
        assert all(least <= len(batch) <= 8 for batch in found)
    if count > 8:
        assert batches.epoch(0) != batches.epoch(1)


def test_lengths_in_a_batch_are_alike_and_within_the_budget() -> None:
    lengths = np.random.default_rng(0).integers(10, 100, 300)
    found = LengthBatches(lengths.tolist(), 500, 0).epoch(0)
    assert all(lengths[batch].max() * len(batch) <= 500 for batch in found)
    assert np.mean([lengths[batch].min() / lengths[batch].max() for batch in found]) > 0.6


def test_steps_go_through_the_epochs() -> None:
    batches = LengthBatches([1] * 10, 4, 3)
    assert batches.per_epoch == 3
    assert [batches.indices(step) for step in range(3, 6)] == batches.epoch(1)


def test_too_few_for_the_processes() -> None:
    with pytest.raises(ValueError, match="batch: one has 2 items, and 4 processes are to share it"):
        LengthBatches([1] * 10, 2, 0, least=4)
