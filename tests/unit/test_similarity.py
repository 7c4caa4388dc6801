"""CKA against the definition, closed forms and the oracle values of the sheet."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from analysis.similarity import linear_cka


def independent(items: int, dim: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.random.default_rng(seed).standard_normal((2, items, dim))
    return x, y


def related(seed: int, items: int = 30) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two sides of different width that share some structure."""
    random = np.random.default_rng(seed)
    shared = random.standard_normal((items, 4))
    x = shared @ random.standard_normal((4, 12)) + random.standard_normal((items, 12))
    y = shared @ random.standard_normal((4, 7)) + random.standard_normal((items, 7))
    return x, y


def by_definition(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """The debiased ratio from whole uncentred Gram matrices, as the sheet writes it."""
    n = len(x)
    ones = np.ones(n)
    gram = [side @ side.T * (1 - np.eye(n)) for side in (x, y)]

    def hsic(k: NDArray[np.float64], m: NDArray[np.float64]) -> float:
        sums = (ones @ k @ ones) * (ones @ m @ ones) / ((n - 1) * (n - 2))
        return float(np.trace(k @ m) + sums - 2 / (n - 2) * (ones @ k @ m @ ones)) / (n * (n - 3))

    return hsic(gram[0], gram[1]) / math.sqrt(hsic(gram[0], gram[0]) * hsic(gram[1], gram[1]))


@pytest.mark.parametrize("seed", range(4))
def test_debiased_is_what_the_definition_says(seed: int) -> None:
    x, y = related(seed)
    assert linear_cka(x, y) == pytest.approx(by_definition(x, y), rel=1e-9)
    assert linear_cka(x + 3, y - 5) == pytest.approx(by_definition(x, y), rel=1e-9)  # centring is harmless


def test_biased_is_the_cosine_of_the_centred_gram_matrices() -> None:
    x, y = related(0)
    left, right = ((side - side.mean(axis=0)) @ (side - side.mean(axis=0)).T for side in (x, y))
    cosine = (left * right).sum() / (np.linalg.norm(left) * np.linalg.norm(right))
    assert linear_cka(x, y, debiased=False) == pytest.approx(cosine, rel=1e-9)


@pytest.mark.parametrize(("items", "biased"), [(20, 0.97), (50, 0.94), (100, 0.88), (200, 0.80), (500, 0.61)])
def test_independent_sides_of_768_dimensions(items: int, biased: float) -> None:
    x, y = independent(items, 768)
    assert linear_cka(x, y, debiased=False) == pytest.approx(biased, abs=0.01)  # analysis-methods.md, section 1
    assert linear_cka(x, y, debiased=False) == pytest.approx(768 / (768 + items - 1), abs=0.01)
    deviation = {20: 0.085, 50: 0.03, 100: 0.013, 200: 0.007, 500: 0.002}[items]
    assert abs(linear_cka(x, y)) < 3 * deviation


def test_debiased_is_about_zero_on_average_for_independent_sides() -> None:
    values = [linear_cka(*independent(50, 96, seed)) for seed in range(40)]
    assert abs(np.mean(values)) < 0.01
    assert min(values) < 0 < max(values)  # nothing is clipped


@pytest.mark.parametrize("debiased", [False, True])
@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3))
def test_rotation_scale_and_shift_change_nothing(debiased: bool, seed: int, scale: float) -> None:
    x, y = related(seed)
    random = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(random.standard_normal((x.shape[1], x.shape[1])))
    before = linear_cka(x, y, debiased=debiased)
    after = linear_cka(scale * (x @ rotation + random.standard_normal(x.shape[1])), y, debiased=debiased)
    assert after == pytest.approx(before, rel=1e-6, abs=1e-9)
    assert linear_cka(y, x, debiased=debiased) == pytest.approx(before, rel=1e-9)
    assert linear_cka(x, scale * x @ rotation, debiased=debiased) == pytest.approx(1, abs=1e-9)
    assert before < 1


def test_one_rogue_dimension_decides() -> None:
    x, _ = independent(100, 768)
    rogue = x.copy()
    rogue[:, 0] *= 100
    assert linear_cka(x, rogue, debiased=False) == pytest.approx(0.11, abs=0.02)  # analysis-methods.md, section 1


@pytest.mark.parametrize("debiased", [False, True])
def test_a_side_that_does_not_vary_is_undefined(debiased: bool) -> None:
    x, _ = independent(20, 8)
    same = np.full((20, 8), 3.7)
    rounded = (same + 1e-8 * x).astype(np.float32)
    for other in (same, rounded, np.zeros((20, 8))):
        assert math.isnan(linear_cka(x, other, debiased=debiased))
        assert math.isnan(linear_cka(other, x, debiased=debiased))


@pytest.mark.parametrize(("x", "y"), [((3, 4), (3, 4)), ((8, 4), (9, 4)), ((8,), (8,)), ((8, 4), (8,))])
def test_other_shapes_are_refused(x: tuple[int, ...], y: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="same items, at least 4"):
        linear_cka(np.zeros(x), np.zeros(y))
