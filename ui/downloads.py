"""Results as files that a visitor can keep. They lie in the app's own cache, which is emptied of what is old."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import gradio as gr
from gradio.components import Component
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from ui.service import Answer
from ui.words import say

if TYPE_CHECKING:
    from data2vec_core.tasks import Transcript

LINES_FILE = "classes.csv"
TURNS_FILE = "turns.rttm"
HEARD_FILE = "heard.wav"
TRANSCRIPT_FORMATS = {"TXT": "txt", "SRT": "srt", "VTT": "vtt", "JSON": "json", "TextGrid": "TextGrid"}
"""What a transcript can be kept as -> how its file's name ends, by which other tools know it."""
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


def pictures_csv(answer: Answer) -> str:
    """Path of a table of classified pictures: file, class, probability, whether the picture is unlike the training data
    (empty where the model does not say), and why it could not be read."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["file", "label", "score", "outside", "problem"])
    for one in answer.result.pictures:
        found = one.classification
        if found is None:
            writer.writerow([one.name, "", "", "", one.problem])
        else:
            outside = "" if found.outside is None else found.outside
            writer.writerow([one.name, found.labels[0].label, f"{found.labels[0].score:.4f}", outside, ""])
    return _saved(table.getvalue().encode("utf-8-sig"), LINES_FILE)


def heard_wav(answer: Answer) -> str:
    """Path of the sound as the model heard it, which any browser can play."""
    import soundfile

    rate, samples = answer.inputs["audio"]
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return _saved(file.getvalue(), HEARD_FILE)


def turns_rttm(answer: Answer) -> str:
    """Path of the turns of two speakers as other tools for diarisation read them."""
    from data2vec_core.tasks.exports import to_rttm  # its package brings in torch

    return _saved(to_rttm(answer.result, RECORDING).encode(), TURNS_FILE)


def transcript_exports(result: gr.HTML) -> list[gr.DownloadButton]:
    """The result, and below it a button for every format that a transcript can be kept in."""
    result.render()
    with gr.Row(elem_classes="buttons"):
        return [
            gr.DownloadButton(name, size="sm", visible=False, elem_id=f"transcribe-{name.lower()}")
            for name in TRANSCRIPT_FORMATS
        ]


def transcript_files(result: Transcript) -> list[str]:
    """Paths of a transcript in each of `TRANSCRIPT_FORMATS`."""
    from data2vec_core.tasks import exports  # brings in torch

    return [
        _saved(getattr(exports, f"to_{name.lower()}")(result).encode(), f"transcript.{ending}")
        for name, ending in TRANSCRIPT_FORMATS.items()
    ]


def _saved(content: bytes, name: str) -> str:
    return save_bytes_to_cache(content, name, get_upload_folder())
