"""Colours of categories, the same in every figure, legend and table."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

Colour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

OKABE_ITO: tuple[Colour, ...] = (
    (230, 159, 0),  # orange
    (86, 180, 233),  # sky blue
    (0, 158, 115),  # bluish green
    (204, 121, 167),  # reddish purple
    (213, 94, 0),  # vermillion
    (0, 114, 178),  # blue
    (240, 228, 66),  # yellow
)
"""Okabe and Ito's colours that stay apart for colour-blind readers (jfly.uni-koeln.de/color, 2008), without the black,
in an order that keeps the first few apart in grey as well."""

PETROFF: tuple[Colour, ...] = (
    (63, 144, 218),  # blue
    (255, 169, 14),  # amber
    (189, 31, 1),  # dark red
    (131, 45, 182),  # purple
    (169, 107, 89),  # brown
    (231, 99, 0),  # orange
    (185, 172, 112),  # sand
    (146, 218, 221),  # light blue
)
"""Petroff's ten colours (arXiv 2107.02270), which a search kept apart for colour-blind readers and a survey found
pleasant, without the two greys."""

PaletteName = Literal["okabe-ito", "petroff"]
PALETTES: Mapping[PaletteName, tuple[Colour, ...]] = MappingProxyType({"okabe-ito": OKABE_ITO, "petroff": PETROFF})
"""Any two colours of one palette differ by at least 10 in CIEDE2000 for typical sight, and as people without long,
middle or short cones see them (Machado et al., 2009, at full severity). A difference of 2 is just seen side by side."""

Hatch = Literal["/", "\\", "-", "|", "x", "+", "."]
"""Stripes, grids and dots over a colour, by the signs that matplotlib uses."""
_HATCHES: tuple[Hatch | None, ...] = (None, *get_args(Hatch))

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)

NEUTRAL: Colour = (136, 136, 136)
"""Of whatever is no category: a background, an ignored pixel."""

STUDENT, TEACHER, TARGET = OKABE_ITO[5], OKABE_ITO[4], OKABE_ITO[2]
"""Of the parts of the method, in every figure; what the student predicts has the student's colour."""
UNTRAINED = NEUTRAL
"""Of a network that learnt nothing, drawn for comparison."""
RAW = OKABE_ITO[0]
"""Of features without a network, drawn for comparison."""


def categorical(count: int, palette: PaletteName = "okabe-ito") -> tuple[Colour, ...]:
    """Colours of `count` categories: those of the palette, again and again. `hatch_of` tells the rounds apart: shades
    of seven colours would not, for colour-blind readers least of all."""
    colours = PALETTES[palette]
    return tuple(colours[index % len(colours)] for index in range(count))


def hatch_of(index: int, palette: PaletteName = "okabe-ito") -> Hatch | None:
    """What to draw over the colour of category `index`, so that the two together are its own: nothing in the palette's
    first round, another hatch in each further one.

    Beyond eight rounds (56 or 64 categories) they repeat: no reader tells so many apart, and labels have to do it.
    """
    return _HATCHES[index // len(PALETTES[palette]) % len(_HATCHES)]


def contrasting(colour: Colour) -> Colour:
    """Black or white, whichever stands out more from a colour: by at least 4.5 : 1 (WCAG 2.2, 1.4.3)."""
    return max(BLACK, WHITE, key=lambda ink: contrast(colour, ink))


def contrast(colour: Colour, other: Colour) -> float:
    """Contrast ratio of WCAG 2.2, from 1 to 21."""
    dark, light = sorted((_luminance(colour), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def hexadecimal(colour: Colour) -> str:
    """As CSS writes it: `#e69f00`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _luminance(colour: Colour) -> float:
    """Relative, 0 of black to 1 of white (sRGB)."""
    encoded = [channel / 255 for channel in colour]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in encoded)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
