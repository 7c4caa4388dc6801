"""A matrix of layers against layers as a table: each cell has its colour and its number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ui.words import say

_RAMP: Final = ((0, 32, 76), (62, 76, 107), (109, 113, 122), (159, 152, 116), (210, 193, 95), (255, 233, 69))
"""Dark to bright, even for eyes that tell few colours: readable on a light page and on a dark one."""
_DIVERGING: Final = ((33, 102, 172), (146, 189, 219), (245, 245, 245), (236, 160, 110), (176, 74, 16))


@dataclass(frozen=True)
class Scale:
    """What a colour means."""

    low: float
    high: float
    is_diverging: bool = False
    """Around its middle."""
    is_distance: bool = False
    """Small values are the alike ones, and the bright ones."""

    def colour(self, value: float) -> tuple[int, int, int]:
        """Of a number; beyond the ends as at them."""
        share = min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)
        share = 1 - share if self.is_distance else share
        ramp = _DIVERGING if self.is_diverging else _RAMP
        place = share * (len(ramp) - 1)
        first = min(int(place), len(ramp) - 2)
        return tuple(round(a + (place - first) * (b - a)) for a, b in zip(ramp[first], ramp[first + 1], strict=True))  # type: ignore[return-value]


SCALES: Final = {
    "cosine": Scale(-1, 1, is_diverging=True),
    "procrustes": Scale(0, math.sqrt(2), is_distance=True),
}
SHARES: Final = Scale(0, 1)
"""Of all other measures."""


def matrix_table(
    values: NDArray[np.float64], measure: str, title: str, *, rows: str, columns: str, note: str = ""
) -> str:
    """A titled matrix.

    Args:
        values: (rows, columns), from layer 0; NaN where undefined.
        rows, columns: what the two sides are.
        note: below it.
    """
    scale = SCALES.get(measure, SHARES)
    heads = "".join(f'<th scope="col">{number}</th>' for number in range(values.shape[1]))
    body = "".join(
        f'<tr><th scope="row">{row}</th>{"".join(_cell(value, scale, row, i) for i, value in enumerate(found))}</tr>'
        for row, found in enumerate(values)
    )
    return (
        f'<figure class="matrix"><figcaption>{escape(title)}</figcaption>'
        f'<div class="frame"><span class="of-columns">{escape(columns)} →</span>'
        f'<span class="of-rows">{escape(rows)} →</span>'
        f'<div class="scroll"><table aria-label="{escape(title)}"><thead><tr><td></td>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></div>"
        f"{_legend(scale)}{f'<p class=small>{escape(note)}</p>' if note else ''}</figure>"
    )


def _cell(value: float, scale: Scale, row: int, column: int) -> str:
    if math.isnan(value):
        return f'<td class="undefined" data-row="{row}" data-column="{column}" tabindex="-1">–</td>'
    colour = scale.colour(value)
    text = f"{round(value, 2) + 0:.2f}".replace("-", "−")
    return (
        f'<td style="background:rgb{colour};color:{_ink(colour)}" data-row="{row}" data-column="{column}" '
        f'tabindex="-1">{text}</td>'
    )


def _ink(colour: Sequence[int]) -> str:
    channels = [c / 255 for c in colour]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return "#000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 else "#fff"


def _legend(scale: Scale) -> str:
    stops = ",".join(f"rgb{scale.colour(scale.low + i / 8 * (scale.high - scale.low))}" for i in range(9))
    ends = [f"{end:.2g}".replace("-", "−") for end in (scale.low, scale.high)]
    words = say("layers.scale_distance") if scale.is_distance else say("layers.scale")
    return (
        f'<div class="ramp"><span>{ends[0]}</span><i style="background:linear-gradient(to right,{stops})"></i>'
        f"<span>{ends[1]}</span><span>{escape(words)}</span></div>"
    )
