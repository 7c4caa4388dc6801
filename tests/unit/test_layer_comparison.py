"""Layer by layer comparisons and colours of components, on made-up layers of which one knows what is alike."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.component_colours import ColourBasis
from analysis.layer_comparison import MEASURES, Measure, compare_layers
from analysis.similarity import linear_cka

Layers = NDArray[np.float64]


def layers(seed: int = 0, depth: int = 4, items: int = 120, dim: int = 10) -> Layers:
    """Each layer is the one before, turned, with something new."""
    random = np.random.default_rng(seed)
    made = [random.standard_normal((items, dim))]
    for _ in range(depth - 1):
        turned = made[-1] @ np.linalg.qr(random.standard_normal((dim, dim)))[0]
        made.append(turned + 0.7 * random.standard_normal((items, dim)))
    return np.stack(made)


@pytest.mark.parametrize("measure", MEASURES)
def test_every_layer_is_most_like_itself(measure: Measure) -> None:
    found = compare_layers(layers(), layers(), measure)
    best = found.matrix.argmin(axis=1) if measure == "procrustes" else found.matrix.argmax(axis=1)
    assert best.tolist() == [0, 1, 2, 3]
    assert found.diagonal() == pytest.approx(np.full(4, 0 if measure == "procrustes" else 1), abs=1e-6)
    assert (found.n, found.p) == (120, (10, 10))
    assert (found.rows, found.columns) == ((0, 1, 2, 3), (0, 1, 2, 3))


def test_neighbouring_layers_are_more_alike_than_far_ones() -> None:
    matrix = compare_layers(layers(), layers()).matrix
    assert matrix[0, 1] > matrix[0, 2] > matrix[0, 3] > 0.1
    assert matrix[1, 3] == pytest.approx(linear_cka(layers()[1], layers()[3]))


@pytest.mark.parametrize("measure", ["cka", "mutual_knn", "cosine"])
def test_shuffled_items_come_to_chance(measure: Measure) -> None:
    side = layers(items=300)
    found = compare_layers(side, side, measure, shuffled=1)
    assert found.chance is not None
    assert found.matrix.mean() == pytest.approx(found.chance, abs=0.03)
    again = compare_layers(side, side, measure, shuffled=1)
    assert np.array_equal(again.matrix, found.matrix)


def test_sides_may_differ_in_depth_and_width() -> None:
    found = compare_layers(layers(depth=2), layers(1, depth=3, dim=7))
    assert found.matrix.shape == (2, 3)
    assert found.p == (10, 7)
    with pytest.raises(ValueError, match="the sides have layers"):
        found.diagonal()


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of cka"):
        compare_layers(layers(), layers(), "angle")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="same items"):
        compare_layers(layers(), layers(items=30))
    with pytest.raises(ValueError, match="at least 4 items"):
        compare_layers(layers(items=3), layers(items=3))
    with pytest.raises(ValueError, match="too few for canonical correlations"):
        compare_layers(layers(items=30), layers(items=30), "pwcca")


def test_colours_are_made_on_the_basis_they_were_fitted_to() -> None:
    targets = layers(dim=12)[0]
    basis = ColourBasis.of(targets)
    assert sum(basis.explained) < 1
    assert basis.explained[0] >= basis.explained[1] >= basis.explained[2] > 0
    colours = basis.colours(targets)
    assert colours.shape == (120, 3)
    assert (colours.min(axis=0) == 0).all()
    assert (colours.max(axis=0) == 255).all()
    assert np.array_equal(basis.colours(targets[7]), colours[7])
    far = targets.mean(axis=0) + 100 * basis.directions[0]
    assert basis.colours(far).tolist()[0] == 255
    assert np.array_equal(ColourBasis.of(targets[:, ::-1]).colours(targets[:, ::-1]), colours), "signs are fixed"


def test_flat_vectors_are_grey() -> None:
    basis = ColourBasis.of(np.ones((5, 4)))
    assert basis.colours(np.ones((5, 4))).tolist() == [[128, 128, 128]] * 5
    assert basis.explained == (0, 0, 0)
    line = np.outer(np.arange(5.0), [1, 0, 0, 0])
    assert basis.directions.shape == ColourBasis.of(line).directions.shape == (3, 4)
    with pytest.raises(ValueError, match="at least two rows"):
        ColourBasis.of(np.ones((1, 4)))
