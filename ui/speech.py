"""The Speech tab: what was said, which class a sound belongs to, whose voice it is, and who speaks when."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from ui import microscope
from ui.downloads import (
    TRANSCRIPT_FORMATS,
    download_below,
    heard_wav,
    transcript_exports,
    transcript_files,
    turns_rttm,
)
from ui.fields import PLUMBING
from ui.live import LivePanel
from ui.panel import Panel, in_tabs, show_labels
from ui.service import Answer, Service
from ui.views.player import played, player
from ui.views.timeline import heard, timeline
from ui.views.transcript import transcript
from ui.views.voices import lanes, similarity, turns
from ui.words import say


def build(service: Service) -> Panel:
    """Lay out the tab; returns the panel that shows first."""
    return in_tabs(
        service,
        {
            "transcribe": _transcribe,
            "inspect_ctc": microscope.build,
            "classify_audio": partial(Panel, name="classify_audio", show=show_labels),
            "compare_speakers": partial(Panel, name="compare_speakers", show=show_similarity),
            "speaker_activity": partial(
                Panel,
                name="speaker_activity",
                show=show_turns,
                make_outputs=_timeline_and_download,
            ),
        },
    )


def _transcribe(service: Service) -> Panel:
    """A file or a recording, or somebody who speaks now."""
    choices = [(say("transcribe.mode_file"), "recorded"), (say("transcribe.mode_live"), "live")]
    mode = gr.Radio(
        choices,
        value="recorded",
        label=say("transcribe.mode"),
        show_label=False,
        container=False,
        elem_id="transcribe-mode",
    )
    with gr.Column() as file:
        panel = Panel(service, "transcribe", show=show_transcript, make_outputs=_player_and_exports)
    with gr.Column(visible=False) as live:
        LivePanel(service, panel.model)
    mode.change(
        lambda chosen: [gr.Column(visible=chosen == "recorded"), gr.Column(visible=chosen == "live")],
        mode,
        [file, live],
        **PLUMBING,
    )
    panel.shown_by[mode] = "recorded"
    [search], *searched = (panel.fields[name].inputs for name in ("search", "beam", "alternatives"))
    sliders = [part for parts in searched for part in parts]
    for part in sliders:  # a best path has neither
        part.visible = False
    assert isinstance(search, gr.Radio)
    search.change(
        lambda chosen: [gr.Slider(visible=chosen != "best_path") for _ in sliders], search, sliders, **PLUMBING
    )
    return panel


def show_transcript(answer: Answer) -> list[Any]:
    """Words that can be heard, what is said about them, and the same as files."""
    result, inputs = answer.result, answer.inputs
    wants_alternatives = inputs["search"] != "best_path" and inputs["alternatives"] > 0
    html = transcript(result, wants_alternatives=wants_alternatives)
    if not result.words:
        return [html, gr.HTML(visible=False), *(gr.DownloadButton(visible=False) for _ in TRANSCRIPT_FORMATS)]
    files = [gr.DownloadButton(value=path, visible=True) for path in transcript_files(result)]
    return [html, played(inputs["audio"].path, result), *files]


def _player_and_exports(result: gr.HTML) -> list[Component]:
    return [player("transcribe-player"), *transcript_exports(result)]


def show_similarity(answer: Answer) -> list[Any]:
    """The verdict on two voices."""
    return [similarity(answer.result)]


def show_turns(answer: Answer) -> list[Any]:
    """Who speaks when, the same to be heard, and as a file."""
    result = answer.result
    shown = heard(heard_wav(answer), lanes(result), result.duration) if result.segments else gr.HTML(visible=False)
    return [turns(result), shown, gr.DownloadButton(value=turns_rttm(answer), visible=True)]


def _timeline_and_download(result: gr.HTML) -> list[Component]:
    drawn = timeline("speaker_activity-timeline")
    return [drawn, *download_below("speaker_activity.download", "speaker_activity-rttm")(result)]
