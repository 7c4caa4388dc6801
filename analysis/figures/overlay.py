"""A map of classes drawn over the photo it belongs to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from analysis.figures.palette import Colour, categorical

BACKGROUND_NAMES = frozenset({"background", "_background_", "void", "unlabeled", "unlabelled"})


def class_colours(labels: Mapping[int, str]) -> dict[int, Colour | None]:
    """One colour a class; None for a background, which keeps the photo's own colours.

    A colour depends on the class id alone, so that a class keeps its own from one photo to the next.

    Args:
        labels: names by class id; those of one photo are enough.
    """
    colours = categorical(max(labels, default=-1) + 1)
    return {i: None if label.lower() in BACKGROUND_NAMES else colours[i] for i, label in labels.items()}


def compose(
    image: Image.Image,
    mask: NDArray[np.integer],
    colours: Mapping[int, Colour | None],
    opacity: float = 0.5,
    outline: int | None = None,
) -> Image.Image:
    """Tint every class's region and draw a line around it.

    Args:
        image: any mode and size.
        mask: (height, width) class ids, at the image's size.
        colours: by class id; ids that are absent or None stay as they are.
        opacity: of the tint, 0 to 1. The outline is always solid.
        outline: width of the line in pixels; by default a 250th of the longer side, at least 1; 0 for none.

    Returns:
        An RGB image of the same size.

    Raises:
        ValueError: sizes that differ, or an opacity outside 0 to 1.
    """
    height, width = mask.shape
    if image.size != (width, height):
        raise ValueError(f"mask has to be at the image's size {image.size[::-1]}, got {mask.shape}")
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity has to lie between 0 and 1, got {opacity}")
    if outline is None:
        outline = max(1, round(max(image.size) / 250))

    strength = np.zeros(mask.shape, dtype=np.float32)
    tint = np.zeros((*mask.shape, 3), dtype=np.float32)
    edges = _edges(mask, outline)
    for class_id in np.unique(mask):
        colour = colours.get(int(class_id))
        if colour is None:
            continue
        region = mask == class_id
        tint[region] = colour
        strength[region] = opacity
        strength[region & edges] = 1.0
    pixels = np.asarray(image.convert("RGB"), dtype=np.float32)
    blended = pixels + strength[..., None] * (tint - pixels)
    return Image.fromarray(np.rint(blended).astype(np.uint8))


def _edges(mask: NDArray[np.integer], width: int) -> NDArray[np.bool_]:
    """(height, width): True within `width` pixels of another class, on either side of the border."""
    edges = np.zeros(mask.shape, dtype=bool)
    for distance in range(1, width + 1):
        below = mask[distance:] != mask[:-distance]
        edges[distance:] |= below
        edges[:-distance] |= below
        right = mask[:, distance:] != mask[:, :-distance]
        edges[:, distance:] |= right
        edges[:, :-distance] |= right
    return edges
