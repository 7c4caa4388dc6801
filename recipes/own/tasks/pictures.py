"""One's own pictures: what they show, and where."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from data2vec_core.config import Data2VecVisionConfig
from data2vec_core.labels import IGNORED_PIXEL
from data2vec_core.processing.image_io import load_image, load_map
from recipes.finetuning.examples import Example
from recipes.finetuning.picture_classes import Picture, PictureClasses
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.segmentation import LabelMap, Scene, Segmentation, rarity_weights
from recipes.finetuning.start import Start
from recipes.own.file_items import FileExample, Shelf
from recipes.own.folders import PICTURE_SUFFIXES, Account, scan
from recipes.own.labelled import FolderReader, check_labels
from recipes.own.tables import Row, WrongRowError
from recipes.own.tasks.task import OwnTask, Say, rows_by_class

ENLARGED = 4
"""How many times the side that the model sees a picture keeps in memory, at most."""
PICTURES, MASKS = "images", "masks"
"""Folders of pictures and of their masks, by the same names."""
LABELS_FILE: Final = "labels.txt"
"""Names of the classes, a line each, in the order of their ids, beside the table or the folders."""


class OwnPictures(OwnTask):
    """Base of the tasks on pictures."""

    modality = "vision"

    def __init__(self, checkpoint: str, say: Say) -> None:
        super().__init__(checkpoint, say)
        self.size = Data2VecVisionConfig.from_dict(self.config).image_size_pair
        self._shelf: Shelf[Image.Image] = Shelf(self._read)

    def _read(self, path: Path) -> Image.Image:
        image = load_image(path)
        factor = min(image.height // (ENLARGED * self.size[0]), image.width // (ENLARGED * self.size[1]))
        return image.reduce(factor) if factor > 1 else image

    def _picture(self, path: Path, target: Any) -> FileExample[Image.Image, Any]:
        """An example of a file that can be read."""
        _ = self._shelf[path]
        return FileExample(self._shelf, path, target)


class OwnPictureClasses(OwnPictures):
    """A class for a whole picture."""

    name = "image-classification"
    answerer = "ImageClassifier"
    columns = ("file", "label")
    files = ("file",)
    formats = "a folder of pictures for each class, or a table with the columns file and label"
    batch, unit = 32, "pictures"
    has_labels = True

    def __init__(self, checkpoint: str, say: Say) -> None:
        super().__init__(checkpoint, say)
        if self.size[0] != self.size[1]:
            raise ValueError(f"--from {checkpoint}: it sees {self.size[1]} x {self.size[0]} pixels, not squares")

    @property
    def read_folder(self) -> FolderReader:
        return partial(rows_by_class, modality="vision", column="file")

    def example(self, row: Row) -> Picture:
        return self._picture(row.file("file"), row.text("label"))

    def tuning(
        self, start: Start, plan: FinePlan, train: Sequence[Picture], valid: Sequence[Picture], batch: int
    ) -> PictureClasses:
        labels = check_labels([example.target for example in train], [example.target for example in valid])
        return PictureClasses(start, plan, train, valid, labels=labels, side=self.size[0], batch=batch)


class OwnSegmentation(OwnPictures):
    """A class for every pixel."""

    name = "segmentation"
    answerer = "ImageSegmenter"
    columns = ("image", "mask")
    files = ("image", "mask")
    formats = (
        "folders images and masks with files of the same names, or a table with the columns image and mask; a mask is "
        "a PNG of class ids, 255 where nothing is known, and labels.txt names the classes, one a line"
    )
    batch, unit = 8, "pictures"

    def __init__(self, checkpoint: str, say: Say) -> None:
        super().__init__(checkpoint, say)
        self._labels: list[str] = []

    @property
    def read_folder(self) -> FolderReader:
        return _rows_with_masks

    def begin(self, data: Path) -> None:
        beside = (data if data.is_dir() else data.parent) / LABELS_FILE
        if beside.is_file():
            self._labels = [line.strip() for line in beside.read_text("utf-8-sig").splitlines() if line.strip()]

    def example(self, row: Row) -> Scene:
        path, mask = row.file("image"), load_map(row.file("mask"))
        picture = load_image(path)
        if (picture.height, picture.width) != mask.shape:
            raise WrongRowError(
                f"the mask has {mask.shape[1]} x {mask.shape[0]} pixels, and the picture {picture.width} x "
                f"{picture.height}"
            )
        largest = int(mask[mask != IGNORED_PIXEL].max(initial=0))
        most = len(self._labels) or IGNORED_PIXEL
        if mask.min() < 0 or largest >= most:
            raise WrongRowError(
                f"the mask has the class id {largest}, and ids go from 0 to {most - 1}, with 255 for what is not known"
            )
        example = self._picture(path, mask)
        kept: LabelMap = np.asarray(Image.fromarray(mask.astype(np.uint8)).resize(example.content.size, _NEAREST))
        return example.with_target(kept)

    def check(self, train: Sequence[Example[Any, Any]], valid: Sequence[Example[Any, Any]]) -> None:
        """Names the classes, where no file does, and refuses fewer than two."""
        present = np.unique(np.concatenate([np.unique(example.target) for example in (*train, *valid)]))
        known = [int(index) for index in present if index != IGNORED_PIXEL]
        self._labels = self._labels or [f"class {index}" for index in range(max(known, default=0) + 1)]
        if len(known) < 2:
            raise ValueError("all masks have one class only; two at least are needed to tell apart")

    def tuning(
        self, start: Start, plan: FinePlan, train: Sequence[Scene], valid: Sequence[Scene], batch: int
    ) -> Segmentation:
        weights = rarity_weights([example.target for example in train], len(self._labels))
        return Segmentation(
            start, plan, train, valid, labels=self._labels, size=self.size, batch=batch, class_weights=weights
        )


_NEAREST = Image.Resampling.NEAREST
_NO_MASK = "without a mask"


def _rows_with_masks(folder: Path, skipped: Account) -> list[Row]:
    """Every picture that has a mask of its name."""
    if not (folder / PICTURES).is_dir() or not (folder / MASKS).is_dir():
        raise ValueError(
            f"{folder} needs the folders {PICTURES} and {MASKS}, or a table with the columns image and mask"
        )
    masks = {
        path.relative_to(folder / MASKS).with_suffix("").as_posix(): path
        for path in sorted((folder / MASKS).rglob("*"))
        if path.name.lower().endswith(PICTURE_SUFFIXES)
    }
    found = scan(folder / PICTURES, "vision")
    skipped.include(found.skipped)
    rows = []
    for entry in found.entries:
        if (mask := masks.get(Path(entry.name).with_suffix("").as_posix())) is None:
            skipped.add(_NO_MASK, entry.name)
        else:
            rows.append(Row({"image": str(folder / PICTURES / entry.name), "mask": str(mask)}, entry.name))
    if not rows:
        raise ValueError(f"no picture in {folder / PICTURES} has a mask of the same name in {folder / MASKS}")
    return rows
