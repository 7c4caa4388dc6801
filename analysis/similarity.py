"""How alike two representations of the same items are (analysis-methods.md, section 1).

Rows are items, the same in the same order on both sides; columns are dimensions, of which the sides may have different
numbers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEWEST_ITEMS = 4
"""That the debiased estimator needs: it divides by n - 3."""
_ROUNDING = 1e-6
"""Share of its length by which a cloud must vary, for what float32 rounds off is no structure."""


def linear_cka(x: NDArray[Any], y: NDArray[Any], *, debiased: bool = True) -> float:
    """Linear centred kernel alignment (arXiv 1905.00414): how far the items' inner products agree.

    It does not change when a side is rotated, mirrored, moved, or scaled as a whole. It follows the directions of
    large variance, so that one rogue dimension can decide it, and high similarity is not equal function.

    Biased, it rises with the number of dimensions: independent Gaussian sides of 768 dimensions come to 0.88 at 100
    items. The debiased estimator (HSIC of Song et al., 2012; in ratios arXiv 2010.15327) comes to 0 there.

    Args:
        x: (items, dim).
        y: (items, other dim).
        debiased: whether to take the debiased estimator.

    Returns:
        At most 1, which means equal but for rotation and scale. Biased, at least 0; debiased, about 0 for independent
        sides and a little below by chance. NaN where it is undefined: a side whose items are all the same, or which
        varies so little like itself that the estimate of its own is not positive.

    Raises:
        ValueError: not two matrices of as many rows, or too few rows: 2, debiased 4.
    """
    fewest = FEWEST_ITEMS if debiased else 2
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or len(x) < fewest:
        raise ValueError(
            f"x and y must be (items, dim) of the same items, at least {fewest}, got shapes {x.shape} and {y.shape}"
        )
    left, right = _centred(x), _centred(y)
    dependence = _debiased_dependence if debiased else _dependence
    own = dependence(left, left), dependence(right, right)
    if min(own) <= 0:
        return math.nan
    return dependence(left, right) / math.sqrt(own[0] * own[1])


def _centred(features: NDArray[Any]) -> NDArray[np.float64]:
    """Off its mean row, and of length 1 as a whole; zeros where all rows are the same but for rounding."""
    rows = np.asarray(features, dtype=np.float64)
    centred = rows - rows.mean(axis=0)
    length = np.linalg.norm(centred)
    return centred / length if length > _ROUNDING * np.linalg.norm(rows) else np.zeros_like(centred)


def _dependence(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Inner product of the two Gram matrices, without making them: of centred sides HSIC up to a factor."""
    return float(np.square(x.T @ y).sum())


def _debiased_dependence(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """HSIC_1 of the sheet: both Gram matrices without their diagonals."""
    items = len(x)
    of_x, of_y = np.square(x).sum(axis=1), np.square(y).sum(axis=1)  # the diagonals, (items,)
    sums_x, sums_y = x @ x.sum(axis=0) - of_x, y @ y.sum(axis=0) - of_y  # of the rows without them, (items,)
    trace = _dependence(x, y) - of_x @ of_y
    means = sums_x.sum() * sums_y.sum() / ((items - 1) * (items - 2))
    shared = 2 / (items - 2) * (sums_x @ sums_y)
    return float(trace + means - shared) / (items * (items - 3))
