"""Results as files that a visitor can keep. They lie in the app's own cache, which is emptied of what is old."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

import gradio as gr
from gradio.components import Component
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from ui.service import Answer
from ui.words import say

LINES_FILE = "classes.csv"
TURNS_FILE = "turns.rttm"
RECORDING = "recording"
"""What an RTTM file calls the clip: whatever a visitor's file is called stays with them."""


def download_below(label: str, elem_id: str) -> Callable[[gr.HTML], Sequence[Component]]:
    """Outputs of a panel: the result, and a button to keep it.

    Args:
        label: key of the button's text.
    """

    def make_outputs(result: gr.HTML) -> Sequence[Component]:
        result.render()
        with gr.Row(elem_classes="buttons"):
            return [gr.DownloadButton(say(label), size="sm", visible=False, elem_id=elem_id)]

    return make_outputs


def lines_csv(answer: Answer) -> str:
    """Path of a table of classified lines: text, class, probability, and whether the text is unlike the training data
    (empty where the model does not say)."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["text", "label", "score", "outside"])
    for line, each in zip(answer.inputs["lines"], answer.result.classifications, strict=False):
        best = each.labels[0]
        writer.writerow([line, best.label, f"{best.score:.4f}", "" if each.outside is None else each.outside])
    # with a mark at its start by which spreadsheets know UTF-8
    return _saved(table.getvalue().encode("utf-8-sig"), LINES_FILE)


def turns_rttm(answer: Answer) -> str:
    """Path of the turns of two speakers as other tools for diarisation read them."""
    from data2vec_core.tasks.exports import to_rttm  # its package brings in torch

    return _saved(to_rttm(answer.result, RECORDING).encode(), TURNS_FILE)


def _saved(content: bytes, name: str) -> str:
    return save_bytes_to_cache(content, name, get_upload_folder())
