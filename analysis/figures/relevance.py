"""Relevance of the patches of a picture, drawn over it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from analysis.figures.palette import Colour

RAMP: tuple[Colour, ...] = ((0, 34, 78), (65, 77, 107), (125, 124, 120), (188, 175, 111), (254, 232, 56))
"""Five steps of matplotlib's `cividis`, from nothing to the most: lightness alone tells them, whatever colours one
sees."""

_OPACITY = 0.6
_DIMMED = [round(20 + 0.55 * level) for level in range(256)]
"""Grey levels of the photo below, so that the colours stand out from a white ground as well."""


def relevance_over(photo: Image.Image, relevance: NDArray[np.floating]) -> Image.Image:
    """The photo in dim grey with the ramp's colours over it, by the square root of the relevance.

    One patch often has more than all others together, and in proportion nothing else would be seen.

    Args:
        photo: upright, RGB.
        relevance: (height, width) of the photo's pixels, not negative; not a number where the model saw nothing, which
            stays grey.

    Raises:
        ValueError: sizes that differ.
    """
    if photo.size != relevance.shape[::-1]:
        raise ValueError(f"relevance has to be at the photo's size {photo.size[::-1]}, got {relevance.shape}")
    is_seen = ~np.isnan(relevance)
    most = float(relevance[is_seen].max()) if is_seen.any() else 0.0
    levels = np.zeros(relevance.shape, dtype=np.uint8)
    if most > 0:
        levels[is_seen] = np.rint(255 * np.sqrt(relevance[is_seen] / most))
    tint = Image.fromarray(levels)
    tint.putpalette([channel for level in range(256) for channel in ramp_colour(level / 255)])
    strength = Image.fromarray(is_seen * np.uint8(round(255 * _OPACITY)))
    return Image.composite(tint.convert("RGB"), photo.convert("L").point(_DIMMED).convert("RGB"), strength)


def ramp_colour(fraction: float) -> Colour:
    """Of 0 to 1 along the ramp."""
    at = fraction * (len(RAMP) - 1)
    low = min(int(at), len(RAMP) - 2)
    red, green, blue = (round(a + (at - low) * (b - a)) for a, b in zip(RAMP[low], RAMP[low + 1], strict=True))
    return red, green, blue
