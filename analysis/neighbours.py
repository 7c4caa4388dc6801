"""Who is near whom: neighbourhoods compared between two representations of the same items, and with a map of them
(analysis-methods.md, sections 1 and 4)."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Metric = Literal["cosine", "euclidean"]


def nearest(features: NDArray[Any], k: int, metric: Metric = "cosine") -> NDArray[np.int64]:
    """The k nearest other items of each item, nearest first; ties by their number.

    Args:
        features: (items, dim).
        k: 1 to items - 1.

    Returns:
        (items, k)

    Raises:
        ValueError: no such k or shape.
    """
    return np.argsort(_distances(features, k, metric), axis=1, kind="stable")[:, :k]


def mutual_knn(x: NDArray[Any], y: NDArray[Any], k: int = 10, metric: Metric = "cosine") -> float:
    """Share of neighbours that two representations agree on (arXiv 2405.07987). Chance gives `k / (items - 1)`.

    Args:
        x: (items, dim).
        y: (items, other dim), the same items in the same order.
        k: neighbours, 1 to items - 1, and best far fewer.

    Returns:
        0 to 1.

    Raises:
        ValueError: not the same number of items, or no such k.
    """
    if len(x) != len(y):
        raise ValueError(f"x and y must be of the same items, got {len(x)} and {len(y)}")
    both = np.concatenate([nearest(x, k, metric), nearest(y, k, metric)], axis=1)
    both.sort(axis=1)
    return float((both[:, 1:] == both[:, :-1]).sum() / (len(x) * k))


def mean_cosine(x: NDArray[Any], y: NDArray[Any], *, centre: bool = False) -> float:
    """Mean cosine of each item with itself on the other side: of use where both share their axes, as a student and its
    moving-average teacher do, and between no others. Without centring one rogue dimension may make it 1.

    Args:
        x, y: (items, dim) of one shape. A row of zeros has cosine 0.
        centre: take each side's mean row off first.

    Returns:
        -1 to 1.

    Raises:
        ValueError: not of one shape, or no items.
    """
    if x.ndim != 2 or x.shape != y.shape or not len(x):
        raise ValueError(f"x and y must be (items, dim) of one shape, got {x.shape} and {y.shape}")
    sides = [np.asarray(side, dtype=np.float64) for side in (x, y)]
    left, right = (_directions(side - side.mean(axis=0) if centre else side) for side in sides)
    return float((left * right).sum(axis=1).mean())


def procrustes_distance(x: NDArray[Any], y: NDArray[Any]) -> float:
    """How far two clouds stay apart when one is moved, scaled, turned and mirrored onto the other (arXiv 2108.01661).

    Args:
        x: (items, dim).
        y: (items, other dim), the same items in the same order.

    Returns:
        0 (the same but for these) to sqrt(2); a metric. NaN where a side does not vary.

    Raises:
        ValueError: not two matrices of as many rows.
    """
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise ValueError(f"x and y must be (items, dim) of the same items, got shapes {x.shape} and {y.shape}")
    sides = [np.asarray(side, dtype=np.float64) - side.mean(axis=0, dtype=np.float64) for side in (x, y)]
    left, right = (side / length if (length := np.linalg.norm(side)) > 0 else side * np.nan for side in sides)
    if np.isnan(left).any() or np.isnan(right).any():
        return float("nan")
    shared = np.linalg.svd(left.T @ right, compute_uv=False).sum()
    return float(np.sqrt(max(0.0, 2 - 2 * shared)))


def trustworthiness(features: NDArray[Any], points: NDArray[Any], k: int = 10, metric: Metric = "cosine") -> float:
    """How far the neighbours that a map shows are real (Venna and Kaski 2001): 1 where every k nearest on the map are
    among the k nearest in truth; who comes from far counts by how far.

    Args:
        features: (items, dim).
        points: (items, 2), a map of them.
        k: neighbours, below half the items.

    Returns:
        0 to 1.

    Raises:
        ValueError: not the same items, or no such k.
    """
    return _kept(features, points, k, metric, "euclidean")


def continuity(features: NDArray[Any], points: NDArray[Any], k: int = 10, metric: Metric = "cosine") -> float:
    """How far real neighbours stay neighbours on a map: `trustworthiness` the other way round.

    Raises:
        ValueError: as there.
    """
    return _kept(points, features, k, "euclidean", metric)


def _kept(truth: NDArray[Any], shown: NDArray[Any], k: int, metric: Metric, other: Metric) -> float:
    items = len(truth)
    if len(shown) != items or not 1 <= k < items / 2:
        raise ValueError(f"expected the same items on both sides and k from 1 below half of them, got k={k}")
    order = np.argsort(_distances(truth, k, metric), axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(1, items + 1)[None].repeat(items, axis=0), axis=1)
    too_far = np.take_along_axis(ranks, nearest(shown, k, other), axis=1) - k
    return float(1 - 2 / (items * k * (2 * items - 3 * k - 1)) * too_far.clip(0).sum())


def _distances(features: NDArray[Any], k: int, metric: Metric) -> NDArray[np.float64]:
    """(items, items), infinite of an item to itself; of cosine, 1 minus it."""
    if features.ndim != 2 or not 1 <= k < len(features):
        raise ValueError(f"expected (items, dim) and k from 1 below the items, got shape {features.shape} and k={k}")
    rows = np.asarray(features, dtype=np.float64)
    if metric == "cosine":
        rows = _directions(rows)
        distances = 1 - rows @ rows.T
    else:
        squares = np.square(rows).sum(axis=1)
        distances = squares[:, None] + squares - 2 * rows @ rows.T
    np.fill_diagonal(distances, np.inf)
    return np.asarray(distances)


def _directions(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)
