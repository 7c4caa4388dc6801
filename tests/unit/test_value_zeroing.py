"""Value zeroing against what attention that is known must give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from analysis.value_zeroing import as_attention, value_zeroing
from data2vec_core.trace import Trace
from tests.pretraining_samples import MODALITIES, tiny_batch, tiny_student


def runner(modality: str) -> tuple[Any, Any]:
    model: Any = tiny_student(modality).eval()
    with torch.no_grad():  # fresh weights are so small that attention hardly adds to the residual
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    [(name, tensor)] = [(n, t[:1]) for n, t in tiny_batch(modality).items() if n != "attention_mask"]

    def run(copies: int, trace: Trace) -> None:
        model(**{name: tensor.expand(copies, *tensor.shape[1:])}, trace=trace)

    return model, run


@pytest.mark.parametrize("modality", MODALITIES)
def test_copies_do_not_matter_and_positions_are_columns(modality: str) -> None:
    _, run = runner(modality)
    whole = value_zeroing(run, 1, copies=16)
    size = whole.shape[0]
    assert whole.shape == (size, size)
    assert value_zeroing(run, 1, copies=3) == pytest.approx(whole, abs=1e-4)
    assert value_zeroing(run, 1, [4, 2]) == pytest.approx(whole[:, [4, 2]], abs=1e-4)
    assert value_zeroing(run, 1, []).shape == (size, 0)
    assert whole.max() > 1e-3


def test_a_position_that_nobody_reads_changes_nothing() -> None:
    """Where all attention goes to position 2, only its values matter, and to all alike."""
    _, run = runner("text")

    def one_sided(copies: int, trace: Trace) -> None:
        def to_the_third(attention: torch.Tensor) -> torch.Tensor:
            changed = torch.zeros_like(attention)
            changed[..., 2] = 1
            return changed

        trace._replace["attention", 1] = to_the_third
        run(copies, trace)

    changes = value_zeroing(one_sided, 1)
    assert np.delete(changes, 2, axis=1).max() < 1e-5
    assert (changes[:, 2] > 1e-4).all()
    rows = as_attention(changes)
    assert rows.sum(axis=1) == pytest.approx(np.ones(len(rows)))
    assert rows[:, 2] == pytest.approx(np.ones(len(rows)), abs=1e-2)


def test_rows_without_change_are_even() -> None:
    assert as_attention(np.zeros((2, 4))) == pytest.approx(np.full((2, 4), 0.25))


def test_what_is_not_there_is_refused() -> None:
    _, run = runner("vision")
    with pytest.raises(ValueError, match="counted from 1"):
        value_zeroing(run, 0)
    with pytest.raises(ValueError, match="numbered from 0"):
        value_zeroing(run, 1, [10_000])
