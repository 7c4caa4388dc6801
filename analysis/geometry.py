"""The shape of a cloud of vectors: how far it spreads, and in how many directions (analysis-methods.md, section 3).

Rows are items or positions, columns dimensions. A representation collapses when its rows become one point (spread 0)
or when they fill few directions only (effective rank far below the number of dimensions).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def spread(features: NDArray[Any]) -> float:
    """Standard deviation over the rows, averaged over the dimensions: what data2vec logs of targets and predictions.

    Args:
        features: (rows, dim).

    Returns:
        From 0 (all rows are equal) up, in the features' own unit.

    Raises:
        ValueError: not (rows, dim) with at least one row.
    """
    return float(deviations(features).mean())


def deviations(features: NDArray[Any]) -> NDArray[np.float64]:
    """Population standard deviation of each dimension over the rows: (rows, dim) -> (dim,).

    Raises:
        ValueError: not (rows, dim) with at least one row.
    """
    return _rows(features).std(axis=0)


def direction_spread(features: NDArray[Any]) -> float:
    """`spread` of the rows scaled to length 1, times sqrt(dim): how evenly they point in all directions, whatever
    their lengths, so that layers and models of different scales compare.

    Args:
        features: (rows, dim). A row of zeros stays where it is.

    Returns:
        From 0 (all point the same way) to about 1 (uniform directions, whose spread is 1 / sqrt(dim)).

    Raises:
        ValueError: not (rows, dim) with at least one row.
    """
    rows = _rows(features)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return spread(rows / np.where(lengths > 0, lengths, 1)) * float(np.sqrt(rows.shape[1]))


def effective_rank(features: NDArray[Any], *, centre: bool = False) -> float:
    """Number of directions that the rows fill: exp of the entropy of the singular values' shares (RankMe, arXiv
    2210.02885; without the paper's epsilon, for 0 ln 0 is taken as 0).

    It grows with the number of rows, so compare equal numbers only: Gaussian rows of 768 dimensions give 244 at 256
    rows, 673 at 1024.

    Args:
        features: (rows, dim).
        centre: take the mean row off first. The default does not, as the paper: rows that are equal but for noise
            then count as one direction, whereas centring would show the noise alone.

    Returns:
        From 1 to min(rows, dim); 0 where all features are 0.

    Raises:
        ValueError: not (rows, dim) with at least one row.
    """
    rows = _rows(features)
    values = np.linalg.svd(rows - rows.mean(axis=0) if centre else rows, compute_uv=False)
    if values.sum() == 0:
        return 0.0
    shares = values[values > 0] / values.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def _rows(features: NDArray[Any]) -> NDArray[np.float64]:
    if features.ndim != 2 or not len(features):
        raise ValueError(f"features must be (rows, dim) with at least one row, got shape {features.shape}")
    return np.asarray(features, dtype=np.float64)
