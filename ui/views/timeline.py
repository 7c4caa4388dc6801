"""Stretches of time along a clip that can be heard: one lane a voice, over one axis in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import gradio as gr
from gradio.data_classes import FileData

from ui.views.scripts import script
from ui.words import say

Stretch = tuple[float, float]
"""Start and end in seconds."""
Lane = tuple[str, str | None, Sequence[Stretch]]
"""Name, colour as CSS writes it (hatched when None), stretches."""

_TEMPLATE: Final = (
    '<div class="turns"><audio class="turns-sound" controls preload="metadata"></audio>'
    '<p class="turns-fault" hidden></p><div class="turns-lanes" role="group"></div>'
    '<p class="turns-line" aria-live="polite"></p></div>'
)


def timeline(elem_id: str) -> gr.HTML:
    """The widget, hidden until `heard` gives it something."""
    return gr.HTML(
        None,
        html_template=_TEMPLATE,
        js_on_load=script("timeline"),
        visible=False,
        elem_id=elem_id,
        elem_classes=["html-plain"],
    )


def heard(path: str, lanes: Sequence[Lane], duration: float) -> gr.HTML:
    """What the widget is to show.

    Args:
        path: of the sound, from where the app serves it.
        duration: of the clip, in seconds.
    """
    value: dict[str, Any] = {
        "audio": FileData(path=path, mime_type="audio/wav").model_dump(),
        "duration": duration,
        "lanes": [{"name": name, "colour": colour, "stretches": stretches} for name, colour, stretches in lanes],
        "texts": {
            "player": say("speaker_activity.player"),
            "lanes": say("speaker_activity.caption"),
            "hint": say("speaker_activity.hint"),
            "about": say(
                "speaker_activity.about_turn", **{name: f"{{{name}}}" for name in ("name", "start", "end", "length")}
            ),
            "unplayable": say("transcribe.unplayable"),
        },
    }
    return gr.HTML(value=value, visible=True)
