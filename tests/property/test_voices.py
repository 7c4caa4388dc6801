"""The scores of voices against slow definitions, on any scores and any turns."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data2vec_core.tasks.speaker_activity import Smoothing
from recipes.mixtures import fill_gaps
from recipes.voice_metrics import DiarisationErrors, equal_error

trials = st.lists(st.tuples(st.integers(-8, 8), st.booleans()), min_size=2, max_size=40).filter(
    lambda pairs: len({same for _, same in pairs}) == 2
)
frames = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30)
switches = st.lists(st.booleans(), min_size=1, max_size=30)


def unpack(pairs: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([score / 8 for score, _ in pairs]), np.array([same for _, same in pairs])


def slow_equal_error(scores: np.ndarray, is_same: np.ndarray) -> float:
    """Walk from threshold to threshold, and cut the line from one pair of rates to the next with the diagonal."""
    points = []
    for threshold in [*sorted(set(scores.tolist())), np.inf]:
        passes = scores >= threshold
        points.append(
            (float((~passes & is_same).sum() / is_same.sum()), float((passes & ~is_same).sum() / (~is_same).sum()))
        )
    for (missed, accepted), (more, fewer) in itertools.pairwise(points):
        if missed <= accepted and more >= fewer:
            return missed + (more - missed) * (accepted - missed) / ((accepted - missed) + (more - fewer))
    raise AssertionError("the rates cross")


@given(trials)
def test_equal_error_is_that_of_a_walk_over_all_thresholds(pairs: list[tuple[int, bool]]) -> None:
    scores, is_same = unpack(pairs)
    assert equal_error(scores, is_same).rate == pytest.approx(slow_equal_error(scores, is_same), abs=1e-12)


@given(trials)
def test_equal_error_knows_only_the_order_of_scores(pairs: list[tuple[int, bool]]) -> None:
    scores, is_same = unpack(pairs)
    assert equal_error(np.exp(3 * scores), is_same).rate == equal_error(scores, is_same).rate


@given(trials)
def test_turned_round_the_equal_error_is_the_rest(pairs: list[tuple[int, bool]]) -> None:
    scores, is_same = unpack(pairs)
    assert equal_error(-scores, is_same).rate == pytest.approx(1 - equal_error(scores, is_same).rate)


@given(trials)
def test_the_threshold_is_where_the_errors_are_equal(pairs: list[tuple[int, bool]]) -> None:
    """With it, neither kind of error is as rare as just before the crossing and as frequent as just after."""
    scores, is_same = unpack(pairs)
    point = equal_error(scores, is_same)
    passes = scores >= point.threshold
    missed = (~passes & is_same).sum() / is_same.sum()
    accepted = (passes & ~is_same).sum() / (~is_same).sum()
    assert min(missed, accepted) - 1e-9 <= point.rate <= max(missed, accepted) + 1e-9


def slow_diarisation(found: np.ndarray, true: np.ndarray) -> float:
    """Frame by frame with sets, by the rule max(speakers, found) - right of NIST, over both assignments."""
    totals = []
    for order in itertools.permutations(range(2)):
        wrong = 0
        for ours, theirs in zip(found, true, strict=True):
            heard = {order[speaker] for speaker in range(2) if ours[speaker]}
            spoke = {speaker for speaker in range(2) if theirs[speaker]}
            wrong += max(len(heard), len(spoke)) - len(heard & spoke)
        totals.append(wrong)
    return min(totals)


@given(frames, st.randoms(use_true_random=False))
def test_diarisation_errors_are_those_of_a_walk_over_the_frames(turns: list[tuple[bool, bool]], random: object) -> None:
    true = np.array(turns)
    found = np.array([[random.random() < 0.5 for _ in range(2)] for _ in turns])  # type: ignore[attr-defined]
    errors = DiarisationErrors.count(found, true)
    assert errors.missed + errors.false_alarm + errors.confused == slow_diarisation(found, true)
    assert errors.speech == true.sum()
    assert errors == DiarisationErrors.count(found[:, ::-1], true)
    assert DiarisationErrors.count(true, true).confused == 0


@given(switches, st.integers(0, 5))
def test_filled_gaps_lie_between(turns: list[bool], longest: int) -> None:
    is_on = np.array(turns)
    filled = fill_gaps(is_on, longest)
    assert (filled | ~is_on).all()
    for index in np.flatnonzero(filled & ~is_on):
        before, after = np.flatnonzero(is_on[:index]), np.flatnonzero(is_on[index:])
        assert after[0] + index - before[-1] - 1 <= longest
    assert (fill_gaps(filled, longest) == filled).all()


@given(frames, st.sampled_from([1, 3, 5]), st.integers(0, 4), st.integers(0, 4))
def test_smoothed_turns_and_gaps_are_long(turns: list[tuple[bool, bool]], window: int, shortest: int, gap: int) -> None:
    probabilities = np.eye(4)[np.array(turns) @ [1, 2]]
    speaking = Smoothing(window=window, shortest_turn=shortest, longest_gap=gap).speaking(probabilities)
    assert speaking.shape == (len(turns), 2)
    for voice in speaking.T:
        starts = [index for index in range(len(voice)) if voice[index] and (index == 0 or not voice[index - 1])]
        for start in starts:
            silence = np.flatnonzero(~voice[start:])
            assert (silence[0] if len(silence) else len(voice) - start) >= shortest
