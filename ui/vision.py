"""The Vision tab: what a picture shows, and which part of it is what."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from ui.drawing import draw_segmentation
from ui.panel import Panel, in_tabs, show_labels
from ui.service import Answer, Service
from ui.views.labels import display_name, percent
from ui.views.legend import legend
from ui.words import say


def build(service: Service) -> Panel:
    """Lay out the tab; returns the panel that shows first."""
    return in_tabs(
        service,
        {
            "classify_image": partial(Panel, name="classify_image", show=show_labels),
            "segment_image": partial(
                Panel, name="segment_image", show=show_segmentation, make_outputs=_overlay_and_downloads
            ),
        },
    )


def show_segmentation(answer: Answer) -> list[Any]:
    """Legend, overlay and the two downloads."""
    drawing = draw_segmentation(answer)
    classes = answer.result.classes
    described = say("app.between_items").join(
        f"{display_name(share.label)} {percent(share.fraction)}" for share in classes
    )
    return [
        legend(classes, drawing.colours),
        gr.Image(drawing.overlay, visible=True, alt_text=say("segment_image.alt", classes=described)),
        gr.DownloadButton(value=drawing.mask, visible=True),
        gr.DownloadButton(value=drawing.overlay, visible=True),
    ]


def _overlay_and_downloads(result: gr.HTML) -> list[Component]:
    overlay = gr.Image(
        label=say("segment_image.overlay"),
        show_label=False,
        format="png",
        interactive=False,
        visible=False,
        buttons=["fullscreen"],
        elem_id="segment_image-overlay",
    )
    result.render()
    with gr.Row(elem_classes="buttons"):
        mask = gr.DownloadButton(say("segment_image.mask"), size="sm", visible=False, elem_id="segment_image-mask")
        coloured = gr.DownloadButton(
            say("segment_image.coloured"), size="sm", visible=False, elem_id="segment_image-coloured"
        )
    return [overlay, mask, coloured]
