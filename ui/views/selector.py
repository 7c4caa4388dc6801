"""Three numbers that all inside views share: layer, head and position. They live in the page (`lab.selected`): whoever
changes one tells the others, and the server hears of it when the visitor rests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import gradio as gr

from ui.views.scripts import script
from ui.words import say

if TYPE_CHECKING:
    from ui.inside.selection import Looked

_TEMPLATE: Final = '<div class="selector" role="group"></div>'
START: Final = {"layer": 1, "head": 0, "position": 0}


def selector(elem_id: str) -> gr.HTML:
    """The widget. Its value holds `layer`, `head` and `position`; its event `rest` comes when one has changed."""
    return gr.HTML(
        {**START, **_about(0, 0, [], least=0)},
        html_template=_TEMPLATE,
        js_on_load=script("selector"),
        elem_id=elem_id,
        elem_classes=["html-plain"],
    )


def selectable(looked: Looked) -> dict[str, Any]:
    """What can be chosen of a model and an input."""
    shown = looked.shown
    labels = [*([say("inside.class_token")] if shown.class_tokens else []), *shown.labels]
    return {
        "layer": looked.layer,
        "head": looked.head,
        "position": looked.position,
        **_about(looked.subject.depth, looked.subject.heads, labels, least=-shown.class_tokens),
    }


def _about(layers: int, heads: int, labels: list[str], *, least: int) -> dict[str, Any]:
    return {
        "layers": layers,
        "heads": heads,
        "labels": labels,
        "least": least,
        "texts": {
            "group": say("inside.places"),
            "layer": say("inside.layer"),
            "head": say("inside.head"),
            "position": say("inside.position"),
            "all_heads": say("inside.all_heads"),
            "of": say("inside.of", value="{value}", most="{most}"),
        },
    }
