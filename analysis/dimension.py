"""How many directions vectors fill, and how evenly (analysis-methods.md, section 3; more in `analysis.geometry`).

Rows are items, columns dimensions. Every one of these depends on the number of rows: compare equal numbers only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DROPPED = 0.1
"""Share of the rows with the largest ratios that TwoNN leaves out, as in the paper: they sway the line most."""


def variances(features: NDArray[Any]) -> NDArray[np.float64]:
    """Of the principal components, largest first: the eigenvalues of the covariance. (rows, dim) -> (min(rows, dim),).

    Raises:
        ValueError: not (rows, dim) with at least two rows.
    """
    rows = _rows(features)
    values = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
    return np.square(values) / (len(rows) - 1)


def participation_ratio(features: NDArray[Any]) -> float:
    """Squared sum of the `variances` over the sum of their squares: the number of directions if all were alike.

    Gaussian rows of p dimensions come to about n p / (n + p): 434 for 1,000 rows of 768.

    Returns:
        1 to min(rows - 1, dim); 0 where all rows are the same.

    Raises:
        ValueError: as `variances`.
    """
    found = variances(features)
    return float(found.sum() ** 2 / np.square(found).sum()) if found[0] > 0 else 0.0


@dataclass(frozen=True)
class Decay:
    """How fast the `variances` fall."""

    exponent: float
    """alpha of variance ~ rank^-alpha; about 1 is reported of healthy encoders (alpha-ReQ, NeurIPS 2022)."""
    first: int
    last: int
    """Ranks of the fit, from 1, both inclusive: another range gives another exponent."""


def spectrum_decay(features: NDArray[Any], *, first: int = 1, last: int | None = None) -> Decay:
    """Least squares of ln variance against ln rank.

    Args:
        first, last: ranks of the fit, from 1; to the last one with a variance above 1e-9 of the largest by default.

    Raises:
        ValueError: as `variances`, or fewer than two ranks to fit to.
    """
    found = variances(features)
    filled = int((found > 1e-9 * found[0]).sum()) if found[0] > 0 else 0
    last = filled if last is None else min(last, filled)
    if first < 1 or last <= first:
        raise ValueError(f"first={first}, last={last}: expected at least two ranks, of which {filled} have variance")
    ranks = np.arange(first, last + 1)
    slope = np.polyfit(np.log(ranks), np.log(found[first - 1 : last]), 1)[0]
    return Decay(-float(slope), first, last)


def anisotropy(features: NDArray[Any]) -> float:
    """Mean cosine of two different rows: 0 where they point all ways, 1 where all point one way. One rogue dimension
    can make it (arXiv 2109.04404): compare with standardised features.

    Raises:
        ValueError: not (rows, dim) with at least two rows.
    """
    directions = _directions(features)
    rows = len(directions)
    return float((np.square(directions.sum(axis=0)).sum() - np.square(directions).sum()) / (rows * (rows - 1)))


def uniformity(features: NDArray[Any]) -> float:
    """How evenly directions cover the sphere: ln of the mean of exp(-2 d^2) over the pairs (arXiv 2005.10242).

    Returns:
        0 where all are equal; the lower, the more even. Uniform directions come to -3.08 in 8 dimensions, -3.94 in
        128, -3.99 in 768.

    Raises:
        ValueError: not (rows, dim) with at least two rows.
    """
    directions = _directions(features)
    squares = 2 - 2 * directions @ directions.T
    pairs = squares[np.triu_indices(len(squares), k=1)].clip(0)
    least = pairs.min()
    return float(np.log(np.exp(-2 * (pairs - least)).mean()) - 2 * least)


def intrinsic_dimension(features: NDArray[Any], *, dropped: float = DROPPED) -> float:
    """TwoNN (arXiv 1803.06992): the dimension of the surface on which rows lie, from the ratio of the distances to
    their two nearest neighbours. Low for high dimensions: the cube of 20 comes to 15.5 at 1,500 rows.

    Args:
        dropped: share of the largest ratios to leave out of the fit.

    Returns:
        NaN where fewer than three different rows are left. Of rows that are the same, one counts.

    Raises:
        ValueError: not (rows, dim) with at least two rows, or no such share.
    """
    if not 0 <= dropped < 1:
        raise ValueError(f"dropped={dropped}: expected 0 to below 1")
    rows = np.unique(_rows(features), axis=0)
    if len(rows) < 3:
        return math.nan
    from sklearn.neighbors import NearestNeighbors

    distances = NearestNeighbors(n_neighbors=3).fit(rows).kneighbors(rows)[0]
    ratios = np.sort(distances[:, 2] / distances[:, 1])
    seen = np.arange(1, len(ratios) + 1) / len(ratios)
    kept = slice(0, max(2, int(len(ratios) * (1 - dropped))))
    across, up = np.log(ratios[kept]), -np.log(1 - seen[kept] + (seen[kept] == 1) * 1e-12)
    return float(across @ up / (across @ across)) if across.any() else math.nan


def _rows(features: NDArray[Any]) -> NDArray[np.float64]:
    if features.ndim != 2 or len(features) < 2 or not features.shape[1]:
        raise ValueError(f"features must be (rows, dim) with at least two rows, got shape {features.shape}")
    return np.asarray(features, dtype=np.float64)


def _directions(features: NDArray[Any]) -> NDArray[np.float64]:
    rows = _rows(features)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)
