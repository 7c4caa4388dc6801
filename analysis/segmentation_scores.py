"""How well a map of classes agrees with a given one (analysis-methods.md, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data2vec_core.labels import IGNORED_PIXEL

_PIXELS_AT_ONCE = 1 << 22
"""That are counted together, each at 8 bytes."""


class MapSizeError(ValueError):
    """A map is of another size than what it is compared with.

    Args:
        found: (height, width) of the given map.
        expected: (height, width) of the picture's own.
    """

    def __init__(self, found: Sequence[int], expected: Sequence[int]) -> None:
        super().__init__(
            f"The label map is {_size(found)} pixels and the picture's own {_size(expected)}: "
            "they have to be of one size."
        )
        self.found, self.expected = tuple(found), tuple(expected)


class MapClassError(ValueError):
    """A map has ids of no class.

    Args:
        ids: the strange ones.
        classes: how many there are.
        name: of the map.
    """

    def __init__(self, ids: Sequence[int], classes: int, name: str = "label map") -> None:
        shown = ", ".join(map(str, ids[:5])) + (", ..." if ids[5:] else "")
        super().__init__(f"The {name} has class {shown}, and the classes are numbered 0 to {classes - 1}.")
        self.ids = tuple(ids)


class EmptyMapError(ValueError):
    """No pixel of a map counts."""


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
            MapSizeError: (a ValueError) sizes that differ.
            MapClassError: (a ValueError) ids of no class in pixels that count.
        """
        if predicted.shape != true.shape or true.ndim != 2:
            raise MapSizeError(true.shape, predicted.shape)
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
                raise MapClassError(strange, classes, name)
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
        MapSizeError: (as those below, a ValueError) sizes that differ.
        MapClassError: ids of no class.
        EmptyMapError: no pixel counts.
    """
    confusion = PixelConfusion(classes)
    confusion.add(predicted, true, ignored=ignored)
    if not confusion.pixels:
        raise EmptyMapError(f"Every pixel of the label map is {ignored}, which is left out: there is nothing to score.")
    iou = confusion.iou()
    return MapScores(
        iou={int(class_id): float(iou[class_id]) for class_id in np.flatnonzero(~np.isnan(iou))},
        mean_iou=confusion.mean_iou(),
        pixel_accuracy=confusion.accuracy(),
        pixels=confusion.pixels,
    )


def check_map_classes(ids: NDArray[np.integer], classes: int, *, ignored: int | None = IGNORED_PIXEL) -> None:
    """Refuse a label map with ids of no class.

    Raises:
        MapClassError: (a ValueError) with the strange ids.
    """
    strange = [number for number in np.unique(ids).tolist() if not 0 <= number < classes and number != ignored]
    if strange:
        raise MapClassError(strange, classes)


def map_at_size(ids: NDArray[np.uint8], shape: Sequence[int]) -> NDArray[np.uint8]:
    """A label map made larger or smaller to lie on a picture, each pixel with the id of the nearest.

    Args:
        ids: (height, width).
        shape: (height, width) of the picture, in the same proportions but for less than a pixel of the smaller map.

    Raises:
        MapSizeError: (a ValueError) other proportions.
    """
    (height, width), (rows, columns) = ids.shape, shape
    if (height, width) == (rows, columns):
        return ids
    # what one side should be, by the other, where both are measured in the pixels of the smaller map
    scale = max(1.0, width / columns, height / rows)
    across = abs(width - columns * height / rows) / scale
    down = abs(height - rows * width / columns) / scale
    if min(across, down) >= 1:
        raise MapSizeError(ids.shape, shape)
    return np.asarray(Image.fromarray(ids).resize((columns, rows), Image.Resampling.NEAREST))


def _size(shape: Sequence[int]) -> str:
    """(height, width) in words."""
    return " x ".join(map(str, tuple(shape)[::-1]))
