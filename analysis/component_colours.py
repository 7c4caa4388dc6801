"""Vectors as colours: three principal components as red, green and blue (analysis-methods.md, sections 3 and 4).

Colours can be compared where they were made on one basis, and only there. Near colours say that vectors are alike in
the three directions in which the fitted ones vary most; what else they hold is not to be seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_TAILS = (1.0, 99.0)
"""Percentiles of the fitted vectors that become 0 and 255: a few outliers shall not grey out all others."""


@dataclass(frozen=True)
class ColourBasis:
    """Three directions, and what becomes dark and bright along them."""

    mean: NDArray[np.float64]
    """(dim,)"""
    directions: NDArray[np.float64]
    """(3, dim) orthonormal, the largest loading of each positive; zeros beyond the rank."""
    low: NDArray[np.float64]
    """(3,)"""
    high: NDArray[np.float64]
    """(3,)"""
    explained: tuple[float, float, float]
    """Share of the fitted vectors' variance along each, 0 to 1."""

    @classmethod
    def of(cls, vectors: NDArray[Any]) -> Self:
        """Fit to (rows, dim) vectors: of a picture of targets and predictions, to the targets alone.

        Raises:
            ValueError: not (rows, dim) with at least two rows.
        """
        if vectors.ndim != 2 or len(vectors) < 2:
            raise ValueError(f"vectors must be (rows, dim) with at least two rows, got shape {vectors.shape}")
        rows = np.asarray(vectors, dtype=np.float64)
        mean = rows.mean(axis=0)
        _, values, found = np.linalg.svd(rows - mean, full_matrices=False)
        count = min(3, int((values > 1e-9 * max(values[0], 1e-300)).sum()))
        directions = np.zeros((3, rows.shape[1]))
        directions[:count] = found[:count]
        largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
        directions *= np.where(largest < 0, -1, 1)
        places = (rows - mean) @ directions.T
        low, high = np.percentile(places, _TAILS, axis=0)
        shares = np.zeros(3)
        shares[:count] = np.square(values[:count]) / np.square(values).sum()
        return cls(mean, directions, low, high, (float(shares[0]), float(shares[1]), float(shares[2])))

    def colours(self, vectors: NDArray[Any]) -> NDArray[np.uint8]:
        """(..., dim) -> (..., 3) red, green and blue, 0 to 255; what lies beyond the fitted ones is cut off, and
        directions without variance are in the middle."""
        places = (np.asarray(vectors, dtype=np.float64) - self.mean) @ self.directions.T
        width = self.high - self.low
        shares = np.where(width > 0, (places - self.low) / np.where(width > 0, width, 1), 0.5)
        return np.rint(255 * shares.clip(0, 1)).astype(np.uint8)


def followed_colours(layers: NDArray[Any], others: NDArray[Any] | None = None) -> tuple[NDArray[np.uint8], list[float]]:
    """Colours of positions layer by layer: each layer has a basis of its own, turned so that colours change as little
    as they can from one layer to the next. What changes anyway, has changed.

    Args:
        layers: (layers, positions, dim), which the bases are fitted to.
        others: (layers, positions, dim) of a model that shares their axes, drawn on the same bases below them.

    Returns:
        (layers, positions, 3) red, green and blue, of `others` after those of `layers` along the positions; and what
        share of the variance the three directions hold in each layer.

    Raises:
        ValueError: not three axes, or fewer than two positions.
    """
    if layers.ndim != 3 or layers.shape[1] < 2 or (others is not None and others.shape != layers.shape):
        raise ValueError(f"layers must be (layers, positions, dim) with at least two positions, got {layers.shape}")
    colours, shares = [], []
    earlier: NDArray[np.float64] | None = None
    for index, layer in enumerate(layers):
        basis = ColourBasis.of(layer)
        places = _places(basis, layer)
        rows = places if others is None else np.concatenate([places, _places(basis, others[index])])
        if earlier is not None:
            left, _, right = np.linalg.svd(places.T @ earlier)
            places, rows = places @ left @ right, rows @ left @ right
        low, high = np.percentile(places, _TAILS, axis=0)
        width = np.where(high > low, high - low, 1)
        colours.append(np.rint(255 * np.where(high > low, (rows - low) / width, 0.5).clip(0, 1)).astype(np.uint8))
        shares.append(sum(basis.explained))
        # of one length, for only directions shall be followed
        earlier = places / max(float(np.linalg.norm(places)), 1e-12)
    return np.stack(colours), shares


def _places(basis: ColourBasis, vectors: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray((np.asarray(vectors, dtype=np.float64) - basis.mean) @ basis.directions.T)
