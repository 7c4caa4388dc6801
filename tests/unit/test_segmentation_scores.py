"""Agreement of two maps, counted by hand and by scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from analysis import segmentation_scores
from analysis.segmentation_scores import (
    MapClassError,
    MapSizeError,
    PixelConfusion,
    check_map_classes,
    map_at_size,
    score_map,
)


def test_a_small_map_by_hand() -> None:
    true = np.array([[0, 0, 1], [1, 3, 3]])  # 3 is a border that does not count
    predicted = np.array([[0, 1, 1], [1, 0, 2]])
    scores = score_map(predicted, true, 3, ignored=3)
    assert scores.iou == {0: 1 / 2, 1: 2 / 3}  # 2 occurs on neither side where pixels count
    assert scores.mean_iou == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert (scores.pixel_accuracy, scores.pixels) == (3 / 4, 4)


def test_pictures_are_summed() -> None:
    confusion = PixelConfusion(3)
    confusion.add(np.array([[0, 0]]), np.array([[0, 1]]))
    confusion.add(np.array([[1], [1]], np.uint8), np.array([[1], [255]]))
    assert confusion.iou()[:2].tolist() == [1 / 2, 1 / 2]
    assert math.isnan(confusion.iou()[2])
    assert confusion.accuracy() == 2 / 3


@pytest.mark.parametrize("size", [(1, 1), (1, 1000), (300, 40)])
def test_the_scores_are_scikit_learns(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmentation_scores, "_PIXELS_AT_ONCE", 500)  # large maps are counted in parts
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, 5, size), rng.integers(0, 5, size)
    scores = score_map(predicted, true, 7, ignored=None)
    present = sorted({*true.ravel().tolist(), *predicted.ravel().tolist()})
    expected = jaccard_score(true.ravel(), predicted.ravel(), labels=present, average=None)
    assert scores.iou == pytest.approx(dict(zip(present, expected, strict=True)))
    assert scores.mean_iou == pytest.approx(expected.mean())
    assert scores.pixel_accuracy == pytest.approx((true == predicted).mean())


def test_maps_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="label map is 40 x 30 pixels and the picture's own 30 x 40"):
        score_map(np.zeros((40, 30), np.uint8), np.zeros((30, 40), np.uint8), 2)


@pytest.mark.parametrize(
    ("true", "named"), [([[0, 9]], "9"), ([[0, -1]], "-1"), ([[3, 4, 5, 6, 7, 8]], "3, 4, 5, 6, 7")]
)
def test_classes_that_the_model_does_not_have_are_named(true: list[list[int]], named: str) -> None:
    ids = np.array(true)
    with pytest.raises(ValueError, match=f"label map has class {named}.*numbered 0 to 2"):
        score_map(np.zeros_like(ids), ids, 3)
    with pytest.raises(ValueError, match=f"prediction has class {named}"):
        score_map(ids, np.zeros_like(ids), 3)


def test_a_refused_picture_leaves_no_trace() -> None:
    confusion = PixelConfusion(2)
    with pytest.raises(ValueError, match="class 7"):
        confusion.add(np.zeros((2, 1), int), np.array([[0], [7]]))
    assert confusion.pixels == 0
    assert math.isnan(confusion.mean_iou())
    assert math.isnan(confusion.accuracy())


def test_a_map_that_is_ignored_altogether_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to score"):
        score_map(np.zeros((2, 2), int), np.full((2, 2), 255), 2)


@pytest.mark.parametrize(
    ("given", "photo"), [((4, 6), (40, 60)), ((400, 600), (4, 6)), ((3, 5), (100, 167)), ((33, 50), (100, 150))]
)
def test_a_map_in_the_photos_proportions_is_laid_on_it(given: tuple[int, int], photo: tuple[int, int]) -> None:
    ids = np.zeros(given, np.uint8)
    ids[:, given[1] // 2 :] = 2
    laid = map_at_size(ids, photo)
    assert laid.shape == photo
    assert set(np.unique(laid)) == {0, 2}
    assert (laid[:, 0] == 0).all()
    assert (laid[:, -1] == 2).all()


@pytest.mark.parametrize(("given", "photo"), [((40, 60), (60, 40)), ((40, 60), (40, 62)), ((400, 600), (40, 62))])
def test_a_map_of_other_proportions_is_refused(given: tuple[int, int], photo: tuple[int, int]) -> None:
    with pytest.raises(MapSizeError) as refused:
        map_at_size(np.zeros(given, np.uint8), photo)
    assert (refused.value.found, refused.value.expected) == (given, photo)


def test_strange_ids_are_named_and_the_ignored_one_is_not() -> None:
    check_map_classes(np.array([[0, 2, 255]]), 3)
    with pytest.raises(MapClassError, match="has class -1, 3, and the classes are numbered 0 to 2") as refused:
        check_map_classes(np.array([[0, 3, -1, 255]]), 3)
    assert refused.value.ids == (-1, 3)
    with pytest.raises(MapClassError):
        check_map_classes(np.array([[255]]), 3, ignored=None)
