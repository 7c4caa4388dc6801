"""Pictures with what a model found in them, as files that a visitor can look at and keep."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from gradio.processing_utils import save_pil_to_cache
from gradio.utils import get_upload_folder
from PIL import Image

from analysis.figures.overlay import class_colours, class_hatches, colour_image, compose, id_image
from analysis.figures.palette import PALETTES, Colour, PaletteName
from ui.inputs import PictureInput, upload_path
from ui.service import Answer
from ui.settings import Settings
from ui.words import say

Mode = Literal["both", "fill", "contour"]
"""What is drawn of a class: its region, the line around it, or both."""
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True)
class Drawing:
    """Paths lie in the app's own cache, which is emptied of what is old."""

    overlay: str
    """The photo with its classes drawn over it (PNG)."""
    mask: str
    """Class ids as grey levels, at the photo's size (PNG)."""
    colours: dict[int, Colour | None]
    """By class id."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a segmented picture is drawn."""

    opacity: float = 0.5
    """Of the regions, 0 to 1."""
    mode: Mode = "both"
    palette: PaletteName = "okabe-ito"
    only: int | None = None
    """Id of the one class to draw."""

    @classmethod
    def received(cls, opacity: Any, mode: Any, palette: Any, only: Any = None) -> Look:
        """From what a browser has sent: opacity in percent.

        Raises:
            ValueError: it is none.
        """
        is_share = isinstance(opacity, (int, float)) and not isinstance(opacity, bool) and 0 <= opacity <= 100
        is_class = only is None or (isinstance(only, (int, float)) and only in range(256))
        if not is_share or not is_class or mode not in MODES or palette not in PALETTES:
            raise ValueError(say("segment_image.no_look"))
        return cls(
            opacity=float(opacity) / 100,
            mode=mode,
            palette=palette,
            only=None if only is None else int(only),
        )


def class_names(text: object) -> dict[int, str]:
    """Names by class id, from JSON that has been to a browser.

    Raises:
        ValueError: it is none.
    """
    try:
        given = dict(json.loads(str(text)))
        return {int(number): str(name)[:200] for number, name in given.items() if int(number) in range(256)}
    except (TypeError, ValueError):
        raise ValueError(say("segment_image.no_look")) from None


def draw_segmentation(answer: Answer) -> Drawing:
    """Write the overlay and the class ids of a segmentation."""
    classes = answer.result.classes
    colours = class_colours({share.id: share.label for share in classes})
    overlay = compose(answer.inputs["image"], answer.result.mask, colours)
    return Drawing(save_picture(overlay, "overlay"), save_mask(answer), colours)


def save_mask(answer: Answer) -> str:
    """Write the class ids of a segmentation as grey levels."""
    return save_picture(id_image(answer.result.mask), "mask")


def drawn_overlay(photo: object, mask: object, names: Mapping[int, str], look: Look, settings: Settings) -> str:
    """Write the photo, at its own size, with its classes as the visitor sees them.

    Args:
        photo: as a browser sends what it has uploaded.
        mask: likewise, as `save_mask` wrote it.
        names: of the classes that occur, by id.

    Raises:
        ValueError: one of them is no upload, cannot be read, or they do not belong together.
    """
    image = PictureInput("image").read(upload_path(photo), settings)
    ids = _ids(mask, settings)
    if ids.shape != (image.height, image.width):
        raise ValueError(say("segment_image.no_look"))
    colours = class_colours(names, look.palette)
    drawn = compose(
        image,
        ids,
        colours,
        look.opacity,
        0 if look.mode == "fill" else None,
        hatches=class_hatches(names, look.palette),
        contours_only=look.mode == "contour",
        only=look.only,
    )
    return save_picture(drawn, "overlay")


def drawn_colours(mask: object, names: Mapping[int, str], look: Look, settings: Settings) -> str:
    """Write the classes' colours alone. Without hatches the ids are the indices of the file's palette.

    Raises:
        ValueError: as of `drawn_overlay`.
    """
    ids, colours, hatches = (
        _ids(mask, settings),
        class_colours(names, look.palette),
        class_hatches(names, look.palette),
    )
    has_hatches = any(hatches.values())
    return save_picture(colour_image(ids, colours, hatches) if has_hatches else id_image(ids, colours), "colours")


def save_picture(picture: Image.Image, name: str) -> str:
    """Write a PNG into the app's cache; its path."""
    return save_pil_to_cache(picture, cache_dir=get_upload_folder(), name=name, format="png")


def _ids(mask: object, settings: Settings) -> np.ndarray:
    from data2vec_core.processing.image_io import load_map

    path = upload_path(mask)
    if path is None:
        raise ValueError(say("segment_image.no_look"))
    return load_map(path, max_pixels=int(settings.max_megapixels * 1e6)).astype(np.uint8)
