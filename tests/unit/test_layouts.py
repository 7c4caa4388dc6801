"""Maps: the same again with the same seed, clusters kept, and numbers that say how far to believe them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.layouts import LAYOUT_METHODS, LayoutMethod, layout


def clusters(seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), 20)
    return 6 * random.standard_normal((3, 30))[labels] + random.standard_normal((60, 30)), labels


@pytest.mark.parametrize("method", LAYOUT_METHODS)
def test_clusters_stay_together_and_a_seed_repeats_itself(method: LayoutMethod) -> None:
    features, labels = clusters()
    found = layout(features, method, seed=3)
    assert found.points.shape == (60, 2)
    assert np.array_equal(layout(features, method, seed=3).points, found.points)
    distances = np.linalg.norm(found.points[:, None] - found.points, axis=-1)
    np.fill_diagonal(distances, np.inf)
    assert (labels[distances.argmin(axis=1)] == labels).mean() > 0.95
    assert 0.7 < found.trustworthiness <= 1
    assert 0.7 < found.continuity <= 1
    assert found.k == 10
    assert ("seed" in found.settings) == (method != "pca")


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_a_map_begins_where_the_last_one_was(method: LayoutMethod) -> None:
    features, _ = clusters()
    before = layout(features, method)
    mirrored = before.points * [-1, 1]
    after = layout(features, method, start=mirrored)
    towards = [np.corrcoef(after.points[:, 0], side[:, 0])[0, 1] for side in (mirrored, before.points)]
    assert towards[0] > 0.8 > towards[1]


def test_a_map_of_noise_is_not_believed() -> None:
    noise = np.random.default_rng(1).standard_normal((80, 60))
    assert layout(noise, "pca").trustworthiness < 0.75
    assert layout(noise, "pca").settings["explained"] == pytest.approx(0.1, abs=0.05)


def test_few_items() -> None:
    features, _ = clusters()
    assert layout(features[:3]).k == 1
    assert math.isnan(layout(features[:2]).trustworthiness)
    for method in ("umap", "tsne"):
        assert layout(features[:5], method).points.shape == (5, 2)
        with pytest.raises(ValueError, match="at least 5 items"):
            layout(features[:4], method)
    with pytest.raises(ValueError, match="expected one of pca, umap, tsne"):
        layout(features, "lda")  # type: ignore[arg-type]
