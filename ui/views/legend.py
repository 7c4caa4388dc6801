"""The classes of a segmented picture: colour, name, share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from analysis.figures.palette import Colour, hexadecimal
from ui.views.labels import display_name, percent
from ui.words import say

if TYPE_CHECKING:
    from data2vec_core.tasks.results import ClassShare


def legend(classes: Sequence[ClassShare], colours: Mapping[int, Colour | None]) -> str:
    """A row a class, largest first; a class without a colour keeps the photo's own, and its swatch is hollow."""
    rows = "".join(_row(share, colours.get(share.id)) for share in classes)
    return f'<p class="small">{escape(say("segment_image.share"))}</p><ul class="legend">{rows}</ul>'


def _row(share: ClassShare, colour: Colour | None) -> str:
    swatch = "hollow" if colour is None else "solid"
    paint = "" if colour is None else f' style="background:{hexadecimal(colour)}"'
    fill = f"width:{100 * share.fraction:.2f}%" + ("" if colour is None else f";background:{hexadecimal(colour)}")
    return (
        f'<li><span class="swatch {swatch}"{paint}></span><span class="name">{escape(display_name(share.label))}</span>'
        f'<span class="value">{percent(share.fraction)}</span>'
        f'<span class="track"><span class="fill" style="{fill}"></span></span></li>'
    )
