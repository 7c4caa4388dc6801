"""The tool that looks at a CTC model at work: a picture of every frame, and the numbers behind it as files."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np
from gradio.components import Component
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from ui.panel import Panel
from ui.service import Answer, Service
from ui.views.microscope import picture, reading, template
from ui.views.scripts import script
from ui.words import say

if TYPE_CHECKING:
    from data2vec_core.tasks.results import Alignment, Emissions

EMISSIONS_FILE = "emissions.npz"
TEXTGRID_FILE = "alignment.TextGrid"
ALIGNMENT_FILE = "alignment.json"


def build(service: Service) -> Panel:
    """Lay out the tool."""
    return Panel(service, "inspect_ctc", show=show_inspection, make_outputs=_picture_and_downloads)


def show_inspection(answer: Answer) -> list[Any]:
    """What the model reads, the picture, and the downloads: those of an alignment only where there is one."""
    result = answer.result
    rate, samples = answer.inputs["audio"]
    alignment = result.alignment
    return [
        reading(result),
        gr.HTML(picture(result, samples, rate), visible=True),
        gr.DownloadButton(value=_saved(emissions_npz(result.emissions), EMISSIONS_FILE), visible=True),
        gr.DownloadButton(
            value=_saved(alignment_textgrid(alignment, result.emissions.duration), TEXTGRID_FILE), visible=True
        )
        if alignment
        else gr.DownloadButton(visible=False),
        gr.DownloadButton(value=_saved(alignment_json(alignment), ALIGNMENT_FILE), visible=True)
        if alignment
        else gr.DownloadButton(visible=False),
    ]


def emissions_npz(emissions: Emissions) -> bytes:
    """The numbers of the picture as numpy reads them, without pickles: `probabilities` (frames, tokens) float16,
    `frame_times` (frames,) start of every frame in seconds, `tokens` (tokens,) names, `blank` id."""
    file = io.BytesIO()
    np.savez_compressed(
        file,
        probabilities=emissions.probabilities.astype(np.float16),
        frame_times=np.arange(len(emissions.log_probabilities)) * emissions.seconds_per_frame,
        tokens=np.array(emissions.tokens),
        blank=np.array(emissions.blank),
    )
    return file.getvalue()


def alignment_textgrid(alignment: Alignment, duration: float) -> bytes:
    """The aligned words as Praat reads them."""
    from data2vec_core.tasks.exports import to_textgrid  # its package brings in torch
    from data2vec_core.tasks.results import Transcript, Word

    words = tuple(
        Word(word=span.text, start=span.start, end=span.end, confidence=span.score) for span in alignment.words
    )
    return to_textgrid(Transcript(text=alignment.text, words=words, duration=duration, model=alignment.model)).encode()


def alignment_json(alignment: Alignment) -> bytes:
    """All that the alignment holds."""
    return (json.dumps(alignment.to_json(), ensure_ascii=False, indent=2) + "\n").encode()


def _saved(content: bytes, name: str) -> str:
    return save_bytes_to_cache(content, name, get_upload_folder())


def _picture_and_downloads(result: gr.HTML) -> Sequence[Component]:
    drawing = gr.HTML(
        html_template=template(),
        js_on_load=script("microscope"),
        visible=False,
        elem_id="inspect_ctc-picture",
        elem_classes=["microscope", "html-plain"],
        apply_default_css=False,
    )
    result.render()
    with gr.Row(elem_classes="buttons"):
        buttons = [
            gr.DownloadButton(say(label), size="sm", visible=False, elem_id=label.replace(".", "-"))
            for label in ("inspect_ctc.npz", "inspect_ctc.textgrid", "inspect_ctc.json")
        ]
    return [drawing, *buttons]
