"""Relevance drawn over a photo."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from analysis.figures.relevance import RAMP, ramp_colour, relevance_over

GREY = Image.new("RGB", (4, 2), (100, 100, 100))
DIMMED = 75
"""What of it lies below the colours."""


def test_colours_follow_the_square_root_from_nothing_to_the_most() -> None:
    drawn = np.asarray(relevance_over(GREY, np.array([[0, 1, 4, 16], [0, 0, 0, 0]], np.float32)))
    for column, fraction in enumerate((0, 0.25, 0.5, 1)):
        expected = [DIMMED + 0.6 * (channel - DIMMED) for channel in ramp_colour(fraction)]
        assert np.abs(drawn[0, column] - np.array(expected)).max() <= 2
    assert drawn.astype(int).sum(axis=2)[0].tolist() == sorted(drawn.astype(int).sum(axis=2)[0].tolist())


def test_what_the_model_did_not_see_stays_grey() -> None:
    drawn = np.asarray(relevance_over(GREY, np.array([[np.nan, 1, 1, 1]] * 2, np.float32)))
    assert (drawn[:, 0] == DIMMED).all()


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_picture_without_relevance_can_be_drawn(value: float) -> None:
    drawn = np.asarray(relevance_over(GREY, np.full((2, 4), value, np.float32)))
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) == 1


def test_the_ramp_gets_lighter_all_the_way() -> None:
    lightness = [
        sum(weight * channel for weight, channel in zip((2, 7, 1), ramp_colour(i / 50), strict=True)) for i in range(51)
    ]
    assert lightness == sorted(lightness)
    assert (ramp_colour(0), ramp_colour(1)) == (RAMP[0], RAMP[-1])


def test_sizes_have_to_agree() -> None:
    with pytest.raises(ValueError, match=r"photo's size \(2, 4\), got \(4, 2\)"):
        relevance_over(GREY, np.zeros((4, 2), np.float32))
