"""The Speech tab: what was said, which class a sound belongs to, whose voice it is, and who speaks when."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from ui import microscope
from ui.downloads import download_below, turns_rttm
from ui.panel import Panel, in_tabs, show_labels
from ui.service import Answer, Service
from ui.views.transcript import transcript
from ui.views.voices import similarity, turns


def build(service: Service) -> Panel:
    """Lay out the tab; returns the panel that shows first."""
    return in_tabs(
        service,
        {
            "transcribe": partial(Panel, name="transcribe", show=show_transcript),
            "inspect_ctc": microscope.build,
            "classify_audio": partial(Panel, name="classify_audio", show=show_labels),
            "compare_speakers": partial(Panel, name="compare_speakers", show=show_similarity),
            "speaker_activity": partial(
                Panel,
                name="speaker_activity",
                show=show_turns,
                make_outputs=download_below("speaker_activity.download", "speaker_activity-rttm"),
            ),
        },
    )


def show_transcript(answer: Answer) -> list[Any]:
    """Words with their times."""
    return [transcript(answer.result)]


def show_similarity(answer: Answer) -> list[Any]:
    """The verdict on two voices."""
    return [similarity(answer.result)]


def show_turns(answer: Answer) -> list[Any]:
    """Who speaks when, and the same as a file."""
    return [turns(answer.result), gr.DownloadButton(value=turns_rttm(answer), visible=True)]
