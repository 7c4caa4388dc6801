"""What can be read off each layer of a model: nearest neighbours and linear probes for the labels of a set of items
(analysis-methods.md, section 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analysis.probing import NEIGHBOURS, Scaling, accuracy, confidence_margin, fit_probe, knn_classify

FOLDS: Final = 5
"""Of the probes; fewer where a class has fewer items."""
FEWEST: Final = 3
"""Items of a class that counts: the others are left out."""
PENALTY: Final = 0.01
"""Of the probes. It is fixed, for so few items leave none to choose it by."""


@dataclass(frozen=True)
class LayerKnowledge:
    """Shares of right answers, layer by layer."""

    knn: NDArray[np.float64]
    """(layers,) each item named by its neighbours among all others."""
    probe: NDArray[np.float64]
    """(layers,) each item named by a probe that was fitted without its fold."""
    n: int
    """Items of classes that count."""
    classes: int
    k: int
    """Neighbours that vote."""
    folds: int
    chance: float
    """Right by always naming the commonest class."""

    def margins(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """(layers,) half the widths of 95 % confidence intervals; folds share items, so that they are a little too
        narrow for probes."""
        return np.array([confidence_margin(float(share), self.n) for share in shares])


def countable(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """(items,) whether an item's class has `FEWEST` items or more."""
    _, ids, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return np.asarray(counts[ids] >= FEWEST)


def layer_knowledge(vectors: NDArray[Any], labels: NDArray[Any], *, seed: int = 0) -> LayerKnowledge:
    """Ask every layer for the labels, dimensions scaled to mean 0 and deviation 1.

    Args:
        vectors: (layers, items, dim); of features that are no layers, one layer.
        labels: (items,)
        seed: of the folds.

    Raises:
        ValueError: shapes that do not fit, or fewer than two classes of `FEWEST` items.
    """
    if vectors.ndim != 3 or labels.shape != (vectors.shape[1],):
        raise ValueError(f"expected (layers, items, dim) and (items,), got {vectors.shape} and {labels.shape}")
    counts = countable(labels)
    vectors, labels = vectors[:, counts], labels[counts]
    classes, sizes = np.unique(labels, return_counts=True)
    if len(classes) < 2:
        raise ValueError(f"labels: expected at least two classes of {FEWEST} items or more")
    k = int(min(NEIGHBOURS, max(1, sizes.max() - 1)))
    folds = int(min(FOLDS, sizes.min()))
    scaled = [Scaling.of(layer)(layer.astype(np.float64)) for layer in vectors]
    return LayerKnowledge(
        knn=np.array([accuracy(knn_classify(layer, labels, k=k), labels) for layer in scaled]),
        probe=np.array([accuracy(_held_out(layer, labels, folds, seed), labels) for layer in vectors]),
        n=len(labels),
        classes=len(classes),
        k=k,
        folds=folds,
        chance=float(sizes.max() / len(labels)),
    )


def _held_out(features: NDArray[Any], labels: NDArray[Any], folds: int, seed: int) -> NDArray[Any]:
    """(items,) the class of each by a probe that has not seen it."""
    from sklearn.model_selection import StratifiedKFold

    found = np.empty_like(labels)
    rows = features.astype(np.float64)
    for fit, held in StratifiedKFold(folds, shuffle=True, random_state=seed).split(rows, labels):
        found[held] = fit_probe(rows[fit], labels[fit], PENALTY).classify(rows[held])
    return found
