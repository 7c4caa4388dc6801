"""Colours of categories, the same in every figure, legend and table."""

from __future__ import annotations

import colorsys

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

NEUTRAL: Colour = (136, 136, 136)
"""Of whatever is no category: a background, an ignored pixel."""

STUDENT, TEACHER, TARGET = OKABE_ITO[5], OKABE_ITO[4], OKABE_ITO[2]
"""Of the parts of the method, in every figure; what the student predicts has the student's colour."""
UNTRAINED = NEUTRAL
"""Of a network that learnt nothing, drawn for comparison."""
RAW = OKABE_ITO[0]
"""Of features without a network, drawn for comparison."""

_ROUNDS = ((1.0, 1.0), (0.62, 1.0), (1.0, 0.55), (0.5, 0.75))
"""Factors on lightness and saturation that tell a second, third and fourth use of a hue from the first."""


def categorical(count: int) -> tuple[Colour, ...]:
    """Colours of `count` categories: the seven as they are, then darker and paler rounds of them, for long lists.

    Beyond 28 they repeat: no reader tells so many apart, and the labels have to do it.
    """
    return tuple(_shade(OKABE_ITO[i % 7], *_ROUNDS[i // 7 % len(_ROUNDS)]) for i in range(count))


def hexadecimal(colour: Colour) -> str:
    """As CSS writes it: `#e69f00`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _shade(colour: Colour, lightness_factor: float, saturation_factor: float) -> Colour:
    hue, lightness, saturation = colorsys.rgb_to_hls(*(channel / 255 for channel in colour))
    channels = colorsys.hls_to_rgb(hue, lightness * lightness_factor, saturation * saturation_factor)
    red, green, blue = (round(channel * 255) for channel in channels)
    return red, green, blue
