"""A recording with its words, which light up as they are spoken."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import gradio as gr
import numpy as np
from gradio.data_classes import FileData

from ui.views.scripts import script
from ui.words import say

if TYPE_CHECKING:
    from data2vec_core.tasks.results import Transcript

_TEMPLATE: Final = (
    '<div class="player"><audio class="player-sound" controls preload="metadata"></audio>'
    '<p class="player-fault" hidden></p><canvas class="player-strip" aria-hidden="true"></canvas>'
    '<div class="player-words" role="group"></div><p class="player-line" aria-live="polite"></p>'
    '<details class="player-table"><summary></summary><div class="box" tabindex="0" role="region"></div></details>'
    "</div>"
)


def player(elem_id: str) -> gr.HTML:
    """The widget, hidden until `played` gives it something."""
    return gr.HTML(
        None,
        html_template=_TEMPLATE,
        js_on_load=script("player"),
        visible=False,
        elem_id=elem_id,
        elem_classes=["html-plain"],
    )


def played(path: Path, result: Transcript) -> gr.HTML:
    """What the widget is to show.

    Args:
        path: of the sound as it was uploaded, from where the app serves it.
    """
    return gr.HTML(value=_packed(path, result), visible=True)


def _packed(path: Path, result: Transcript) -> dict[str, Any]:
    """The words in few bytes: an hour has ten thousand."""
    times = np.array([[word.start, word.end] for word in result.words], dtype=np.float64).reshape(-1, 2)
    sure = np.array([word.confidence for word in result.words], dtype=np.float64)
    return {
        "audio": FileData(path=str(path), mime_type="audio/*").model_dump(),
        "words": "\n".join(word.word for word in result.words),
        "times": b64encode(np.rint(1000 * times).astype("<u4").tobytes()).decode(),
        "sure": b64encode(np.rint(100 * sure).astype(np.uint8).tobytes()).decode(),
        "duration": result.duration,
        "texts": _texts(),
    }


def _texts() -> dict[str, Any]:
    """What the widget says; the browser fills in the placeholders, which stay as they are here."""
    return {
        "player": say("transcribe.player"),
        "words": say("transcribe.words"),
        "strip": say("transcribe.strip"),
        "hint": say("transcribe.hint"),
        "about": say("transcribe.about_word", **{name: f"{{{name}}}" for name in ("word", "start", "end", "share")}),
        "percent": say("app.percent", number="{number}"),
        "unplayable": say("transcribe.unplayable"),
        "table": say("transcribe.table"),
        "more": say("transcribe.more_rows", count="{count}"),
        "heads": [
            say(key) for key in ("transcribe.word", "transcribe.start", "transcribe.end", "transcribe.confidence")
        ],
    }
