"""What holds of forced alignment, for any scores: small ones are compared with every alignment there is."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data2vec_core.processing import ctc_alignment
from data2vec_core.processing.ctc_alignment import best_alignment
from tests.property.test_ctc_beam import BLANK, VOCAB, collapse, frames, scores_of, seeds

texts = st.lists(st.integers(1, VOCAB - 1), max_size=4)


@pytest.mark.parametrize("allowances", [(math.inf,), (0.5, 1.0, 4.0, math.inf), ctc_alignment._ALLOWANCES])
@given(frames, seeds, texts)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_alignment_is_the_best_of_all(
    monkeypatch: pytest.MonkeyPatch, allowances: tuple[float, ...], count: int, seed: int, ids: list[int]
) -> None:
    monkeypatch.setattr(ctc_alignment, "_ALLOWANCES", allowances)
    scores = scores_of(count, seed)
    paths = [path for path in itertools.product(range(VOCAB), repeat=count) if collapse(path) == tuple(ids)]
    if not paths:
        with pytest.raises(ValueError, match=f"{len(ids)} characters do not fit into {count} frames"):
            best_alignment(scores, ids, blank=BLANK)
        return

    def mass(path: tuple[int, ...] | list[int]) -> float:
        return float(scores[range(count), list(path)].sum())

    found = best_alignment(scores, ids, blank=BLANK)
    assert collapse(found) == tuple(ids)
    assert math.isclose(mass(found), max(map(mass, paths)), abs_tol=1e-9)


@given(st.integers(1, 200), seeds)
@settings(max_examples=40)
def test_the_text_of_the_best_path_is_aligned_by_the_best_path(count: int, seed: int) -> None:
    scores = scores_of(count, seed)
    best = scores.argmax(axis=1).tolist()
    assert best_alignment(scores, collapse(best), blank=BLANK) == best


@given(st.integers(8, 60), seeds, texts)
@settings(max_examples=40)
def test_leaving_beginnings_out_changes_nothing(count: int, seed: int, ids: list[int]) -> None:
    scores = scores_of(count, seed)
    states = np.full(2 * len(ids) + 1, BLANK)
    states[1::2] = ids
    may_skip = np.zeros(len(states), dtype=bool)
    may_skip[3::2] = states[3::2] != states[1:-2:2]
    everything = ctc_alignment._path_within(math.inf, scores, states, may_skip)
    assert best_alignment(scores, ids, blank=BLANK) == everything
