"""The Speech tab: what was said, and which class a sound belongs to."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui.panel import Panel, result_alone, show_labels
from ui.service import Answer, Service
from ui.settings import Settings
from ui.views.notice import made_by
from ui.views.transcript import transcript
from ui.words import say


def build(service: Service, settings: Settings) -> Panel:
    """Lay out the tab; returns the panel that shows first."""
    limit = say("sound.limit", seconds=f"{settings.max_audio_seconds:g}", megabytes=settings.max_upload_mb)
    with gr.Tabs():
        with gr.Tab(say("transcribe.tab"), id="transcribe", elem_id="tab-transcribe"):
            first = Panel(
                service,
                "transcribe",
                make_source=lambda value: _sound_input(value, "transcribe"),
                make_outputs=result_alone,
                show=show_transcript,
                limit=limit,
            )
        with gr.Tab(say("classify_audio.tab"), id="classify_audio", elem_id="tab-classify-audio") as tab:
            second = Panel(
                service,
                "classify_audio",
                make_source=lambda value: _sound_input(value, "classify_audio"),
                make_outputs=result_alone,
                show=show_labels,
                limit=limit,
            )
    second.open_on(tab.select)
    return first


def show_transcript(answer: Answer) -> list[Any]:
    """Words with their times, and who says so."""
    return [transcript(answer.result) + made_by(answer.result.model, answer.entry)]


def _sound_input(value: str | None, name: str) -> gr.Audio:
    return gr.Audio(
        value=value,
        sources=["upload", "microphone"],
        type="filepath",
        label=say("sound.input"),
        buttons=[],
        elem_id=f"{name}-source",
    )
