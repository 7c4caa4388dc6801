"""A segmented picture as files that a visitor can look at and keep."""

from __future__ import annotations

from dataclasses import dataclass

from gradio.processing_utils import save_pil_to_cache
from gradio.utils import get_upload_folder
from PIL import Image

from analysis.figures.overlay import class_colours, compose
from analysis.figures.palette import Colour
from ui.service import Answer


@dataclass(frozen=True)
class Drawing:
    """Paths lie in the app's own cache, which is emptied of what is old."""

    overlay: str
    """The photo with its classes drawn over it (PNG)."""
    mask: str
    """Class ids as grey levels, at the photo's size (PNG)."""
    colours: dict[int, Colour | None]
    """By class id."""


def draw_segmentation(answer: Answer) -> Drawing:
    """Write the overlay and the class ids of a segmentation."""
    classes = answer.result.classes
    colours = class_colours({share.id: share.label for share in classes})
    overlay = compose(answer.inputs["image"], answer.result.mask, colours)
    return Drawing(_save(overlay, "overlay"), _save(Image.fromarray(answer.result.mask), "mask"), colours)


def _save(picture: Image.Image, name: str) -> str:
    return save_pil_to_cache(picture, cache_dir=get_upload_folder(), name=name, format="png")
