"""Many vectors as points of a plane, and such maps from one moment to the next (analysis-methods.md, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Plane:
    """Points as their two directions of largest variance show them."""

    points: NDArray[np.float64]
    """(items, 2), around their mean, in the features' own unit: what collapses lies close together."""
    explained: float
    """Share of the variance that the plane shows, 0 to 1; 0 of points that are all the same."""


def principal_plane(features: NDArray[Any]) -> Plane:
    """The first two principal components. Their signs are fixed: the largest loading of each is positive.

    Args:
        features: (items, dim), at least two of each.

    Raises:
        ValueError: another shape.
    """
    if features.ndim != 2 or min(features.shape) < 2:
        raise ValueError(f"features must be (items, dim), at least two of each, got shape {features.shape}")
    rows = np.asarray(features, dtype=np.float64)
    left, values, directions = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    largest = np.take_along_axis(directions[:2], np.abs(directions[:2]).argmax(axis=1)[:, None], axis=1)[:, 0]
    points = left[:, :2] * values[:2] * np.where(largest < 0, -1, 1)
    total = np.square(values).sum()
    return Plane(points, float(np.square(values[:2]).sum() / total) if total > 0 else 0.0)


def turned_to(points: NDArray[Any], earlier: NDArray[Any]) -> NDArray[np.float64]:
    """A map turned, and mirrored if need be, to lie as close to an earlier one as it can (orthogonal Procrustes).

    Principal components may swap or turn from one moment to the next though nothing moved. Distances within the map
    stay as they are: nothing is scaled.

    Args:
        points, earlier: (items, dim) of the same items, each around its mean.

    Returns:
        (items, dim)

    Raises:
        ValueError: the two are not of one shape.
    """
    if points.ndim != 2 or points.shape != earlier.shape:
        raise ValueError(f"both maps must be (items, dim) of one shape, got {points.shape} and {earlier.shape}")
    left, _, right = np.linalg.svd(np.asarray(points, dtype=np.float64).T @ earlier)
    return points @ (left @ right)
