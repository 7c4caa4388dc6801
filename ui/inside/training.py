"""The sub-tab "Training": recorded runs to move through, and a small one to make oneself."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any, Final

import gradio as gr
from gradio.components import Component

from ui.inside.selection import Looked
from ui.inside.strip import Updates
from ui.inside.tab import Inside, Pairs, View
from ui.inside.training_lab import Lab
from ui.views.replay import NO_OTHER, drawn, opening, recording_csv, template
from ui.views.scripts import script
from ui.words import in_language, say

if TYPE_CHECKING:
    from analysis.figures.plate import Plate
    from analysis.recordings import Recording

FIRST: Final[tuple[str, ...]] = ("healthy", "tau0")
"""The recordings that a visitor finds beside each other, where they are there."""
REPLAY: Final = ("training_curves", "replay_maps", "replay_curves", "replay")
"""Parts of the replay's script."""


class Training(View):
    """Looks into no model that the strip selects: it has its own."""

    name = "training"
    looks = False
    link_names = ("recording", "beside")

    def __init__(self, inside: Inside) -> None:
        super().__init__(inside)
        gr.HTML(
            f"<h2>{escape(say('training.replay_title'))}</h2><p>{escape(say('training.replay_intro'))}</p>",
            elem_classes=["intro", "html-plain"],
        )
        self.replay = gr.HTML(
            html_template=template(),
            js_on_load=script(*REPLAY),
            server_functions=[in_language(fetch_recording)],
            elem_id="training-replay",
            elem_classes=["html-plain"],
            apply_default_css=False,
        )
        self.lab = Lab(inside.service)

    @property
    def outputs(self) -> list[Component]:
        """None: the replay fetches what it shows, so that it waits for no model."""
        return []

    def show(self, looked: Looked | None, *settings: Any) -> list[Any]:  # noqa: ARG002
        """Nothing, as of `outputs`."""
        return []

    def link(self, given: Mapping[str, list[str]]) -> tuple[Pairs, Updates]:
        said = {name: given.get(name, [""])[0] for name in self.link_names}
        known = all_recordings()
        pairs = [(name, said[name]) for name in self.link_names if said[name] in known]
        return (pairs if said["recording"] in known else []), {}  # the replay itself reads the address as it opens

    def plates(self, looked: Looked | None, *settings: Any) -> Iterable[Plate]:  # noqa: ARG002
        """The recordings that the replay opens with, beside one another."""
        from analysis.figures.replay import training, training_maps

        recordings = {name: one for name, one in all_recordings().items() if name in FIRST}
        return [training(recordings), training_maps(recordings)] if recordings else []


def fetch_recording(asked: object) -> dict[str, Any]:
    """What the replay begins with (`what`: opening), a recording as it is drawn (`drawn`) or as a file (`csv`, `npz`);
    cheap, for anybody may call it.

    Args:
        asked: from the page: `what`, and `name` of a bundled recording; for the opening that may be any, and `beside`
            that of another.

    Raises:
        ValueError: it asks for nothing that there is.
    """
    asked = asked if isinstance(asked, Mapping) else {}
    name, what = asked.get("name"), asked.get("what")
    recordings = all_recordings()
    if what == "opening" and recordings:
        wanted = [name, asked.get("beside")] if isinstance(name, str) and name in recordings else FIRST
        names = [one for one in wanted if isinstance(one, str) and one in recordings] or list(recordings)
        return opening(recordings, names[0], names[1] if len(names) > 1 else NO_OTHER)
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
