"""The live training: its limits, its data, and that what is left out of the method shows."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from analysis import live_training
from analysis.items.photographs import photographs
from analysis.live_settings import DEPTH, LONGEST, LiveSettings
from analysis.live_training import (
    BATCH,
    CUT,
    GRID,
    SIDE,
    LiveMoment,
    Pieces,
    boxes,
    method_of,
    new_student,
    of_one_contrast,
    plan_of,
    train_live,
)


@pytest.fixture(scope="module")
def pieces() -> Pieces:
    """Of four photographs that are noise."""
    generator = torch.Generator().manual_seed(0)
    stored = tuple(torch.randint(256, (80, 90 + i), dtype=torch.uint8, generator=generator) for i in range(4))
    asked = of_one_contrast(torch.randint(256, (8, SIDE, SIDE), generator=generator))
    return Pieces(stored, asked, np.repeat(np.arange(4), 2))


def ticking(step: float = 1.0) -> Callable[[], float]:
    """A clock on which every look takes this long."""
    return itertools.count(step=step).__next__


def trained(pieces: Pieces, **changes: object) -> list[LiveMoment]:
    return list(train_live(LiveSettings(seconds=20, **changes), pieces, clock=ticking()))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tau_start", -0.1),
        ("tau_end", 1.5),
        ("tau_end", math.nan),
        ("top_layers", 0),
        ("top_layers", DEPTH + 1),
        ("masked", 1.0),
        ("rate", 1.0),
        ("seed", -1),
        ("seconds", 2 * LONGEST),
        ("seconds", math.inf),
    ],
)
def test_settings_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        LiveSettings(**{name: value})  # type: ignore[arg-type]


def test_the_method_is_that_of_the_settings() -> None:
    method = method_of(LiveSettings(tau_start=0.5, tau_end=0.7, top_layers=2, masked=0.5, is_normalised=False))
    assert (method.decay(0), method.decay(10**6)) == (0.5, 0.7)
    assert (method.targets.top_layers, method.targets.layer_norm, method.targets.mean_norm) == (2, "none", "none")
    assert method.masking.kept == 0.5  # type: ignore[attr-defined]
    assert method_of(LiveSettings()).targets.mean_norm == "layer"
    plan = plan_of(LiveSettings(rate=5e-3, seed=3))
    assert (plan.seed, max(map(plan.schedule, range(plan.steps)))) == (3, pytest.approx(5e-3))


@pytest.mark.parametrize("size", [(320, 213), (213, 320), (240, 240), (97, 301)])
def test_pieces_of_a_photograph_lie_inside_and_apart(size: tuple[int, int]) -> None:
    covered = np.zeros(size, dtype=int)
    for left, top, right, bottom in boxes(size):
        assert 0 <= left < right <= size[0]
        assert 0 <= top < bottom <= size[1]
        assert right - left == bottom - top
        covered[left:right, top:bottom] += 1
    assert covered.max() == 1
    assert len(boxes(size)) == GRID[0] * GRID[1]


def test_contrast_and_brightness_tell_nothing() -> None:
    noise = torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    made = of_one_contrast(torch.stack([255 * noise[0], 60 * noise[1] + 20, torch.full((SIDE, SIDE), 200.0)]))
    assert made.shape == (3, 3, SIDE, SIDE)
    torch.testing.assert_close(made.mean(dim=(1, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    assert made[0].std() == pytest.approx(0.5, abs=0.06)
    assert made[1].std() == pytest.approx(0.37, abs=0.06)  # what hardly varies stays fainter
    torch.testing.assert_close(made[2], torch.zeros(3, SIDE, SIDE), atol=1e-5, rtol=0)


def test_the_shipped_photographs_give_as_many_pieces_each() -> None:
    pieces = Pieces.read()
    count = len(photographs())
    assert pieces.asked.shape == (count * GRID[0] * GRID[1], 3, SIDE, SIDE)
    assert set(np.bincount(pieces.sources)) == {GRID[0] * GRID[1]}
    assert pieces.chance == pytest.approx(1 / count)
    assert min(min(one.shape) for one in pieces.photographs) >= CUT


def test_batches_follow_from_seed_and_number(pieces: Pieces) -> None:
    first, again, other = (pieces.views(seed)(7)["pixel_values"] for seed in (0, 0, 1))  # type: ignore[call-arg]
    assert first.shape == (BATCH, 3, SIDE, SIDE)
    torch.testing.assert_close(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, pieces.views(0)(8)["pixel_values"])  # type: ignore[call-arg]


def test_a_run_begins_before_any_step_and_ends_in_time(pieces: Pieces) -> None:
    moments = trained(pieces)
    first, last = moments[0], moments[-1]
    assert (first.step, first.loss, first.tau, first.distance) == (0, None, None, None)
    assert first.cka == pytest.approx([1.0] * (DEPTH + 1))
    assert first.effective_rank[0] == pytest.approx(first.effective_rank[1])
    assert [moment.step for moment in moments] == sorted({moment.step for moment in moments})
    assert 20 <= last.seconds < 23
    assert last.loss is not None
    assert all(moment.seconds < 20 for moment in moments[:-1])


def test_the_last_step_ends_a_run_that_is_in_time(pieces: Pieces, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_training, "STEPS", 3)
    moments = list(train_live(LiveSettings(), pieces, clock=ticking(0.01)))
    assert [moment.step for moment in moments] == [0, 3]


def test_the_same_settings_give_the_same_run_however_often_it_is_looked_at(
    pieces: Pieces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_training, "STEPS", 6)
    often, seldom = (list(train_live(LiveSettings(), pieces, clock=ticking(tick)))[-1] for tick in (0.5, 0.001))
    assert often.effective_rank == seldom.effective_rank
    assert often.target_spread == seldom.target_spread
    other = list(train_live(LiveSettings(seed=1), pieces, clock=ticking(0.5)))[-1]
    assert often.effective_rank != other.effective_rank


def test_with_tau_0_the_teacher_is_the_student(pieces: Pieces) -> None:
    healthy, copied = trained(pieces)[-1], trained(pieces, tau_start=0.0, tau_end=0.0)[-1]
    assert copied.distance == (0.0,) * DEPTH
    assert copied.knn[0] == copied.knn[1]
    assert healthy.distance is not None
    assert min(healthy.distance) > 0
    assert healthy.tau == pytest.approx(0.99, abs=1e-3)


def test_normalised_targets_have_a_deviation_of_1_and_others_do_not(pieces: Pieces) -> None:
    spreads = [trained(pieces, is_normalised=is_normalised)[-1].target_spread for is_normalised in (True, False)]
    assert spreads[0] == pytest.approx(1, abs=0.05)
    assert spreads[1] is not None
    assert spreads[1] < 0.5


def test_closing_a_run_ends_it(pieces: Pieces) -> None:
    run = train_live(LiveSettings(), pieces, clock=ticking())
    next(run)
    next(run)
    run.close()  # type: ignore[attr-defined]
    assert list(run) == []


def test_a_moment_is_plain_numbers(pieces: Pieces) -> None:
    moment = dataclasses.asdict(trained(pieces)[-1])
    plain = (int, float, type(None))
    assert all(
        isinstance(one, plain) for value in moment.values() for one in (value if isinstance(value, tuple) else [value])
    )


def test_the_student_is_small() -> None:
    assert sum(parameter.numel() for parameter in new_student().parameters()) < 250_000
