"""The Text tab: which class a sentence belongs to."""

from __future__ import annotations

import gradio as gr

from ui.panel import Panel, result_alone, show_labels
from ui.service import Service
from ui.settings import Settings
from ui.words import say


def build(service: Service, settings: Settings) -> Panel:
    """Lay out the tab; returns its panel."""
    return Panel(
        service,
        "classify_text",
        make_source=_text_input,
        make_outputs=result_alone,
        show=show_labels,
        limit=say("text.limit", characters=settings.max_characters),
    )


def _text_input(value: str | None) -> gr.Textbox:
    return gr.Textbox(
        value=value,
        label=say("classify_text.input"),
        placeholder=say("classify_text.placeholder"),
        lines=4,
        max_lines=12,
        elem_id="classify_text-source",
    )
