"""What all tools have in common: inputs and a model on the left, the answer on the right, four states.

A panel is empty, working, showing a result, or showing an error in the place of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from html import escape
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from ui.catalogue import TOOLS, ToolName
from ui.errors import sentence
from ui.examples import shipped_examples
from ui.fields import PLUMBING, Field, field
from ui.inputs import PictureInput
from ui.known_models import ModelEntry
from ui.service import Answer, Service
from ui.steps import Step
from ui.views.labels import label_bars
from ui.views.notice import empty, example_names, failed, introduction, is_working, made_by, outside, working
from ui.views.repeat import below
from ui.words import in_language, say, translated

MODEL_QUEUE = "model"
"""All events that run a model wait in this one queue."""

Show = Callable[[Answer], Sequence[Any]]
"""An answer as the values of a panel's outputs: HTML, to which the panel adds who says so, and those of the others."""


class Panel:
    """One tool in its place on the page. Building it lays it out and wires it."""

    def __init__(
        self,
        service: Service,
        name: ToolName,
        *,
        show: Show,
        make_outputs: Callable[[gr.HTML], Sequence[Component]] | None = None,
        asks: ToolName | None = None,
    ) -> None:
        """
        Args:
            service: is asked for answers.
            name: the tool.
            show: what to show of an answer.
            make_outputs: given the HTML that holds the result or the error, renders it and whatever else the tool
                shows; returns these others, which stay hidden until there is a result. None: there are no others.
            asks: the tool that answers, where that is another one, of the same models, which takes these inputs too.
        """
        self._service = service
        self.name: Final = name
        self._tool = TOOLS[name]
        self._asks = asks or name
        self._show = show
        self.examples: Final = shipped_examples(name)
        self.shown_by: dict[Component, Any] = {}
        """Controls that hide the panel, and what each has to hold for it to be seen; tabs find themselves."""
        self.example_row: gr.Dataset | None = None

        gr.HTML(introduction(say(f"{name}.button"), say(f"{name}.intro")), elem_classes=["intro", "html-plain"])
        with gr.Row(elem_classes="tool"):
            with gr.Column(scale=5, min_width=300):
                things = self._lay_out(is_setting=False)
                limits = dict.fromkeys(one.limit(service.settings) for one in self._tool.inputs)
                sentences = say("app.between_sentences").join(filter(None, limits))
                gr.HTML(f'<p class="small">{escape(sentences)}</p>', elem_classes="html-plain")
                self.example_row = self._example_row()
                self.model = gr.Dropdown(
                    choices=model_choices(service, name),
                    value=self._tool.default_model if service.knows(self._tool.default_model) else None,
                    label=say("panel.model"),
                    info=_model_info(service),
                    allow_custom_value=True,
                    elem_id=f"{name}-model",
                )
                self.fields = things | self._lay_out(is_setting=True)
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
                self._others = list(make_outputs(result)) if make_outputs else []
                if not make_outputs:
                    result.render()
        self.outputs = [result, *self._others]
        self._wire(button, stop)
        if (panels := _gathered.get()) is not None:
            panels.append(self)

    def run(self, given: Mapping[Component, Any], progress: gr.Progress = gr.Progress()) -> Iterator[list[Any]]:
        """Ask a model about the visitor's inputs; values of all outputs, anew whenever the answer has grown.

        Args:
            given: what the page's components hold, as gradio hands it over when it does not preprocess: a file that is
                neither sound nor picture gets our sentence, where gradio's own reading of it would fail without one.
        """

        def answers() -> Iterator[Answer | Step]:
            held = {name: one.value([given[part] for part in one.inputs]) for name, one in self.fields.items()}
            inputs = self._tool.received(held)
            yield from self._service.stream(self._asks, inputs, given[self.model], _reporter(progress))

        yield from self._shown(answers)

    def open(self, is_open: bool, progress: gr.Progress = gr.Progress()) -> list[Any]:
        """The first time a visitor comes here: answer the example that the inputs hold already."""
        if is_open or not self.examples or not self._service.knows(self._tool.default_model):
            return [True, *(gr.skip() for _ in self.outputs)]
        return [True, *self._example_values(0, "", progress)]

    def choose_example(self, index: int, model: str, progress: gr.Progress = gr.Progress()) -> list[Any]:
        """Put an example into the inputs, with the settings as they stand by default, and answer it."""
        example = self.examples[index].inputs
        given = {one.name: example.get(one.name, one.default) for one in self._tool.inputs}
        filled = [value for name, one in self.fields.items() for value in one.filled(given[name])]
        return [*filled, *self._example_values(index, model, progress)]

    def open_on(self, event: Callable[..., Any]) -> None:
        """Open the panel on an event such as `tab.select`."""
        event(
            in_language(self.open),
            self.is_open,
            [self.is_open, *self.outputs],
            **_MODEL_EVENT,
            concurrency_limit=self._service.settings.parallel_runs,
            show_progress_on=self.outputs[:1],
        )

    def _lay_out(self, *, is_setting: bool) -> dict[str, Field]:
        """The things to look at, or the settings, by name."""
        opening: Mapping[str, Any] = self.examples[0].inputs if self.examples else {}
        return {
            one.name: field(one, self.name, opening.get(one.name, one.default))
            for one in self._tool.inputs
            if one.is_setting == is_setting
        }

    def _wire(self, button: gr.Button, stop: gr.Button) -> None:
        self.is_open = gr.State(False)
        limit = self._service.settings.parallel_runs
        shared = {**_MODEL_EVENT, "concurrency_limit": limit, "show_progress_on": self.outputs[:1]}
        inputs = [part for one in self.fields.values() for part in one.inputs]
        triggers = [button.click, *(part.submit for part in inputs if isinstance(part, gr.Textbox))]
        started = gr.on(triggers, _enabled, None, stop, **PLUMBING)
        run = started.then(in_language(self.run), {*inputs, self.model}, self.outputs, preprocess=False, **shared)
        run.then(_disabled, None, stop, **PLUMBING)
        cancels = [run]
        if (dataset := self.example_row) is not None:
            filled = [part for one in self.fields.values() for part in one.outputs]
            chosen = dataset.click(_enabled, None, stop, **PLUMBING).then(
                in_language(self.choose_example), [dataset, self.model], [*filled, *self.outputs], **shared
            )
            chosen.then(_disabled, None, stop, **PLUMBING)
            cancels.append(chosen)
        result = self.outputs[0]
        # First the end of the run, then a look at what it left: asked at once, a last word on its progress came after.
        stopped = stop.click(None, cancels=cancels, **PLUMBING)
        stopped.then(in_language(self._stopped), result, [stop, result], **PLUMBING)
        for part in inputs:  # another file: the answer to the last one would stand beside it
            if isinstance(part, (gr.Audio, gr.Image)):
                part.input(in_language(self._cleared), None, self.outputs, **PLUMBING)
            elif isinstance(part, gr.File):
                for event in (part.upload, part.delete, part.clear):
                    event(in_language(self._cleared), None, self.outputs, **PLUMBING)

    def _example_row(self) -> gr.Dataset | None:
        if not self.examples:
            return None
        first = self._tool.inputs[0]
        is_picture = isinstance(first, PictureInput)
        elem_id = f"{self.name}-examples"
        if is_picture:
            gr.HTML(example_names(elem_id, [translated(example.label) for example in self.examples]), visible="hidden")
        return gr.Dataset(
            components=[gr.Image(render=False) if is_picture else gr.Textbox(render=False)],
            samples=[
                [example.inputs[first.name] if is_picture else translated(example.label)] for example in self.examples
            ],
            type="index",
            label=say("panel.examples"),
            elem_id=elem_id,
        )

    def _example_values(self, index: int, model: str, progress: gr.Progress) -> list[Any]:
        example = self.examples[index]
        [values] = self._shown(
            lambda: iter([self._service.ask_example(self._asks, example, model, _reporter(progress))])
        )
        return values

    def _shown(self, answers: Callable[[], Iterator[Answer | Step]]) -> Iterator[list[Any]]:
        try:
            for answer in answers():
                if isinstance(answer, Step):
                    yield [working(answer.fraction), *self._hidden()]
                    continue
                html, *others = self._show(answer)
                made = made_by(answer.result.model, answer.entry, answer.linear, answer.runtime)
                yield [html + made + below(self.name, answer), *others]
        except Exception as error:
            yield [failed(sentence(error)), *self._hidden()]

    def _stopped(self, shown: str | None) -> list[Any]:
        """What is there already of an answer stays; a bar that would stand still does not."""
        return [_disabled(), empty(say("panel.stopped")) if is_working(shown) else gr.skip()]

    def _cleared(self) -> list[Any]:
        return [empty(say(f"{self.name}.empty")), *self._hidden()]

    def _hidden(self) -> list[Component]:
        return [type(other)(visible=False) for other in self._others]


_gathered: ContextVar[list[Panel] | None] = ContextVar("gathered", default=None)


@contextmanager
def gathered() -> Iterator[list[Panel]]:
    """The panels that are built inside, in their order."""
    panels: list[Panel] = []
    token = _gathered.set(panels)
    try:
        yield panels
    finally:
        _gathered.reset(token)


Builder = Callable[[Service], Panel]


def in_tabs(service: Service, builders: Mapping[ToolName, Builder]) -> Panel:
    """Lay out a tab a tool, each opened when it is first looked at; returns the panel that shows first."""
    panels = []
    with gr.Tabs(overflow_behavior="wrap"):
        for name, build in builders.items():
            with gr.Tab(say(f"{name}.tab"), id=name, elem_id=f"tab-{name.replace('_', '-')}") as tab:
                panels.append(build(service))
            if len(panels) > 1:
                panels[-1].open_on(tab.select)
    return panels[0]


def show_labels(answer: Answer) -> list[Any]:
    """Classes as bars, and whether any of them can be right."""
    return [outside(answer.result.outside) + label_bars(answer.result.labels)]


_MODEL_EVENT: dict[str, Any] = {"api_visibility": "private", "concurrency_id": MODEL_QUEUE}


def _enabled() -> gr.Button:
    return gr.Button(interactive=True)


def _disabled() -> gr.Button:
    return gr.Button(interactive=False)


def _reporter(progress: gr.Progress) -> Callable[[float, str], None]:
    return lambda fraction, message: progress(fraction, desc=message)


def model_choices(service: Service, name: ToolName) -> list[tuple[str, str]]:
    """What the chooser of a tool offers: labels and names."""
    return [(model_label(entry), entry.name) for entry in service.models_for(name)]


def model_label(entry: ModelEntry) -> str:
    """A model in a chooser."""
    if entry.is_added:
        return say("panel.model_added", name=entry.name)
    if entry.is_bundled:
        return (
            say("panel.model_bundled", name=entry.name, title=translated(entry.card.title))
            if entry.card.title
            else entry.name
        )
    key = "panel.model_encoder" if entry.card.is_encoder else "panel.model_public"
    return say(key, name=entry.name)


def _model_info(service: Service) -> str:
    settings = service.settings
    if settings.allow_hub and settings.allow_local_folders:
        return say("panel.model_free")
    if settings.allow_hub:
        return say("panel.model_hub")
    return say("panel.model_folder" if settings.allow_local_folders else "panel.model_list")
