"""The sub-tab "Training": recorded runs to move through, and a small one to make oneself."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any, Final

import gradio as gr

from ui.fields import PLUMBING
from ui.inside.training_lab import Lab
from ui.service import Service
from ui.views.replay import CURVES, NO_OTHER, SCRIPT, drawn, opening, recording_csv, template
from ui.words import in_language, say

if TYPE_CHECKING:
    from analysis.recordings import Recording

FIRST: Final[tuple[str, ...]] = ("healthy", "tau0")
"""The recordings that a visitor finds beside each other, where they are there."""


class Training:
    """Lays itself out where it is made."""

    name: Final = "training"
    """Of its tab, in links and words."""

    def __init__(self, service: Service) -> None:
        gr.HTML(
            f"<h2>{escape(say('training.replay_title'))}</h2><p>{escape(say('training.replay_intro'))}</p>",
            elem_classes=["intro", "html-plain"],
        )
        self.replay = gr.HTML(
            html_template=template(),
            js_on_load=CURVES.read_text(encoding="utf-8") + SCRIPT.read_text(encoding="utf-8"),
            server_functions=[in_language(fetch_recording)],
            elem_id="training-replay",
            elem_classes=["html-plain"],
            apply_default_css=False,
        )
        self._is_open = gr.State(False)
        self.lab = Lab(service)

    def open_on(self, event: Callable[..., Any]) -> None:
        """Draw the first picture on an event such as `tab.select`, the first time that it happens."""
        event(in_language(self.open), self._is_open, [self._is_open, self.replay], **PLUMBING)

    def open(self, is_open: bool) -> list[Any]:
        """What the replay begins with, once."""
        if is_open or not (recordings := all_recordings()):
            return [True, gr.skip()]
        names: list[str] = [name for name in FIRST if name in recordings] or list(recordings)
        return [True, opening(recordings, names[0], names[1] if len(names) > 1 else NO_OTHER)]


def fetch_recording(asked: object) -> dict[str, Any]:
    """A recording as the replay draws it (`what`: drawn) or as a file (`csv`, `npz`); cheap, for anybody may call it.

    Args:
        asked: from the page: `name` of a bundled recording, and `what`.

    Raises:
        ValueError: it asks for nothing that there is.
    """
    name, what = (asked.get("name"), asked.get("what")) if isinstance(asked, Mapping) else (None, None)
    recordings = all_recordings()
    if not isinstance(name, str) or name not in recordings or what not in ("drawn", "csv", "npz"):
        raise ValueError(say("training.failed"))
    if what == "drawn":
        return drawn(name, recordings[name])
    content = recording_csv(recordings[name]) if what == "csv" else _file(name)
    return {"file": f"{name}.{what}", "content": base64.b64encode(content).decode()}


@cache
def all_recordings() -> dict[str, Recording]:
    """Those that come with the project, by name; none where it is installed without its assets."""
    from analysis.recordings import bundled_recordings, load_recording

    return {name: load_recording(name) for name in bundled_recordings()}


@cache
def _file(name: str) -> bytes:
    from analysis.recordings import RECORDINGS_FOLDER, SUFFIX

    return (RECORDINGS_FOLDER / f"{name}{SUFFIX}").read_bytes()
