"""Canonical correlations, neighbourhoods and Procrustes against closed forms, libraries and the sheet's oracles."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.cross_decomposition import CCA
from sklearn.manifold import trustworthiness as sklearn_trustworthiness

from analysis.canonical import canonical_correlations, mean_correlation, pwcca, svcca
from analysis.neighbours import (
    continuity,
    mean_cosine,
    mutual_knn,
    nearest,
    procrustes_distance,
    trustworthiness,
)

Matrix = NDArray[np.float64]


def related(seed: int, items: int = 200) -> tuple[Matrix, Matrix]:
    random = np.random.default_rng(seed)
    shared = random.standard_normal((items, 3))
    x = shared @ random.standard_normal((3, 8)) + 0.5 * random.standard_normal((items, 8))
    y = shared @ random.standard_normal((3, 5)) + 0.5 * random.standard_normal((items, 5))
    return x, y


def rotation(dim: int, seed: int) -> Matrix:
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((dim, dim)))[0]


def test_correlations_are_those_of_scikit_learn() -> None:
    x, y = related(0)
    variates = CCA(n_components=3, scale=False, max_iter=5000, tol=1e-12).fit_transform(x, y)
    expected = [np.corrcoef(variates[0][:, i], variates[1][:, i])[0, 1] for i in range(3)]
    assert canonical_correlations(x, y)[:3] == pytest.approx(expected, abs=1e-4)


@given(st.integers(0, 100))
def test_no_invertible_map_changes_them(seed: int) -> None:
    x, y = related(seed)
    random = np.random.default_rng(seed + 1)
    mapped = x @ (random.standard_normal((8, 8)) + 3 * np.eye(8)) + 7
    assert canonical_correlations(mapped, y) == pytest.approx(canonical_correlations(x, y), abs=1e-6)
    assert canonical_correlations(y, x) == pytest.approx(canonical_correlations(x, y), abs=1e-9)
    assert canonical_correlations(x, mapped) == pytest.approx(np.ones(8), abs=1e-6)


def test_independent_sides_are_flattered_as_the_sheet_says() -> None:
    x, y = np.random.default_rng(0).standard_normal((2, 2000, 100))
    # for p = q the mean of independent Gaussian sides at n = 20 p
    assert 0.15 < mean_correlation(x, y) < 0.25
    with pytest.raises(ValueError, match="too few for canonical correlations of 100 and 100 dimensions: at least 400"):
        mean_correlation(x[:399], y[:399])


def test_svcca_leaves_out_what_hardly_varies() -> None:
    x, y = related(2)
    assert svcca(x, y, variance=1) == pytest.approx(mean_correlation(x, y))
    noise = 1e-4 * np.random.default_rng(3).standard_normal((200, 20))
    assert svcca(np.hstack([x, noise]), y) == pytest.approx(svcca(x, y), abs=1e-6)
    with pytest.raises(ValueError, match="variance"):
        svcca(x, y, variance=0)


def test_projection_weights_favour_what_x_is_made_of() -> None:
    random = np.random.default_rng(4)
    strong, weak = random.standard_normal((2, 300, 1))
    y = np.hstack([strong, random.standard_normal((300, 1))])
    x = np.hstack([10 * strong, 0.1 * weak])
    assert pwcca(x, y) > 0.95 > mean_correlation(x, y)
    assert pwcca(x, x) == pytest.approx(1)
    assert math.isnan(pwcca(np.ones((40, 2)), y[:40]))


def test_neighbours() -> None:
    line = np.array([[0.0, 1], [1, 1], [3, 1], [7, 1]])
    assert nearest(line, 2, "euclidean").tolist() == [[1, 2], [0, 2], [1, 0], [2, 1]]
    with pytest.raises(ValueError, match="k from 1 below the items"):
        nearest(line, 4)


@given(st.integers(0, 100))
def test_neighbourhoods_do_not_change_by_turning(seed: int) -> None:
    x, y = related(seed, items=40)
    assert mutual_knn(x, 3 * x @ rotation(8, seed)) == 1
    assert mutual_knn(x, y) == mutual_knn(y, x)


def test_agreement_of_independent_sides_is_chance() -> None:
    pairs = [np.random.default_rng(seed).standard_normal((2, 200, 16)) for seed in range(8)]
    agreed = [mutual_knn(x, y, k=10) for x, y in pairs]
    assert np.mean(agreed) == pytest.approx(10 / 199, abs=0.01)


def test_cosine_of_the_same_items() -> None:
    x, _ = related(0)
    assert mean_cosine(x, 2 * x) == pytest.approx(1)
    assert mean_cosine(x, -x) == pytest.approx(-1)
    rogue = np.random.default_rng(1).standard_normal((2, 300, 768))
    rogue[..., 0] += 60
    assert mean_cosine(rogue[0], rogue[1]) == pytest.approx(0.82, abs=0.01)  # analysis-methods.md, section 0
    assert mean_cosine(rogue[0], rogue[1], centre=True) == pytest.approx(0, abs=0.01)
    with pytest.raises(ValueError, match="one shape"):
        mean_cosine(x, x[:, 1:])


@given(st.integers(0, 100))
def test_procrustes_sees_through_turning_scaling_and_moving(seed: int) -> None:
    x, y = related(seed, items=30)
    assert procrustes_distance(x, 5 * x @ rotation(8, seed) - 2) == pytest.approx(0, abs=1e-6)
    assert procrustes_distance(x, y) == pytest.approx(procrustes_distance(y, x))
    assert 0 < procrustes_distance(x, y) < math.sqrt(2)
    assert math.isnan(procrustes_distance(np.ones((30, 2)), y))


def test_trust_in_a_map_is_that_of_scikit_learn() -> None:
    x, y = related(5, items=60)
    points = y[:, :2]
    for metric in ("cosine", "euclidean"):
        expected = sklearn_trustworthiness(x, points, n_neighbors=7, metric=metric)
        assert trustworthiness(x, points, 7, metric) == pytest.approx(expected)
    assert trustworthiness(x[:, :2], x[:, :2], 7, "euclidean") == 1
    assert continuity(x[:, :2], x[:, :2], 7, "euclidean") == 1
    assert continuity(x, points, 7, "euclidean") == pytest.approx(sklearn_trustworthiness(points, x, n_neighbors=7))
    with pytest.raises(ValueError, match="below half"):
        trustworthiness(x, points, 30)
