"""The Text tab: classes, tags, answers, choices, words behind a mask, and how a text goes on."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from ui.downloads import download_below, lines_csv
from ui.fields import PLUMBING
from ui.panel import Panel, in_tabs, show_labels
from ui.service import Answer, Service
from ui.views.choices import weighed
from ui.views.continued import continued
from ui.views.fillings import fillings
from ui.views.lines import classified_lines
from ui.views.passage import answer_in_passage
from ui.views.tags import tagged
from ui.words import say


def build(service: Service) -> Panel:
    """Lay out the tab; returns the panel that shows first."""
    return in_tabs(
        service,
        {
            "classify_text": _classify,
            "tag_tokens": partial(Panel, name="tag_tokens", show=show_tags),
            "answer_question": partial(Panel, name="answer_question", show=show_answer),
            "choose": partial(Panel, name="choose", show=show_choice),
            "fill_mask": partial(Panel, name="fill_mask", show=show_fillings),
            "continue_text": partial(Panel, name="continue_text", show=show_continuation),
        },
    )


def _classify(service: Service) -> Panel:
    """One text, or many at once."""
    choices = [(say("classify_text.one"), "one"), (say("classify_text.many"), "many")]
    mode = gr.Radio(
        choices,
        value="one",
        label=say("classify_text.mode"),
        show_label=False,
        container=False,
        elem_id="classify_text-mode",
    )
    with gr.Column() as one:
        panel = Panel(service, "classify_text", show=show_labels)
    with gr.Column(visible=False) as many:
        lines = Panel(
            service,
            "classify_lines",
            show=show_lines,
            make_outputs=download_below("classify_lines.download", "classify_lines-csv"),
        )
    mode.change(
        lambda chosen: [gr.Column(visible=chosen == "one"), gr.Column(visible=chosen == "many")],
        mode,
        [one, many],
        **PLUMBING,
    )
    panel.shown_by[mode], lines.shown_by[mode] = "one", "many"
    lines.open_on(mode.change)
    return panel


def show_lines(answer: Answer) -> list[Any]:
    """Every line with its class, and the same as a file."""
    html = classified_lines(answer.inputs["lines"], answer.result.classifications)
    return [html, gr.DownloadButton(value=lines_csv(answer), visible=True)]


def show_tags(answer: Answer) -> list[Any]:
    """Entities in their text."""
    return [tagged(answer.inputs["text"], answer.result)]


def show_answer(answer: Answer) -> list[Any]:
    """An answer in its passage."""
    return [answer_in_passage(answer.inputs["context"], answer.result)]


def show_choice(answer: Answer) -> list[Any]:
    """Options and their probabilities."""
    return [weighed(answer.inputs["choices"], answer.result)]


def show_fillings(answer: Answer) -> list[Any]:
    """Candidates in their places."""
    return [fillings(answer.inputs["text"], answer.result)]


def show_continuation(answer: Answer) -> list[Any]:
    """A text as far as it is written."""
    return [continued(answer.inputs["prompt"], answer.inputs["seed"], answer.result)]
