"""Pictures to the input of the vision models, and scores of pixels to maps (data2vec.md 7.4)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, Self, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from data2vec_core.checkpoints.files import write_json
from data2vec_core.labels import IGNORED_PIXEL
from data2vec_core.processing.image_io import DEFAULT_MAX_PIXELS, ImageSource, ImageTooLargeError, load_image, load_map
from data2vec_core.processing.processor import PREPROCESSOR_FILE, Processor, read_preprocessor

_FEW_CLASSES = 32
_STRIP_VALUES = 1 << 24  # scores held at a time while a map is enlarged


class VisionBatch(TypedDict):
    """Input of a vision model, as keyword arguments of its `forward`."""

    pixel_values: Tensor
    """(batch, channels, height, width) float32, about -1 to 1 at the public settings."""
    labels: NotRequired[Tensor]
    """(batch, height, width) int64 class ids, when label maps were given."""


@dataclass(frozen=True, kw_only=True)
class View:
    """What a model is shown of a picture."""

    size: tuple[int, int]
    """(width, height) of the pixel values."""
    box: tuple[float, float, float, float]
    """(left, top, right, bottom) of what they show, in the picture's own pixels; beyond its edges where a crop adds a
    border."""


@dataclass(frozen=True, kw_only=True)
class ImageProcessor(Processor):
    """BEiT's processing of the public vision checkpoints. Fields are those of `preprocessor_config.json`."""

    do_resize: bool = True
    size: tuple[int, int] | int = (224, 224)
    """(height, width) to resize to, whatever the proportions; a single number is the length of the shorter side."""
    resample: int = Image.Resampling.BICUBIC
    """PIL's number of the filter."""
    do_center_crop: bool = False
    crop_size: tuple[int, int] = (224, 224)
    """(height, width) cut from the middle; smaller pictures get a black border."""
    do_rescale: bool = True
    rescale_factor: float = 1 / 255
    do_normalize: bool = True
    image_mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    image_std: tuple[float, ...] = (0.5, 0.5, 0.5)
    do_reduce_labels: bool = False
    """Label maps count classes from 1 and mark the rest 0: shift them down and make 0 the ignored label."""

    def __post_init__(self) -> None:
        sides = (self.size,) if isinstance(self.size, int) else self.size
        for name, values in {"size": sides, "crop_size": self.crop_size}.items():
            if not values or any(value < 1 for value in values):
                raise ValueError(f"{name}={getattr(self, name)!r}: sides must be positive")
        if len(self.image_mean) != 3 or len(self.image_std) != 3 or not all(self.image_std):
            raise ValueError(f"image_mean={self.image_mean}, image_std={self.image_std}: expected 3 numbers, std not 0")

    def __call__(
        self,
        images: ImageSource | Sequence[ImageSource],
        maps: ImageSource | Sequence[ImageSource] | None = None,
        *,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        resize_maps_like_images: bool = False,
    ) -> VisionBatch:
        """Pictures, and label maps with them, as a batch.

        Args:
            images: one picture or several, as `load_image` takes them.
            maps: one label map a picture, as `load_map` takes them.
            max_pixels: larger pictures and maps are refused before they are decoded.
            resize_maps_like_images: resize maps with the pictures' filter, as the reference does. That mixes class
                ids along borders (data2vec.md 7.4), so by default they are resized by nearest pixel.

        Raises:
            ImageError: a picture or map cannot be used, or is so narrow that it would grow beyond all measure.
            ValueError: no pictures, counts that differ, or sizes that differ when nothing makes them equal.
        """
        loaded = [load_image(image, max_pixels=max_pixels) for image in _as_list(images)]
        if not loaded:
            raise ValueError("images: expected at least one picture, got none")
        for image in loaded:
            self._check_growth(image.size, max_pixels)
        pixels = [self._pixels(image) for image in loaded]
        if len({values.shape for values in pixels}) > 1:
            shapes = ", ".join(f"{values.shape[2]} x {values.shape[1]}" for values in pixels[:5])
            raise ValueError(f"images: sizes differ after processing ({shapes}), so they are no batch")
        batch = VisionBatch(pixel_values=torch.from_numpy(np.stack(pixels)))
        if maps is not None:
            labels = [load_map(label_map, max_pixels=max_pixels) for label_map in _as_list(maps)]
            if len(labels) != len(loaded):
                raise ValueError(f"maps: expected {len(loaded)}, one for each picture, got {len(labels)}")
            resample = self.resample if resize_maps_like_images else Image.Resampling.NEAREST
            batch["labels"] = torch.from_numpy(np.stack([self._labels(ids, resample) for ids in labels]))
        return batch

    def _pixels(self, image: Image.Image) -> NDArray[np.float32]:
        """(3, height, width) of an RGB picture."""
        if self.do_resize:
            image = image.resize(self.resized(image.size), Image.Resampling(self.resample))
        values = np.asarray(image)  # (height, width, 3)
        if self.do_center_crop:
            values = _centre_crop(values, self.crop_size)
        scaled = values.astype(np.float64) * (self.rescale_factor if self.do_rescale else 1)
        if self.do_normalize:
            scaled = (scaled - np.array(self.image_mean)) / np.array(self.image_std)
        return np.ascontiguousarray(scaled.transpose(2, 0, 1), dtype=np.float32)

    def _labels(self, ids: NDArray[np.int64], resample: int) -> NDArray[np.int64]:
        """(height, width) class ids of a label map."""
        if self.do_reduce_labels:
            ids = np.where((ids == 0) | (ids == IGNORED_PIXEL), IGNORED_PIXEL, ids - 1)
        if self.do_resize:
            size = self.resized((ids.shape[1], ids.shape[0]))
            # 8 bits where they hold the ids, so that the reference's filter rounds and clips as it does there
            narrow = ids.astype(np.uint8 if ids.min() >= 0 and ids.max() <= 255 else np.int32)
            ids = np.asarray(Image.fromarray(narrow).resize(size, Image.Resampling(resample))).astype(np.int64)
        return _centre_crop(ids, self.crop_size) if self.do_center_crop else ids

    def resized(self, size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) after resizing, in PIL's order, of a picture of that (width, height)."""
        if not isinstance(self.size, int):
            return self.size[1], self.size[0]
        width, height = size
        longer = int(self.size * max(size) / min(size))
        return (self.size, longer) if width <= height else (longer, self.size)

    def view(self, size: tuple[int, int]) -> View:
        """What the pixel values show of a picture of that (width, height)."""
        whole = self.resized(size) if self.do_resize else size
        seen = (self.crop_size[1], self.crop_size[0]) if self.do_center_crop else whole
        left, top = ((side - wanted) // 2 for side, wanted in zip(whole, seen, strict=True))  # as `_centre_crop`
        across, down = (side / resized for side, resized in zip(size, whole, strict=True))
        return View(size=seen, box=(left * across, top * down, (left + seen[0]) * across, (top + seen[1]) * down))

    def _check_growth(self, size: tuple[int, int], max_pixels: int) -> None:
        """A strip whose shorter side is enlarged to what the model wants may become endless."""
        if self.do_resize and math.prod(self.resized(size)) > max(max_pixels, DEFAULT_MAX_PIXELS):
            raise ImageTooLargeError(
                f"The picture is too long and narrow: {size[0]} x {size[1]} pixels. Crop it to what matters."
            )

    @classmethod
    def from_folder(cls, folder: str | Path) -> Self:
        values = read_preprocessor(Path(folder), "image_processor")
        names = set(cls.__dataclass_fields__) - {"size", "crop_size", "image_mean", "image_std"}
        known: dict[str, Any] = {name: values[name] for name in names if values.get(name) is not None}
        if "reduce_labels" in values:  # its name until transformers 4.30
            known.setdefault("do_reduce_labels", values["reduce_labels"])
        if values.get("size") is not None:
            known["size"] = _read_size(values["size"], "size")
        if values.get("crop_size") is not None:
            crop = _read_size(values["crop_size"], "crop_size")
            known["crop_size"] = (crop, crop) if isinstance(crop, int) else crop
        for name in ("image_mean", "image_std"):
            if values.get(name) is not None:
                known[name] = tuple(values[name]) if isinstance(values[name], Sequence) else (values[name],) * 3
        return cls(**known)

    def _write(self, folder: Path) -> None:
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        size = {"shortest_edge": self.size} if isinstance(self.size, int) else _size_object(self.size)
        values |= {"image_processor_type": "BeitImageProcessor", "resample": int(self.resample)}
        write_json(folder / PREPROCESSOR_FILE, values | {"size": size, "crop_size": _size_object(self.crop_size)})


def semantic_maps(logits: Tensor, sizes: Sequence[tuple[int, int]] | None = None) -> list[Tensor]:
    """Best class of every pixel, at the pictures' own sizes: scores enlarged bilinearly, then the largest taken.

    Memory stays bounded: a large map is enlarged in strips of rows.

    Args:
        logits: (batch, classes, height, width).
        sizes: (height, width) of each map; the logits' own when None.

    Returns:
        One (height, width) int64 a picture.

    Raises:
        ValueError: as many sizes as pictures are needed.
    """
    if sizes is None:
        return list(logits.argmax(dim=1))
    if len(sizes) != len(logits):
        raise ValueError(f"sizes: expected {len(logits)}, one for each picture, got {len(sizes)}")
    return [_enlarged_argmax(scores, size) for scores, size in zip(logits, sizes, strict=True)]


def _enlarged_argmax(scores: Tensor, size: tuple[int, int]) -> Tensor:
    """(classes, rows, columns) scores to (height, width) best classes.

    Bilinear interpolation is rows first, then columns; so a strip of rows can be blended by itself.
    """
    classes, rows, _ = scores.shape
    height, width = size
    # where each pixel's middle falls among the rows of scores, as `interpolate` has it without aligned corners
    at = ((torch.arange(height) + 0.5) * (rows / height) - 0.5).clamp(min=0).to(scores.device)
    above = at.long()
    below = (above + 1).clamp(max=rows - 1)
    share = (at - above).to(scores.dtype)[:, None]  # (height, 1)
    strip = max(1, _STRIP_VALUES // (classes * width))
    best = []
    for rows_of in torch.arange(height, device=scores.device).split(strip):
        blended = torch.lerp(scores[:, above[rows_of]], scores[:, below[rows_of]], share[rows_of])
        wide = F.interpolate(blended[None], size=(len(rows_of), width), mode="bilinear", align_corners=False)
        best.append(_first_of_the_best(wide[0]))
    return torch.cat(best)


def _first_of_the_best(scores: Tensor) -> Tensor:
    """`argmax(dim=0)`; of few classes one by one, for which PyTorch's kernel takes several times as long."""
    if len(scores) > _FEW_CLASSES:
        return scores.argmax(dim=0)
    highest, best = scores[0], torch.zeros(scores.shape[1:], dtype=torch.int64, device=scores.device)
    for number in range(1, len(scores)):
        is_higher = scores[number] > highest
        highest = torch.where(is_higher, scores[number], highest)
        best.masked_fill_(is_higher, number)
    return best


def _centre_crop(values: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """The middle (height, width) of (height, width, ...), with zeros around what is smaller."""
    padding = []
    for side, wanted in zip(values.shape, size, strict=False):
        missing = max(0, wanted - side)
        before = math.ceil(missing / 2)
        padding.append((before, missing - before))
    values = np.pad(values, [*padding, *[(0, 0)] * (values.ndim - 2)])
    top, left = ((side - wanted) // 2 for side, wanted in zip(values.shape, size, strict=False))
    return values[top : top + size[0], left : left + size[1]]


def _read_size(value: Any, name: str) -> tuple[int, int] | int:
    """A size in a settings file: {height, width}, {shortest_edge}, or the single number of old files (a square)."""
    match value:
        case int():
            return value, value
        case {"height": int(height), "width": int(width)}:
            return height, width
        case {"shortest_edge": int(edge)}:
            return edge
        case [int(height), int(width)]:
            return height, width
    raise ValueError(f"{PREPROCESSOR_FILE}: {name}={value!r}, expected height and width, or shortest_edge")


def _size_object(size: tuple[int, int]) -> Mapping[str, int]:
    return {"height": size[0], "width": size[1]}


def _as_list(sources: ImageSource | Sequence[ImageSource]) -> list[ImageSource]:
    return list(sources) if isinstance(sources, (list, tuple)) else [sources]  # type: ignore[list-item]
