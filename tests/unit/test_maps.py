"""Maps of points: what a plane shows, and that alignment turns but never stretches."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.maps import principal_plane, turned_to


def test_plane_shows_the_two_widest_directions() -> None:
    random = np.random.default_rng(0)
    flat = random.standard_normal((50, 2)) * [5, 2]
    directions, _ = np.linalg.qr(random.standard_normal((6, 2)))
    plane = principal_plane(7 + flat @ directions.T)
    assert plane.explained == pytest.approx(1)
    centred = flat - flat.mean(axis=0)
    distances = np.linalg.norm(centred[:, None] - centred, axis=-1)
    assert np.linalg.norm(plane.points[:, None] - plane.points, axis=-1) == pytest.approx(distances)
    assert plane.points.std(axis=0)[0] > plane.points.std(axis=0)[1]


def test_signs_do_not_hang_on_the_decomposition() -> None:
    features = np.random.default_rng(0).standard_normal((20, 5))
    again = principal_plane(features[::-1]).points[::-1]  # another order may flip what the decomposition returns
    assert again == pytest.approx(principal_plane(features).points)


def test_points_that_are_the_same_show_nothing() -> None:
    plane = principal_plane(np.zeros((4, 3)))
    assert plane.explained == 0
    assert not plane.points.any()


def test_alignment_finds_a_turn_and_a_mirror_and_scales_nothing() -> None:
    earlier = np.random.default_rng(0).standard_normal((30, 2))
    earlier -= earlier.mean(axis=0)
    turn = np.array([[0.6, 0.8], [0.8, -0.6]])  # a turn and a mirror
    assert turned_to(earlier @ turn, earlier) == pytest.approx(earlier)
    assert turned_to(0.1 * earlier @ turn, earlier) == pytest.approx(0.1 * earlier)  # a collapse stays one


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least two of each"):
        principal_plane(np.zeros((5, 1)))
    with pytest.raises(ValueError, match="one shape"):
        turned_to(np.zeros((5, 2)), np.zeros((4, 2)))
