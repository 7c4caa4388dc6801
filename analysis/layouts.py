"""Many items as points of a plane, by PCA, UMAP or t-SNE, and how far to believe it (analysis-methods.md, section 4).

Of UMAP and t-SNE neither the distance between clusters nor their size or density means anything, and structure appears
in noise: read the numbers beside the map, and run another seed.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from analysis.maps import principal_plane
from analysis.neighbours import Metric, continuity, trustworthiness

LayoutMethod = Literal["pca", "umap", "tsne"]
LAYOUT_METHODS: tuple[LayoutMethod, ...] = get_args(LayoutMethod)
COMPONENTS = 50
"""Principal components that UMAP and t-SNE see, as is usual."""
FEWEST = 5
"""Items that UMAP and t-SNE need."""
NEIGHBOURS = 10
"""Of which trust and continuity are told; fewer where there are few items."""


@dataclass(frozen=True)
class Layout:
    """A map, and what it was made with."""

    points: NDArray[np.float32]
    """(items, 2)"""
    method: LayoutMethod
    settings: dict[str, float | int | str]
    """All that another run needs: seed, `n_neighbors` and `min_dist`, or `perplexity`; of PCA, what share of the
    variance the plane shows."""
    trustworthiness: float
    """Share of neighbours on the map that are real, weighed by rank: 0 to 1. NaN of too few items."""
    continuity: float
    """Likewise, of real neighbours that stay so."""
    k: int
    """Neighbours of both."""


def layout(
    features: NDArray[Any],
    method: LayoutMethod = "pca",
    *,
    seed: int = 0,
    start: NDArray[Any] | None = None,
    neighbours: int = 15,
    min_dist: float = 0.1,
    perplexity: float = 30.0,
    metric: Metric = "cosine",
) -> Layout:
    """Lay items out on a plane.

    Args:
        features: (items, dim).
        seed: of UMAP and t-SNE.
        start: (items, 2), where the items lay before: of the previous layer or moment, or else a movement from one
            map to the next is an artefact. UMAP and t-SNE begin from it; None: from the principal plane.
        neighbours: of UMAP: how far it looks.
        min_dist: of UMAP: how close points may lie.
        perplexity: of t-SNE: how far it looks; at most a third of the items.
        metric: of neighbourhoods, the map's and those of its numbers. PCA is Euclidean.

    Raises:
        ValueError: an unknown method, or too few items for it.
    """
    if method not in LAYOUT_METHODS:
        raise ValueError(f"method={method!r}: expected one of {', '.join(LAYOUT_METHODS)}")
    plane = principal_plane(features)
    settings: dict[str, float | int | str] = {"explained": plane.explained}
    points = plane.points
    if method != "pca":
        if len(features) < FEWEST:
            raise ValueError(f"{method} needs at least {FEWEST} items, got {len(features)}; take pca")
        begin = _scaled(plane.points if start is None else np.asarray(start, dtype=np.float64))
        rows = _components(features)
        if method == "umap":
            settings = {"n_neighbors": min(neighbours, len(rows) - 1), "min_dist": min_dist, "metric": metric}
            points = _umap(rows, begin, seed, settings)
        else:
            settings = {"perplexity": min(perplexity, (len(rows) - 1) / 3), "metric": metric}
            points = _tsne(rows, begin, seed, settings)
        settings["seed"] = seed
    k = min(NEIGHBOURS, (len(features) - 1) // 2)
    return Layout(
        points.astype(np.float32),
        method,
        settings,
        trustworthiness(features, points, k, metric) if k >= 1 else float("nan"),
        continuity(features, points, k, metric) if k >= 1 else float("nan"),
        k,
    )


def _umap(
    rows: NDArray[np.float64], begin: NDArray[np.float64], seed: int, settings: dict[str, float | int | str]
) -> NDArray[Any]:
    import umap  # compiles on import

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that a seed takes one thread, which is what it is for
        found = umap.UMAP(init=10 * begin, random_state=seed, n_jobs=1, **settings).fit_transform(rows)
    return np.asarray(found)


def _tsne(
    rows: NDArray[np.float64], begin: NDArray[np.float64], seed: int, settings: dict[str, float | int | str]
) -> NDArray[Any]:
    from sklearn.manifold import TSNE

    init = (1e-4 * begin).astype(np.float32)  # scikit-learn's scale for its own PCA start
    return np.asarray(TSNE(init=init, random_state=seed, n_jobs=1, **settings).fit_transform(rows))


def _components(features: NDArray[Any]) -> NDArray[np.float64]:
    rows = np.asarray(features, dtype=np.float64)
    rows = rows - rows.mean(axis=0)
    left, values, _ = np.linalg.svd(rows, full_matrices=False)
    return np.asarray(left[:, :COMPONENTS] * values[:COMPONENTS])


def _scaled(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Around 0, with a standard deviation of 1 along the wider axis."""
    centred = points - points.mean(axis=0)
    widest = centred.std(axis=0).max()
    return centred / widest if widest > 0 else centred
