"""Forced alignment: examples, what does not fit, and sound of any length."""

from __future__ import annotations

import time

import numpy as np
import pytest

from data2vec_core.processing import ctc_alignment
from data2vec_core.processing.ctc_alignment import TextDoesNotFitError, TextUnlikeSoundError, best_alignment


def peaks(ids: list[int], *, every: int = 5, vocab: int = 30) -> np.ndarray:
    """(frames, vocab) as a trained model gives them: blanks, and a sharp peak for every character."""
    shares = np.full((len(ids) * every, vocab), 1e-4)
    shares[:, 0] = 1.0
    for place, index in enumerate(ids):
        shares[place * every + every // 2, [0, index]] = 0.1, 0.9
    return np.log(shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


def test_a_text_is_placed_where_it_was_said() -> None:
    assert best_alignment(peaks([3, 3, 7], every=3), [3, 3, 7], blank=0) == [0, 3, 0, 0, 3, 0, 0, 7, 0]


def test_another_text_takes_the_places_where_it_loses_least() -> None:
    scores = peaks([3, 7], every=3)
    scores[1, 5] = np.log(0.05)  # where 3 is, 5 is not impossible
    assert best_alignment(scores, [5, 7], blank=0) == [0, 5, 0, 0, 7, 0]


def test_a_character_may_follow_another_at_once_unless_it_is_the_same() -> None:
    even = np.log(np.full((3, 4), 0.25))
    assert best_alignment(even, [1, 2, 3], blank=0) == [1, 2, 3]
    assert best_alignment(even, [2, 2], blank=0) == [2, 0, 2]


def test_no_frames_have_no_characters() -> None:
    nothing = np.zeros((0, 4))
    assert best_alignment(nothing, (), blank=0) == []
    with pytest.raises(TextDoesNotFitError, match="1 characters do not fit into 0 frames"):
        best_alignment(nothing, [1], blank=0)


def test_what_does_not_fit_is_named() -> None:
    scores = np.log(np.full((2, 4), 0.25))
    with pytest.raises(ValueError, match=r"got \(2,\)"):
        best_alignment(scores[:, 0], (2,), blank=0)
    with pytest.raises(TextDoesNotFitError, match="2 characters do not fit into 2 frames"):
        best_alignment(scores, (2, 2), blank=0)
    scores[:, 2] = -np.inf
    with pytest.raises(TextDoesNotFitError, match="1 characters do not fit"):
        best_alignment(scores, (2,), blank=0)


def test_an_hour_is_aligned_in_little_memory_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """36,000 characters in 180,000 frames are 13 thousand million pairs, of which hardly any have to be looked at."""
    monkeypatch.setattr(ctc_alignment, "_MOST_STATES", 300 * 180_000)
    ids = np.random.default_rng(0).integers(1, 30, 36_000)
    scores = peaks(ids.tolist())
    written = ids.copy()
    written[::20] = 1 + written[::20] % 29  # a wrong character now and then
    start = time.perf_counter()
    path = np.array(best_alignment(scores, written.tolist(), blank=0))
    assert time.perf_counter() - start < 120
    right = written == ids
    assert (path[2::5] == written)[right].mean() > 0.99


def test_behind_a_page_that_was_not_said_the_text_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctc_alignment, "_EXACT", 0)
    ids = np.random.default_rng(0).integers(1, 30, 1000).tolist()
    written = [*ids[:500], *[30] * 100, *ids[500:]]  # takes 200 frames, for the same may not follow at once
    path = best_alignment(peaks(ids, vocab=31), written, blank=0)
    assert path[2:2000:5] == ids[:400]
    assert path[-1998::5] == ids[-400:]


def test_a_long_text_that_was_never_said_is_refused_before_memory_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctc_alignment, "_EXACT", 0)
    monkeypatch.setattr(ctc_alignment, "_MOST_STATES", 100_000)
    random = np.random.default_rng(0)
    scores = peaks(random.integers(1, 30, 1000).tolist())
    with pytest.raises(TextUnlikeSoundError, match="align shorter parts"):
        best_alignment(scores, random.integers(1, 30, 1000).tolist(), blank=0)
