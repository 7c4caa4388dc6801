"""The Vision tab: what a picture shows and why the model says so, many pictures at once, and which part is what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

import gradio as gr
from gradio.components import Component

from ui.catalogue import TOOLS
from ui.downloads import download_below, pictures_csv
from ui.drawing import Look, class_names, drawn_colours, drawn_overlay, save_mask, save_picture
from ui.errors import explained, sentence
from ui.fields import PLUMBING
from ui.panel import MODEL_QUEUE, Panel, in_tabs, show_labels
from ui.pictures import EXPLAINED
from ui.service import Answer, Service
from ui.views.labels import display_name, percent
from ui.views.notice import failed
from ui.views.pictures import classified_pictures
from ui.views.relevance import draw_relevance, relevance_figure
from ui.views.scores import map_scores
from ui.views.segments import LOOK_SCRIPT, ONLY_SCRIPT, SAVE_SCRIPT, segments_value, segments_widget, shares_table
from ui.words import in_language, say

FILES_QUEUE = "files"
"""Drawing a large photo takes a while, one at a time."""


def build(service: Service) -> Panel:
    """Lay out the tab; returns the panel that shows first."""
    return in_tabs(service, {"classify_image": _classify, "segment_image": _segment})


# What a picture shows


def _classify(service: Service) -> Panel:
    """One picture, or many at once."""
    choices = [(say("classify_images.one"), "one"), (say("classify_images.many"), "many")]
    mode = gr.Radio(
        choices,
        value="one",
        label=say("classify_images.mode"),
        show_label=False,
        container=False,
        elem_id="classify_image-mode",
    )
    with gr.Column() as one:
        relevance = Relevance(service)
        panel = Panel(
            service, "classify_image", show=relevance.show, make_outputs=relevance.lay_out, asks="explain_image"
        )
        relevance.wire(panel)
    with gr.Column(visible=False) as many:
        pictures = Panel(
            service,
            "classify_images",
            show=show_pictures,
            make_outputs=download_below("classify_images.download", "classify_images-csv"),
        )
    mode.change(
        lambda chosen: [gr.Column(visible=chosen == "one"), gr.Column(visible=chosen == "many")],
        mode,
        [one, many],
        **PLUMBING,
    )
    panel.shown_by[mode], pictures.shown_by[mode] = "one", "many"
    pictures.open_on(mode.change)
    return panel


class Relevance:
    """Below the classes of a picture: which patches mattered for one of them, and a choice of the class."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def lay_out(self, result: gr.HTML) -> list[Component]:
        """The result, then the choice, the drawing, and a button to keep it."""
        result.render()
        with gr.Column(visible=False, elem_classes="why") as self._place:
            self._chooser = gr.Radio(
                [], label=say("relevance.chooser"), info=say("relevance.chooser_info"), elem_id="relevance-class"
            )
            self._figure = gr.HTML(elem_id="relevance-figure", elem_classes=["result", "html-plain"])
            with gr.Row(elem_classes="buttons"):
                self._file = gr.DownloadButton(say("relevance.download"), size="sm", elem_id="relevance-png")
        self._model = gr.Textbox(visible=False)
        return [self._place, self._chooser, self._figure, self._file, self._model]

    def wire(self, panel: Panel) -> None:
        """Ask again when the visitor picks another class of the same picture."""
        self._picture = panel.fields["image"].inputs[0]
        self._chooser.input(
            in_language(self.explain_class),
            {self._picture, self._chooser, self._model},
            [self._figure, self._file],
            preprocess=False,
            api_visibility="private",
            concurrency_id=MODEL_QUEUE,
            concurrency_limit=self._service.settings.parallel_runs,
            trigger_mode="always_last",
            show_progress_on=self._figure,
        )

    def show(self, answer: Answer) -> list[Any]:
        """The classes at once; what mattered as soon as it is found."""
        result = answer.result
        [html] = show_labels(answer)
        if answer.runtime != "pytorch":
            html += f'<p class="small">{escape(say("relevance.in_pytorch"))}</p>'
        if result.relevance is None:
            return [html, gr.Column(visible=False), *(gr.skip() for _ in range(4))]
        shown = zip(result.labels, result.class_ids, strict=False)
        choices = [(f"{display_name(one.label)} {percent(one.score)}", str(number)) for one, number in shown]
        return [
            html,
            gr.Column(visible=True),
            gr.Radio(choices, value=str(result.relevance.class_id), visible=len(choices) > 1),
            *self._drawn(answer),
            gr.Textbox(value=result.model),
        ]

    def explain_class(self, given: Mapping[Component, Any]) -> list[Any]:
        """The drawing for another class."""
        try:
            number = given[self._chooser]
            class_id = int(number) if isinstance(number, str) and number.isdecimal() else number
            inputs = {"image": given[self._picture], "class_id": class_id}
            asked = self._service.ask("explain_image", TOOLS["explain_image"].received(inputs), given[self._model])
            return self._drawn(asked)
        except Exception as error:
            return [gr.HTML(failed(sentence(error)), visible=True), gr.DownloadButton(visible=False)]

    @staticmethod
    def _drawn(answer: Answer) -> list[Any]:
        result = answer.result
        found = result.relevance
        labels = dict(zip(result.class_ids, (one.label for one in result.labels[:EXPLAINED]), strict=True))
        drawing = draw_relevance(answer.inputs["image"], found)
        html = relevance_figure(drawing, found, labels.get(found.class_id, str(found.class_id)), result.layers)
        return [gr.HTML(html, visible=True), gr.DownloadButton(value=save_picture(drawing, "relevance"), visible=True)]


def show_pictures(answer: Answer) -> list[Any]:
    """Every picture with its class, and the same as a file."""
    return [classified_pictures(answer.result), gr.DownloadButton(value=pictures_csv(answer), visible=True)]


# Which part is what


def _segment(service: Service) -> Panel:
    segments = Segments(service)
    panel = Panel(service, "segment_image", show=segments.show, make_outputs=segments.lay_out)
    segments.wire(panel)
    return panel


class Segments:
    """The segmented picture, how it is drawn, its files, and how well it agrees with a map that the visitor has."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def lay_out(self, result: gr.HTML) -> list[Component]:
        """The picture and its controls, the result, then the comparison."""
        self._widget = segments_widget("segment_image-view")
        with gr.Column(visible=False, elem_classes="look") as controls:
            with gr.Row():
                mode = gr.Radio(
                    [
                        (say("segment_image.mode_fill"), "fill"),
                        (say("segment_image.mode_contour"), "contour"),
                        (say("segment_image.mode_both"), "both"),
                    ],
                    value="both",
                    label=say("segment_image.mode"),
                    min_width=200,
                    elem_id="segment_image-mode",
                )
                palette = gr.Radio(
                    [
                        (say("segment_image.palette_okabe_ito"), "okabe-ito"),
                        (say("segment_image.palette_petroff"), "petroff"),
                    ],
                    value="okabe-ito",
                    label=say("segment_image.palette"),
                    min_width=200,
                    elem_id="segment_image-palette",
                )
            opacity = gr.Slider(
                0, 100, value=50, step=5, label=say("segment_image.opacity"), elem_id="segment_image-opacity"
            )
            self._look = (opacity, mode, palette)
            with gr.Row(elem_classes="buttons"):
                self._mask = gr.DownloadButton(say("segment_image.mask"), size="sm", elem_id="segment_image-mask")
                self._colours = gr.Button(say("segment_image.colours"), size="sm", elem_id="segment_image-colours")
                self._overlay = gr.Button(say("segment_image.coloured"), size="sm", elem_id="segment_image-coloured")
        result.render()
        with gr.Column(visible=False) as comparison, gr.Accordion(say("score_map.title"), open=False):
            gr.HTML(f'<p class="small">{escape(say("score_map.intro"))}</p>', elem_classes="html-plain")
            self._given = gr.File(
                label=say("score_map.label_map"), file_types=["image"], height=140, elem_id="segment_image-label_map"
            )
            self._scores = gr.HTML(elem_id="segment_image-scores", elem_classes=["result", "scores", "html-plain"])
        # not in a column that comes and goes: that would show them with it
        self._file = gr.DownloadButton(visible="hidden", elem_id="segment_image-file")
        self._model, self._names = gr.Textbox(visible=False), gr.Textbox(visible=False)
        self._only = gr.Number(visible=False)
        return [
            self._widget,
            controls,
            self._mask,
            comparison,
            self._given,
            self._scores,
            self._model,
            self._names,
        ]

    def wire(self, panel: Panel) -> None:
        """Let the controls change the view in the page, and make files and comparisons on the server."""
        self._photo = panel.fields["image"].inputs[0]
        gr.on([control.change for control in self._look], None, [*self._look], None, js=LOOK_SCRIPT, **PLUMBING)
        for button, make in ((self._colours, self.colours), (self._overlay, self.overlay)):
            made = button.click(
                in_language(explained(make)),
                [self._photo, self._mask, self._names, *self._look, self._only],
                self._file,
                js=ONLY_SCRIPT,
                preprocess=False,
                api_visibility="private",
                concurrency_id=FILES_QUEUE,
                show_progress_on=button,
            )
            made.success(None, None, None, js=SAVE_SCRIPT, **PLUMBING)
        self._given.upload(
            in_language(self.compare_maps),
            [self._mask, self._given, self._model],
            self._scores,
            preprocess=False,
            api_visibility="private",
            concurrency_id=MODEL_QUEUE,
            concurrency_limit=self._service.settings.parallel_runs,
        )
        gr.on([self._given.clear, self._given.delete], lambda: "", None, self._scores, **PLUMBING)

    def show(self, answer: Answer) -> list[Any]:
        """The picture for the widget, a table of its classes, and the ids as a file; a comparison with another
        picture's map is over."""
        result = answer.result
        return [
            shares_table(result.classes),
            gr.HTML(segments_value(answer.inputs["image"], result.mask, result.classes), visible=True),
            gr.Column(visible=True),
            gr.DownloadButton(value=save_mask(answer), visible=True),
            gr.Column(visible=True),
            gr.File(value=None, visible=True),
            gr.HTML("", visible=True),
            gr.Textbox(value=result.model),
            gr.Textbox(value=json.dumps({share.id: share.label for share in result.classes})),
        ]

    def colours(self, photo: Any, mask: Any, names: Any, opacity: Any, mode: Any, palette: Any, only: Any) -> str:  # noqa: ARG002
        """Path of the colours alone."""
        look = Look.received(opacity, mode, palette)
        return drawn_colours(mask, class_names(names), look, self._service.settings)

    def overlay(self, photo: Any, mask: Any, names: Any, opacity: Any, mode: Any, palette: Any, only: Any) -> str:
        """Path of the photo with its classes, as the visitor sees it."""
        look = Look.received(opacity, mode, palette, only)
        return drawn_overlay(photo, mask, class_names(names), look, self._service.settings)

    def compare_maps(self, mask: Any, given: Any, model: Any) -> str:
        """How well the two maps agree, or why that cannot be said."""
        try:
            inputs = TOOLS["score_map"].received({"mask": mask, "label_map": given})
            return map_scores(self._service.ask("score_map", inputs, model).result)
        except Exception as error:
            return failed(sentence(error))
