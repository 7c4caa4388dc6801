"""Which patches of a picture mattered for a class: drawn over the picture, and as a table."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING

from PIL import Image

from analysis.figures.palette import hexadecimal
from analysis.figures.relevance import RAMP, relevance_over
from ui.views.labels import display_name, percent
from ui.views.tables import details_table
from ui.words import say

if TYPE_CHECKING:
    from analysis.patch_relevance import PatchRelevance

TABLED = 10
"""Patches of the table, most relevant first."""
NAMED = 3
"""Patches that the alternative text names."""
MOST_PIXELS_A_SIDE = 1200
"""Of the drawing: patches need no more."""


def draw_relevance(photo: Image.Image, relevance: PatchRelevance) -> Image.Image:
    """The photo, made smaller if it is large, with its patches as they are.

    Args:
        photo: upright, RGB.
    """
    shrink = min(1.0, MOST_PIXELS_A_SIDE / max(photo.size))
    size = max(1, round(photo.width * shrink)), max(1, round(photo.height * shrink))
    small = photo.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    return relevance_over(small, relevance.on_photo("nearest", size))


def relevance_figure(drawing: Image.Image, relevance: PatchRelevance, label: str, layers: int) -> str:
    """The drawing with what it is, its scale, and the most relevant patches as a table.

    Args:
        drawing: of `draw_relevance`.
        label: of the class.
        layers: of the model.
    """
    rows, columns = relevance.values.shape
    total = float(relevance.values.sum()) or 1.0
    most = [divmod(int(number), columns) for number in relevance.most_relevant(min(TABLED, rows * columns))]
    name = display_name(label)
    places = say("app.between_items").join(
        say("relevance.place", row=row + 1, column=column + 1) for row, column in most[:NAMED]
    )
    alt = say("relevance.alt", label=name, places=places, rows=rows, columns=columns)
    caption = [say("relevance.caption", label=name, layers=layers, rows=rows, columns=columns)]
    if relevance.class_token_share > 0:
        caption.append(say("relevance.class_token", share=percent(relevance.class_token_share)))
    caption.append(say("relevance.honest"))
    table = details_table(
        say("relevance.table", count=len(most)),
        [say("relevance.rank"), say("relevance.row"), say("relevance.column"), say("relevance.share")],
        [
            (str(rank), str(row + 1), str(column + 1), percent(float(relevance.values[row, column]) / total))
            for rank, (row, column) in enumerate(most, start=1)
        ],
    )
    colours = ", ".join(hexadecimal(colour) for colour in RAMP)
    return (
        f'<figure class="relevance"><img src="{_data_uri(drawing)}" alt="{escape(alt)}" '
        f'width="{drawing.width}" height="{drawing.height}">'
        f'<div class="ramp"><span>{escape(say("relevance.least"))}</span>'
        f'<span class="bar" style="background:linear-gradient(90deg, {colours})"></span>'
        f"<span>{escape(say('relevance.most'))}</span></div>"
        f"<figcaption>{escape(say('app.between_sentences').join(caption))}</figcaption></figure>{table}"
    )


def _data_uri(drawing: Image.Image) -> str:
    file = io.BytesIO()
    drawing.save(file, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
