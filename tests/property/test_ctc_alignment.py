"""What holds of forced alignment, for any scores: small ones are compared with every alignment there is."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data2vec_core.processing import ctc_alignment
from data2vec_core.processing.ctc_alignment import TextDoesNotFitError, best_alignment
from tests.property.test_ctc_beam import BLANK, VOCAB, collapse, frames, scores_of, seeds

texts = st.lists(st.integers(1, VOCAB - 1), max_size=4)


@pytest.mark.parametrize("is_long", [False, True])
@given(frames, seeds, texts)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_alignment_is_the_best_of_all(
    monkeypatch: pytest.MonkeyPatch, is_long: bool, count: int, seed: int, ids: list[int]
) -> None:
    if is_long:
        monkeypatch.setattr(ctc_alignment, "_EXACT", 0)
    scores = scores_of(count, seed)
    paths = [path for path in itertools.product(range(VOCAB), repeat=count) if collapse(path) == tuple(ids)]
    if not paths:
        with pytest.raises(TextDoesNotFitError, match=f"{len(ids)} characters do not fit into {count} frames"):
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


@given(st.integers(8, 60), seeds, texts, st.floats(0.1, 30))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_narrow_margin_never_finds_better(
    monkeypatch: pytest.MonkeyPatch, count: int, seed: int, ids: list[int], margin: float
) -> None:
    scores = scores_of(count, seed)
    exact = best_alignment(scores, ids, blank=BLANK)
    with monkeypatch.context() as patched:
        patched.setattr(ctc_alignment, "_EXACT", 0)
        patched.setattr(ctc_alignment, "_MARGINS", (margin, math.inf))
        found = best_alignment(scores, ids, blank=BLANK)
    assert collapse(found) == tuple(ids)
    masses = [float(scores[range(count), path].sum()) for path in (found, exact)]
    assert masses[0] <= masses[1] + 1e-9
