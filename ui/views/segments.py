"""A segmented picture to look at closely: how it is drawn is changed in the browser, without asking the model again."""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from PIL import Image

from analysis.figures.overlay import class_colours, class_hatches
from analysis.figures.palette import PALETTES, PaletteName, contrasting, hexadecimal
from ui.views.labels import display_name, percent
from ui.views.tables import details_table
from ui.words import say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from data2vec_core.tasks.results import ClassShare

MOST_PIXELS_A_SIDE = 1600
"""Of what a browser is sent: larger photos are shown smaller, and kept at their own size."""

LOOK_SCRIPT = """(opacity, mode, palette) => {
  window.segmentsLook = { opacity, mode, palette };
  window.dispatchEvent(new Event("segments-look"));
  return [];
}"""
"""For events of the controls in the page: opacity in percent, what is drawn, and the name of a palette."""
ONLY_SCRIPT = "(...given) => [...given.slice(0, -1), window.segmentsOnly ?? null]"
"""For events whose last input is the class that is shown alone."""

SAVE_SCRIPT = """() => {
  document.querySelector("#segment_image-file")?.click();
  return [];
}"""
"""For when the file has been made: have the browser save it."""

_SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
_TEMPLATE = """<div class="segments">
  <div class="scroller">
    <div class="stage">
      <canvas role="application" tabindex="0"></canvas>
      <div class="divider" hidden></div>
      <div class="cursor" hidden></div>
    </div>
  </div>
  <div class="split">
    <input type="range" min="0" max="100" value="0"><span data-word="before"></span><span data-word="after"></span>
  </div>
  <p class="said small" aria-live="polite"></p>
  <ul class="legend"></ul>
  <button type="button" class="all" data-word="all" hidden></button>
</div>"""


def segments_widget(elem_id: str) -> gr.HTML:
    """The widget, empty and hidden. `LOOK_SCRIPT` tells it how to draw."""
    return gr.HTML(
        html_template=_TEMPLATE, js_on_load=_SCRIPT, visible=False, elem_id=elem_id, elem_classes="html-plain"
    )


def segments_value(photo: Image.Image, mask: NDArray[np.uint8], classes: Sequence[ClassShare]) -> str:
    """What the widget shows.

    Args:
        photo: upright, RGB.
        mask: (height, width) class ids, at the photo's size.
        classes: that occur, largest first.
    """
    size = shown_size(photo.size)
    ids = Image.fromarray(mask).resize(size, Image.Resampling.NEAREST)
    described = say("app.between_items").join(
        f"{display_name(share.label)} {percent(share.fraction)}" for share in classes
    )
    value = {
        "width": size[0],
        "height": size[1],
        "photo": _data_uri(photo.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)),
        "ids": base64.b64encode(zlib.compress(ids.tobytes())).decode(),
        "classes": [
            {
                "id": share.id,
                "name": display_name(share.label),
                "fraction": share.fraction,
                "share": percent(share.fraction),
            }
            for share in classes
        ],
        "palettes": {name: _styles(classes, name) for name in PALETTES},
        "alt": say("segment_image.alt", classes=described),
        "words": _words(),
    }
    return json.dumps(value, ensure_ascii=False)


def shares_table(classes: Sequence[ClassShare]) -> str:
    """The classes that occur and their shares, folded."""
    heads = [say("segment_image.class"), say("segment_image.id"), say("segment_image.share")]
    rows = [(display_name(share.label), str(share.id), percent(share.fraction)) for share in classes]
    return details_table(say("segment_image.table"), heads, rows)


def shown_size(size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of what a browser is sent, in the photo's proportions."""
    shrink = min(1.0, MOST_PIXELS_A_SIDE / max(size))
    return max(1, round(size[0] * shrink)), max(1, round(size[1] * shrink))


def _styles(classes: Sequence[ClassShare], palette: PaletteName) -> list[dict[str, Any]]:
    colours = class_colours({share.id: share.label for share in classes}, palette)
    hatches = class_hatches(colours, palette)
    return [
        {
            "id": class_id,
            "colour": colour and hexadecimal(colour),
            "ink": colour and hexadecimal(contrasting(colour)),
            "hatch": hatches[class_id],
        }
        for class_id, colour in colours.items()
    ]


def _data_uri(photo: Image.Image) -> str:
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def _words() -> dict[str, str]:
    """The widget's texts; the browser fills in the placeholders, which stay as they are here."""
    return {
        "all": say("segment_image.all"),
        "after": say("segment_image.after"),
        "all_shown": say("segment_image.all_shown"),
        "before": say("segment_image.before"),
        "hint": say("segment_image.hint"),
        "keys": say("segment_image.keys"),
        "one_class": say("segment_image.one_class", name="{name}", share="{share}"),
        "only_shown": say("segment_image.only_shown", name="{name}", share="{share}"),
        "split": say("segment_image.split"),
        "split_value": say("segment_image.split_value", percent="{percent}"),
    }
