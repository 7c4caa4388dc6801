"""Layer by layer: one model's representations of some items against another's, or its own (analysis-methods.md,
section 1).

A figure of it has to say how many items and dimensions there were and which estimator was used; `LayerComparison` holds
all of that. Low similarity is a result, too, and high similarity is not equal function.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from analysis.canonical import kept_directions, pwcca, svcca
from analysis.neighbours import mean_cosine, mutual_knn, procrustes_distance
from analysis.similarity import FEWEST_ITEMS, linear_cka

Measure = Literal["cka", "biased_cka", "svcca", "pwcca", "mutual_knn", "cosine", "procrustes"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
NEIGHBOURS = 10
"""Of mutual kNN; fewer where there are few items."""


@dataclass(frozen=True)
class LayerComparison:
    """Every layer of one side against every layer of the other."""

    matrix: NDArray[np.float64]
    """(rows, columns); NaN where a value is undefined, such as CKA of a side that does not vary."""
    measure: Measure
    rows: tuple[int, ...]
    """Layers of the first side; 0 is the input of the first block."""
    columns: tuple[int, ...]
    n: int
    """Items."""
    p: tuple[int, int]
    """Dimensions of either side."""
    estimator: str
    """How the values were estimated, in the field's words."""
    chance: float | None
    """What shuffled items would give on average, where that is known without trying."""

    def diagonal(self) -> NDArray[np.float64]:
        """(layers,) each layer against the same of the other side, of two sides that are equally deep.

        Raises:
            ValueError: they are not.
        """
        if self.rows != self.columns:
            raise ValueError(f"the sides have layers {self.rows} and {self.columns}")
        return np.diagonal(self.matrix).copy()


def compare_layers(
    first: NDArray[Any], second: NDArray[Any], measure: Measure = "cka", *, shuffled: int | None = None
) -> LayerComparison:
    """Compare the layers of two sides on the same items in the same order.

    Args:
        first: (layers, items, dim), from layer 0.
        second: (other layers, items, other dim).
        measure: `cka` is debiased; `cosine` needs sides that share their axes; `svcca` and `pwcca` need many items.
        shuffled: a seed: the items of the second side change places, so that nothing belongs together any more. A
            measure that is not near its chance then, is not to be trusted at so few items.

    Raises:
        ValueError: an unknown measure, sides that do not fit, or too few items for the measure; the message says how
            many it needs.
    """
    if measure not in MEASURES:
        raise ValueError(f"measure={measure!r}: expected one of {', '.join(MEASURES)}")
    if first.ndim != 3 or second.ndim != 3 or first.shape[1] != second.shape[1]:
        raise ValueError(
            f"expected (layers, items, dim) of the same items on both sides, got {first.shape} and {second.shape}"
        )
    n = first.shape[1]
    if n < FEWEST_ITEMS:
        raise ValueError(f"expected at least {FEWEST_ITEMS} items, got {n}")
    if shuffled is not None:
        second = second[:, np.random.default_rng(shuffled).permutation(n)]
    k = min(NEIGHBOURS, n - 1)
    compare, estimator, chance = _measures(k, n)[measure]
    matrix = np.array([[compare(x, y) for y in second] for x in first], dtype=np.float64)
    return LayerComparison(
        matrix=matrix,
        measure=measure,
        rows=tuple(range(len(first))),
        columns=tuple(range(len(second))),
        n=n,
        p=(first.shape[2], second.shape[2]),
        estimator=estimator,
        chance=chance,
    )


def fewest_items(first: NDArray[Any], second: NDArray[Any], measure: Measure) -> int:
    """How many items a measure needs on these two sides.

    Args:
        first: (layers, items, dim).
        second: (other layers, items, other dim).
    """
    if measure == "pwcca":
        return 2 * (first.shape[2] + second.shape[2])
    if measure == "svcca":
        return 2 * sum(max(kept_directions(layer) for layer in side) for side in (first, second))
    return FEWEST_ITEMS


_Compare = Callable[[NDArray[Any], NDArray[Any]], float]


def _measures(k: int, n: int) -> dict[Measure, tuple[_Compare, str, float | None]]:
    """Function, estimator in words, and chance where it is known."""
    return {
        "cka": (linear_cka, "linear CKA, debiased", 0.0),
        "biased_cka": (partial(linear_cka, debiased=False), "linear CKA, biased", None),
        "svcca": (svcca, "SVCCA, 99 % of the variance", None),
        "pwcca": (pwcca, "PWCCA, weights of the first side", None),
        "mutual_knn": (partial(mutual_knn, k=k), f"mutual kNN, k = {k}, cosine", k / (n - 1)),
        "cosine": (partial(mean_cosine, centre=True), "mean cosine, each side centred", 0.0),
        "procrustes": (procrustes_distance, f"Procrustes distance, 0 to {math.sqrt(2):.2f}", None),
    }
