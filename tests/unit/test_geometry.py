"""Spread and rank against closed forms and the oracle values of the sheet."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.geometry import deviations, direction_spread, effective_rank, spread


def test_spread_by_hand() -> None:
    features = np.array([[1.0, 5.0], [3.0, 5.0]])
    assert deviations(features).tolist() == [1.0, 0.0]
    assert spread(features) == 0.5
    assert spread(np.ones((4, 3))) == 0


def test_uniform_directions_have_spread_one() -> None:
    random = np.random.default_rng(0)
    directions = random.standard_normal((4000, 64)) * random.uniform(0.1, 9, (4000, 1))  # lengths do not matter
    assert direction_spread(directions) == pytest.approx(1, abs=0.01)
    assert direction_spread(np.outer(np.arange(1, 9), [3.0, 4.0])) == pytest.approx(0, abs=1e-7)
    assert direction_spread(np.zeros((5, 2))) == 0


def test_effective_rank_of_known_spectra() -> None:
    assert effective_rank(np.eye(64)) == pytest.approx(64)
    assert effective_rank(np.outer(np.arange(1, 9), np.ones(5))) == pytest.approx(1)
    assert effective_rank(np.zeros((3, 4))) == 0
    # singular values 3 and 1: shares 3/4 and 1/4
    expected = np.exp(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    assert effective_rank(np.diag([3.0, 1.0])) == pytest.approx(expected)


def test_effective_rank_of_gaussian_rows() -> None:
    rows = np.random.default_rng(0).standard_normal((256, 768))
    assert effective_rank(rows) == pytest.approx(244, abs=1)  # analysis-methods.md, section 3


def test_a_common_offset_is_one_direction_unless_centred() -> None:
    random = np.random.default_rng(0)
    collapsed = 100 + 1e-3 * random.standard_normal((200, 16))
    assert effective_rank(collapsed) < 1.01
    assert effective_rank(collapsed, centre=True) > 14


@pytest.mark.parametrize("measure", [spread, deviations, direction_spread, effective_rank])
@pytest.mark.parametrize("shape", [(3,), (0, 4)])
def test_other_shapes_are_refused(measure: object, shape: tuple[int, ...]) -> None:
    assert callable(measure)
    with pytest.raises(ValueError, match=r"features must be \(rows, dim\)"):
        measure(np.zeros(shape))
