"""Measures of attention against closed forms and the oracle values of the sheet."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from analysis.attention import (
    attention_distance,
    attention_entropy,
    grid_distances,
    head_divergence,
    head_measures,
    most_of_the_mass,
    rollout,
    sequence_distances,
    without,
)


def uniform(*shape: int) -> NDArray[np.float64]:
    return np.full(shape, 1 / shape[-1])


def random(seed: int, *shape: int) -> NDArray[np.float64]:
    rows = np.random.default_rng(seed).gamma(0.3, size=shape) + 1e-12
    return rows / rows.sum(axis=-1, keepdims=True)


def test_uniform_attention_over_a_grid_of_patches() -> None:
    distance = attention_distance(uniform(3, 196, 196), grid_distances(14, 14, 16))
    assert distance == pytest.approx(116.5, abs=0.05)
    assert attention_distance(uniform(196, 196), grid_distances(14, 14)) == pytest.approx(7.28, abs=0.005)


@pytest.mark.parametrize("size", [2, 7, 50])
def test_uniform_attention_over_a_sequence(size: int) -> None:
    distance = attention_distance(uniform(size, size), sequence_distances(size, 0.02))
    assert distance == pytest.approx(0.02 * (size**2 - 1) / (3 * size))


def test_a_head_that_looks_at_itself_has_no_distance_and_no_entropy() -> None:
    assert attention_distance(np.eye(9), grid_distances(3, 3)) == 0
    assert (attention_entropy(np.eye(9)) == 0).all()
    assert attention_entropy(uniform(4, 9)) == pytest.approx(np.full(4, math.log(9)))


@pytest.mark.parametrize("depth", [1, 3, 12])
def test_rollout_of_uniform_attention(depth: int) -> None:
    rolled = rollout([uniform(2, 5, 5)] * depth)
    assert rolled == pytest.approx(2.0**-depth * np.eye(5) + (1 - 2.0**-depth) * np.full((5, 5), 1 / 5))


@given(st.integers(0, 1000), st.integers(1, 6), st.integers(1, 9))
def test_rows_of_a_rollout_sum_to_one(seed: int, depth: int, size: int) -> None:
    rolled = rollout(list(random(seed, depth, 3, size, size)))
    assert rolled.sum(axis=1) == pytest.approx(np.ones(size))
    assert (rolled >= 0).all()


def test_rollout_is_the_product_from_the_top() -> None:
    first, second = random(0, 2, 4, 4), random(1, 2, 4, 4)
    expected = (second.mean(axis=0) + np.eye(4)) / 2 @ ((first.mean(axis=0) + np.eye(4)) / 2)
    assert rollout([first, second]) == pytest.approx(expected)


def test_what_is_left_out_is_told() -> None:
    attention = random(3, 2, 5, 5)
    left = without(attention, [0, 4])
    assert left.attention.shape == (2, 3, 3)
    assert left.attention.sum(axis=-1) == pytest.approx(np.ones((2, 3)))
    assert left.hidden == pytest.approx(attention[:, 1:4][..., [0, 4]].sum(axis=-1))
    assert left.attention[1, 0, 2] == pytest.approx(attention[1, 1, 3] / attention[1, 1, 1:4].sum())
    assert without(attention, []).attention == pytest.approx(attention)


def test_a_row_that_looks_at_nothing_else_is_even() -> None:
    sink = np.zeros((3, 3))
    sink[:, 0] = 1
    left = without(sink, [0])
    assert left.attention == pytest.approx(np.full((2, 2), 0.5))
    assert left.hidden == pytest.approx([1, 1])


@given(st.integers(0, 1000), st.floats(0.01, 1))
def test_the_mass_is_held_by_no_fewer(seed: int, share: float) -> None:
    weights = random(seed, 1, 30)[0]
    chosen = most_of_the_mass(weights, share)
    assert weights[chosen].sum() >= share - 1e-6
    assert weights[chosen].sum() - weights[chosen].min() < share
    assert weights[chosen].min() >= weights[~chosen].max(initial=0)


def test_kinds_of_heads() -> None:
    size = 40
    distances = sequence_distances(size)
    diagonal = np.exp(-distances)
    vertical = np.full((size, size), 1e-4)
    vertical[:, 7] = 1
    heads = np.stack([side / side.sum(axis=1, keepdims=True) for side in (diagonal, np.ones((size, size)), vertical)])
    measured = head_measures(heads)
    assert measured.kinds() == ["diagonal", "global", "vertical"]
    assert measured.globalness[1] == pytest.approx(1)
    assert measured.verticality[1] == pytest.approx(-1)
    assert measured.diagonality[1] == pytest.approx(-(size**2 - 1) / (3 * size**2))


def test_divergence_of_heads() -> None:
    apart = np.stack([np.eye(4), np.roll(np.eye(4), 1, axis=1), np.eye(4)])
    divergence = head_divergence(apart)
    assert divergence == pytest.approx(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) * math.log(2))
    several = head_divergence(random(5, 4, 6, 6))
    assert several == pytest.approx(several.T)
    assert (np.diag(several) == 0).all()
    assert (several <= math.log(2)).all()


def test_what_is_no_attention_is_refused() -> None:
    with pytest.raises(ValueError, match="summing to 1"):
        attention_entropy(np.ones((3, 3)))
    with pytest.raises(ValueError, match="not those of attention"):
        attention_distance(uniform(3, 3), sequence_distances(4))
    with pytest.raises(ValueError, match="at least one"):
        rollout([])
    with pytest.raises(ValueError, match="numbered from 0"):
        without(uniform(3, 3), [3])
    with pytest.raises(ValueError, match="nothing would be left"):
        without(uniform(2, 2), [0, 1])
    with pytest.raises(ValueError, match="as many queries as keys"):
        head_measures(uniform(2, 3))
    with pytest.raises(ValueError, match="share above 0"):
        most_of_the_mass(np.zeros(3))
