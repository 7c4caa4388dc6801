"""How well a map of classes agrees with a given one (analysis-methods.md, section 5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data2vec_core.labels import IGNORED_PIXEL

_PIXELS_AT_ONCE = 1 << 22
"""That are counted together, each at 8 bytes."""


class PixelConfusion:
    """Pixels by true and predicted class, counted over one picture or many.

    Args:
        classes: how many there are; ids run from 0.
    """

    def __init__(self, classes: int) -> None:
        self._counts = np.zeros((classes, classes), dtype=np.int64)  # (true, predicted)

    def add(
        self, predicted: NDArray[np.integer], true: NDArray[np.integer], *, ignored: int | None = IGNORED_PIXEL
    ) -> None:
        """Count one picture.

        Args:
            predicted: (height, width) class ids.
            true: (height, width) class ids.
            ignored: id in `true` of the pixels that do not count; None: all count.

        Raises:
            ValueError: sizes that differ, or ids of no class in pixels that count.
        """
        if predicted.shape != true.shape or true.ndim != 2:
            raise ValueError(
                f"The label map is {_size(true)} pixels and the picture's own {_size(predicted)}: "
                "they have to be of one size."
            )
        counts = np.zeros_like(self._counts)
        rows = max(1, _PIXELS_AT_ONCE // max(1, true.shape[1]))
        for top in range(0, len(true), rows):
            counts += self._counted(predicted[top : top + rows], true[top : top + rows], ignored)
        self._counts += counts

    def _counted(
        self, predicted: NDArray[np.integer], true: NDArray[np.integer], ignored: int | None
    ) -> NDArray[np.int64]:
        """(true, predicted) of some rows."""
        is_counted = np.full(true.shape, True) if ignored is None else true != ignored
        predicted, true = predicted[is_counted], true[is_counted]
        classes = len(self._counts)
        for name, ids in (("label map", true), ("prediction", predicted)):
            if strange := np.unique(ids[(ids < 0) | (ids >= classes)]).tolist():
                raise ValueError(
                    f"The {name} has class {', '.join(map(str, strange[:5]))}{', ...' if strange[5:] else ''}, "
                    f"and the classes are numbered 0 to {classes - 1}."
                )
        pairs = true.astype(np.int64) * classes + predicted
        return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)

    @property
    def pixels(self) -> int:
        """How many were counted."""
        return int(self._counts.sum())

    def iou(self) -> NDArray[np.float64]:
        """(classes,) intersection over union (Jaccard index), 0 to 1; not a number for a class that occurs on neither
        side."""
        shared = np.diag(self._counts).astype(np.float64)
        union = self._counts.sum(axis=0) + self._counts.sum(axis=1) - shared
        return np.divide(shared, union, out=np.full_like(shared, np.nan), where=union > 0)

    def mean_iou(self) -> float:
        """Mean over the classes that occur on either side; not a number where nothing was counted."""
        iou = self.iou()
        return float(np.nanmean(iou)) if self.pixels else float("nan")

    def accuracy(self) -> float:
        """Share of the pixels whose class is right, 0 to 1, which large classes decide; not a number where nothing was
        counted."""
        return float(np.trace(self._counts) / self.pixels) if self.pixels else float("nan")


@dataclass(frozen=True, kw_only=True)
class MapScores:
    """Of one picture."""

    iou: dict[int, float]
    """By class id, of the classes that occur on either side."""
    mean_iou: float
    """Over those classes."""
    pixel_accuracy: float
    pixels: int
    """That counted."""


def score_map(
    predicted: NDArray[np.integer],
    true: NDArray[np.integer],
    classes: int,
    *,
    ignored: int | None = IGNORED_PIXEL,
) -> MapScores:
    """Compare one map with a given one; see `PixelConfusion.add`.

    Raises:
        ValueError: sizes that differ, ids of no class, or no pixel that counts.
    """
    confusion = PixelConfusion(classes)
    confusion.add(predicted, true, ignored=ignored)
    if not confusion.pixels:
        raise ValueError(f"Every pixel of the label map is {ignored}, which is left out: there is nothing to score.")
    iou = confusion.iou()
    return MapScores(
        iou={int(class_id): float(iou[class_id]) for class_id in np.flatnonzero(~np.isnan(iou))},
        mean_iou=confusion.mean_iou(),
        pixel_accuracy=confusion.accuracy(),
        pixels=confusion.pixels,
    )


def _size(ids: NDArray[np.integer]) -> str:
    return " x ".join(map(str, ids.shape[::-1]))
