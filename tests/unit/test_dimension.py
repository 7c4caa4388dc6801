"""Dimension and evenness of clouds against closed forms and the oracle values of the sheet."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.dimension import (
    anisotropy,
    intrinsic_dimension,
    participation_ratio,
    spectrum_decay,
    uniformity,
    variances,
)


def gaussian(rows: int, dim: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, dim))


def test_variances_are_the_eigenvalues_of_the_covariance() -> None:
    rows = gaussian(40, 6) @ np.diag([5, 1, 1, 2, 0.1, 3])
    expected = np.sort(np.linalg.eigvalsh(np.cov(rows.T)))[::-1]
    assert variances(rows) == pytest.approx(expected)


def test_participation_of_gaussian_rows() -> None:
    assert participation_ratio(gaussian(1000, 768)) == pytest.approx(434, abs=4)
    assert participation_ratio(np.eye(64)) == pytest.approx(63)  # the mean takes one direction
    assert participation_ratio(np.ones((5, 3))) == 0
    line = np.outer(np.arange(10), np.ones(7))
    assert participation_ratio(line) == pytest.approx(1)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_decay_of_a_power_law(alpha: float) -> None:
    left, _, right = np.linalg.svd(gaussian(200, 50), full_matrices=False)
    left = np.linalg.qr(left - left.mean(axis=0))[0]
    rows = left * np.arange(1, 51) ** (-alpha / 2) @ right
    found = spectrum_decay(rows)
    assert (found.exponent, found.first, found.last) == (pytest.approx(alpha, abs=1e-6), 1, 50)
    assert spectrum_decay(rows, first=3, last=20).last == 20
    with pytest.raises(ValueError, match="at least two ranks"):
        spectrum_decay(rows, first=50)


def test_anisotropy() -> None:
    assert anisotropy(gaussian(500, 64)) == pytest.approx(0, abs=0.01)
    assert anisotropy(np.ones((9, 4))) == pytest.approx(1)
    rogue = gaussian(500, 768)
    rogue[:, 0] += 60
    assert anisotropy(rogue) == pytest.approx(0.82, abs=0.01)
    rows = gaussian(20, 5, seed=3)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert anisotropy(rows) == pytest.approx((unit @ unit.T)[np.triu_indices(20, 1)].mean())


@pytest.mark.parametrize(("dim", "expected"), [(8, -3.08), (128, -3.94), (768, -3.99)])
def test_uniform_directions(dim: int, expected: float) -> None:
    assert uniformity(gaussian(1500, dim)) == pytest.approx(expected, abs=0.02)
    assert uniformity(np.ones((5, dim))) == pytest.approx(0)


@pytest.mark.parametrize(("dim", "expected"), [(1, 0.96), (2, 1.95), (5, 4.6), (10, 8.4), (20, 15.5)])
def test_intrinsic_dimension_of_a_cube(dim: int, expected: float) -> None:
    cubes = [np.random.default_rng(seed).uniform(size=(1500, dim)) for seed in range(3)]
    assert np.mean([intrinsic_dimension(cube) for cube in cubes]) == pytest.approx(expected, rel=0.06)


@given(st.integers(0, 50), st.floats(0.1, 10))
def test_intrinsic_dimension_sees_the_surface_and_not_the_space(seed: int, scale: float) -> None:
    flat = np.random.default_rng(seed).uniform(size=(300, 2))
    turned = scale * np.hstack([flat, np.zeros((300, 10))]) @ np.linalg.qr(gaussian(12, 12, seed))[0]
    assert intrinsic_dimension(turned) == pytest.approx(intrinsic_dimension(flat), rel=1e-3)
    assert intrinsic_dimension(np.vstack([turned, turned])) == pytest.approx(intrinsic_dimension(turned), rel=0.2)


def test_what_has_no_dimension() -> None:
    assert math.isnan(intrinsic_dimension(np.ones((20, 3))))
    for measure in (variances, participation_ratio, anisotropy, uniformity, intrinsic_dimension):
        with pytest.raises(ValueError, match="at least two rows"):
            measure(np.ones((1, 3)))
