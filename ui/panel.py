"""What the five tools have in common: an input and a model on the left, the answer on the right, four states.

A panel is empty, working, showing a result, or showing an error in the place of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from gradio.components import Component

from ui.catalogue import TOOLS, ModelEntry, ToolName
from ui.errors import sentence
from ui.examples import shipped_examples
from ui.inputs import upload_path
from ui.service import Answer, Service
from ui.views.labels import label_bars
from ui.views.notice import empty, failed, made_by
from ui.words import say

MODEL_QUEUE = "model"
"""All events that run a model wait in this one queue."""

Show = Callable[[Answer], Sequence[Any]]
"""An answer as the values of a panel's outputs."""


class Panel:
    """One tool in its place on the page. Building it lays it out and wires it."""

    def __init__(
        self,
        service: Service,
        name: ToolName,
        *,
        make_source: Callable[[str | None], Component],
        make_outputs: Callable[[gr.HTML], Sequence[Component]],
        show: Show,
        limit: str,
        thumbnails: bool = False,
    ) -> None:
        """
        Args:
            service: is asked for answers.
            name: the tool.
            make_source: builds the input from the example to open with.
            make_outputs: given the HTML that holds the result or the error, renders it and whatever else the tool
                shows; returns these others, which stay hidden until there is a result.
            show: the HTML and the values of the others.
            limit: the note on what may be given.
            thumbnails: show examples as pictures rather than by name.
        """
        self._service = service
        self._name = name
        self._show = show
        self._examples = shipped_examples(name)
        tool = TOOLS[name]

        gr.Markdown(say(f"{name}.intro"), elem_classes="intro")
        with gr.Row(elem_classes="panel"):
            with gr.Column(scale=5, min_width=300):
                self.source = make_source(self._examples[0].source if self._examples else None)
                gr.HTML(f'<p class="small">{limit}</p>', elem_classes="html-plain")
                dataset = self._example_row(thumbnails)
                self.model = gr.Dropdown(
                    choices=[(_model_label(entry), entry.name) for entry in service.models_for(name)],
                    value=tool.default_model,
                    label=say("panel.model"),
                    info=_model_info(service),
                    allow_custom_value=True,
                    elem_id=f"{name}-model",
                )
                with gr.Row(elem_classes="buttons"):
                    button = gr.Button(say(f"{name}.button"), variant="primary", scale=3, elem_id=f"{name}-run")
                    stop = gr.Button(
                        say("panel.stop"), variant="secondary", scale=1, interactive=False, elem_id=f"{name}-stop"
                    )
            with gr.Column(scale=7, min_width=300, elem_classes="answer"):
                result = gr.HTML(
                    empty(say(f"{name}.empty")),
                    elem_id=f"{name}-result",
                    elem_classes=["result", "html-plain"],
                    render=False,
                )
                self._others = list(make_outputs(result))
        self.outputs = [result, *self._others]
        self._wire(button, stop, dataset)

    def run(self, source: Any, model: str, progress: gr.Progress = gr.Progress()) -> list[Any]:
        """Ask a model about the visitor's input; values of all outputs.

        Args:
            source: a text, or a file as gradio hands it over when it does not preprocess: a file that is neither
                sound nor picture gets our sentence, where gradio's own reading of it would fail without one.
            model: as typed.
        """

        def ask() -> Answer:
            given = source if TOOLS[self._name].modality == "text" else upload_path(source)
            return self._service.ask(self._name, given, model, _reporter(progress))

        return self._values(ask)

    def open(self, is_open: bool, progress: gr.Progress = gr.Progress()) -> list[Any]:
        """The first time a visitor comes here: answer the example that the input holds already."""
        if is_open or not self._examples:
            return [True, *(gr.skip() for _ in self.outputs)]
        return [True, *self._example_values(0, "", progress)]

    def choose_example(self, index: int, model: str, progress: gr.Progress = gr.Progress()) -> list[Any]:
        """Put an example into the input and answer it."""
        return [self._examples[index].source, *self._example_values(index, model, progress)]

    def open_on(self, event: Callable[..., Any]) -> None:
        """Open the panel on an event such as `tab.select`."""
        event(
            self.open,
            self._is_open,
            [self._is_open, *self.outputs],
            **_MODEL_EVENT,
            concurrency_limit=self._service.settings.parallel_runs,
            show_progress_on=self.outputs[:1],
        )

    def _wire(self, button: gr.Button, stop: gr.Button, dataset: gr.Dataset | None) -> None:
        self._is_open = gr.State(False)
        limit = self._service.settings.parallel_runs
        shared = {**_MODEL_EVENT, "concurrency_limit": limit, "show_progress_on": self.outputs[:1]}
        triggers = [button.click]
        if isinstance(self.source, gr.Textbox):
            triggers.append(self.source.submit)
        started = gr.on(triggers, _enabled, None, stop, **_PLUMBING)
        run = started.then(self.run, [self.source, self.model], self.outputs, preprocess=False, **shared)
        run.then(_disabled, None, stop, **_PLUMBING)
        cancels = [run]
        if dataset is not None:
            chosen = dataset.click(_enabled, None, stop, **_PLUMBING).then(
                self.choose_example, [dataset, self.model], [self.source, *self.outputs], **shared
            )
            chosen.then(_disabled, None, stop, **_PLUMBING)
            cancels.append(chosen)
        stop.click(_disabled, None, stop, cancels=cancels, **_PLUMBING)
        if not isinstance(self.source, gr.Textbox):  # another file: the answer to the last one would stand beside it
            self.source.input(self._cleared, None, self.outputs, **_PLUMBING)  # type: ignore[attr-defined]

    def _example_row(self, thumbnails: bool) -> gr.Dataset | None:
        if not self._examples:
            return None
        return gr.Dataset(
            components=[gr.Image(render=False) if thumbnails else gr.Textbox(render=False)],
            samples=[[example.source if thumbnails else example.label] for example in self._examples],
            type="index",
            label=say("panel.examples"),
            elem_id=f"{self._name}-examples",
        )

    def _example_values(self, index: int, model: str, progress: gr.Progress) -> list[Any]:
        source = self._examples[index].source
        return self._values(lambda: self._service.ask_example(self._name, source, model, _reporter(progress)))

    def _values(self, ask: Callable[[], Answer]) -> list[Any]:
        try:
            return list(self._show(ask()))
        except Exception as error:
            return [failed(sentence(error)), *self._hidden()]

    def _cleared(self) -> list[Any]:
        return [empty(say(f"{self._name}.empty")), *self._hidden()]

    def _hidden(self) -> list[Component]:
        return [type(other)(visible=False) for other in self._others]


def result_alone(result: gr.HTML) -> list[Component]:
    """Outputs of a tool whose answer is HTML and nothing else."""
    result.render()
    return []


def show_labels(answer: Answer) -> list[Any]:
    """Classes as bars, and who says so."""
    return [label_bars(answer.result.labels) + made_by(answer.result.model, answer.entry)]


_PLUMBING: dict[str, Any] = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
_MODEL_EVENT: dict[str, Any] = {"api_visibility": "private", "concurrency_id": MODEL_QUEUE}


def _enabled() -> gr.Button:
    return gr.Button(interactive=True)


def _disabled() -> gr.Button:
    return gr.Button(interactive=False)


def _reporter(progress: gr.Progress) -> Callable[[float, str], None]:
    return lambda fraction, message: progress(fraction, desc=message)


def _model_label(entry: ModelEntry) -> str:
    if entry.is_bundled:
        return say("panel.model_bundled", name=entry.name, title=entry.card.title) if entry.card.title else entry.name
    key = "panel.model_encoder" if entry.card.is_encoder else "panel.model_public"
    return say(key, name=entry.name)


def _model_info(service: Service) -> str:
    settings = service.settings
    if settings.allow_hub and settings.allow_local_folders:
        return say("panel.model_free")
    if settings.allow_hub:
        return say("panel.model_hub")
    return say("panel.model_folder" if settings.allow_local_folders else "panel.model_list")
