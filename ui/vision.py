"""The Vision tab: what a picture shows, and which part of it is what."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.components import Component

from ui.drawing import draw_segmentation
from ui.panel import Panel, result_alone, show_labels
from ui.service import Answer, Service
from ui.settings import Settings
from ui.views.labels import display_name, percent
from ui.views.legend import legend
from ui.views.notice import made_by
from ui.words import say


def build(service: Service, settings: Settings) -> Panel:
    """Lay out the tab; returns the panel that shows first."""
    limit = say("picture.limit", megapixels=f"{settings.max_megapixels:g}", megabytes=settings.max_upload_mb)
    with gr.Tabs():
        with gr.Tab(say("classify_image.tab"), id="classify_image", elem_id="tab-classify-image"):
            first = Panel(
                service,
                "classify_image",
                make_source=lambda value: _picture_input(value, "classify_image"),
                make_outputs=result_alone,
                show=show_labels,
                limit=limit,
                thumbnails=True,
            )
        with gr.Tab(say("segment_image.tab"), id="segment_image", elem_id="tab-segment-image") as tab:
            second = Panel(
                service,
                "segment_image",
                make_source=lambda value: _picture_input(value, "segment_image"),
                make_outputs=_overlay_and_downloads,
                show=show_segmentation,
                limit=limit,
                thumbnails=True,
            )
    second.open_on(tab.select)
    return first


def show_segmentation(answer: Answer) -> list[Any]:
    """Legend, overlay and the two downloads."""
    drawing = draw_segmentation(answer)
    classes = answer.result.classes
    described = ", ".join(f"{display_name(share.label)} {percent(share.fraction)}" for share in classes)
    return [
        legend(classes, drawing.colours) + made_by(answer.result.model, answer.entry),
        gr.Image(drawing.overlay, visible=True, alt_text=say("segment_image.alt", classes=described)),
        gr.DownloadButton(value=drawing.mask, visible=True),
        gr.DownloadButton(value=drawing.overlay, visible=True),
    ]


def _picture_input(value: str | None, name: str) -> gr.Image:
    return gr.Image(
        value=value,
        sources=["upload", "webcam", "clipboard"],
        type="filepath",
        height=320,
        label=say("picture.input"),
        buttons=[],
        elem_id=f"{name}-source",
    )


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
