"""The tab "Inside": a control strip, and below it the views of what it selects.

A view is made when it is looked at: on opening its tab, and again when something else is selected while it is open.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, Final

import gradio as gr
from gradio.components import Component

from ui.errors import sentence
from ui.fields import PLUMBING
from ui.inside.report import Report
from ui.inside.selection import Looked, Selection, inside_examples, source_of
from ui.inside.strip import NAMES, PLACES, Strip, Updates
from ui.panel import MODEL_QUEUE
from ui.service import Service
from ui.views.notice import failed
from ui.views.selector import selectable
from ui.words import in_language, say

if TYPE_CHECKING:
    from analysis.figures.plate import Plate

Pairs = list[tuple[str, str]]


class View(ABC):
    """One of the views; making it lays it out.

    Args:
        inside: the tab that it is in.
    """

    name: ClassVar[str]
    """Of its tab, in links and words (`name.tab`)."""
    link_names: ClassVar[tuple[str, ...]] = ()
    """Settings of its own that links carry."""
    looks: ClassVar[bool] = True
    """Whether it looks into the model that the strip selects; else `show` is given None, and once only."""

    def __init__(self, inside: Inside) -> None:
        self.inside = inside

    @property
    @abstractmethod
    def outputs(self) -> list[Component]:
        """What `show` has values for."""

    @property
    def settings(self) -> list[Component]:
        """Controls of its own that `show` is given the values of."""
        return []

    @abstractmethod
    def show(self, looked: Looked, *settings: Any) -> Sequence[Any]:
        """The values of `outputs` for what is selected.

        Raises:
            ValueError: it cannot be shown, in a sentence for the visitor.
        """

    def plates(self, looked: Looked, *settings: Any) -> Iterable[Plate]:  # noqa: ARG002
        """Its figures for a report, of what is selected; given what `show` is."""
        return ()

    def link(self, given: Mapping[str, list[str]]) -> tuple[Pairs, Updates]:  # noqa: ARG002
        """What a link says of `link_names`: pairs that can be used, and what to change on the page."""
        return [], {}


class Inside:
    """Builds the tab where it is made."""

    def __init__(self, service: Service, views: Sequence[Callable[[Inside], View]]) -> None:
        self.service: Final = service
        gr.HTML(f'<div class="intro"><p>{say("inside.intro")}</p></div>', elem_classes="html-plain")
        self.strip = Strip(service)
        self._problem = gr.HTML(elem_id="inside-problem", elem_classes=["html-plain", "inside-problem"])
        self._credit = gr.HTML(elem_id="inside-credit", elem_classes=["html-plain", "small"])
        self._current = gr.State("")
        """The view that is open; none before the tab has been opened."""
        self._made: gr.State = gr.State({})
        """By view, what it was made of last."""
        self.views: dict[str, View] = {}
        self._tabs: list[gr.Tab] = []
        with gr.Tabs(overflow_behavior="wrap") as self.tabs:
            for make in views:
                name = make.name  # type: ignore[attr-defined]
                with gr.Tab(say(f"{name}.tab"), id=name, elem_id=f"tab-{name}") as tab:
                    self.views[name] = make(self)
                self._tabs.append(tab)
        self.report = Report(self)
        self._wire()
        self.report.wire(self._made)

    @property
    def names(self) -> list[str]:
        """Of all views, the one that opens first at the front."""
        return list(self.views)

    @property
    def keys(self) -> set[str]:
        """All that its links may say."""
        return {*NAMES, *PLACES, *(name for view in self.views.values() for name in view.link_names)}

    def open_on(self, event: Callable[..., Any]) -> None:
        """Show a view on an event such as `tab.select` of the tab around."""
        self._refresh_on([event], lambda current: current or self.names[0])

    def link(self, name: str, given: Mapping[str, list[str]]) -> tuple[Pairs, Updates]:
        """Where a link to a view leads: its pairs that can be used, and what to change on the page."""
        pairs, updates = self.strip.link(given)
        own, more = self.views[name].link(given)
        return pairs + own, {**updates, **more, self.tabs: gr.Tabs(selected=name), self._current: name}

    def refresh_after(self, event: Callable[..., Any]) -> None:
        """Show what a link has selected, on an event that comes after it."""
        self._refresh_on([event], lambda current: current)

    def changed(self) -> list[Any]:
        """All that a link may change."""
        return [self.tabs, self._current, *self.strip.outputs, *(s for v in self.views.values() for s in v.settings)]

    @contextmanager
    def looking(self, values: Sequence[Any]) -> Iterator[Looked]:
        """What the strip selects, with its model, which is kept from others inside.

        Args:
            values: of `strip.inputs`.

        Raises:
            ValueError, CheckpointError: nothing to look at, or no such model here.
        """
        selection = self.strip.read(values)
        with self.service.subject(selection.model) as subject:
            if subject.modality != selection.modality:
                raise ValueError(say("inside.other_modality", model=selection.model))
            source, rate = source_of(selection)
            yield Looked(selection, subject, subject.show(source, sampling_rate=rate))

    def ask_on(
        self,
        triggers: Sequence[Any],
        handler: Callable[..., Any],
        inputs: Sequence[Component],
        outputs: Sequence[Component],
        **options: Any,
    ) -> Any:
        """Wire a handler that looks into the model: it is given a `Looked`, then the values of `inputs`. What goes
        wrong is said above the views.

        Returns:
            the event, for `then`.
        """
        outputs = list(outputs)

        def handled(*values: Any) -> list[Any]:
            count = len(self.strip.inputs)
            try:
                with self.looking(values[:count]) as looked:
                    return ["", *handler(looked, *values[count:])]
            except Exception as error:
                return [failed(sentence(error)), *(gr.skip() for _ in outputs)]

        # gr.on does not know the events that a widget names itself
        wire = triggers[0] if len(triggers) == 1 else partial(gr.on, list(triggers))
        return wire(
            in_language(handled),
            [*self.strip.inputs, *inputs],
            [self._problem, *outputs],
            **_MODEL_EVENT,
            concurrency_limit=self.service.settings.parallel_runs,
            **options,
        )

    def settings_of(self, name: str, values: Sequence[Any]) -> Sequence[Any]:
        """Of the values of all views' settings, those of one."""
        start = 0
        for view in self.views.values():
            if view.name == name:
                break
            start += len(view.settings)
        return values[start : start + len(self.views[name].settings)]

    def _wire(self) -> None:
        strip = self.strip
        known = json.dumps([entry.name for entry in self.service.models])  # a folder is nobody else's business
        told = f"{{modality, example, model: {known}.includes(model) ? model : '', role}}"
        keep = f"lab.keep({json.dumps(self.names)}, {told})"
        script = f"(modality, example, model, role) => {{ {keep}; return []; }}"
        own = [strip.own["audio"].input, strip.own["vision"].input, strip.own["text"].submit]  # type: ignore[attr-defined]
        gr.on(own, strip.brought, None, strip.example, **PLUMBING)
        parts = [strip.modality, strip.example, strip.model]
        fitted = gr.on(
            strip.triggers,
            in_language(strip.changed),
            parts,
            [strip.example, strip.model, *strip.own.values()],
            **PLUMBING,
        )
        kept = fitted.then(None, [*parts, strip.role], None, js=script, **PLUMBING)
        self._refresh_on([kept.then], lambda current: current)
        for name, tab in zip(self.names, self._tabs, strict=True):
            self._refresh_on([tab.select], partial(_always, name))

    def _refresh_on(self, triggers: Sequence[Any], current: Callable[[str], str]) -> None:
        settings = [part for view in self.views.values() for part in view.settings]
        outputs = [part for view in self.views.values() for part in view.outputs]

        def refresh(open_view: str, made: dict[str, Any], *values: Any) -> list[Any]:
            return self._refreshed(current(open_view), made, values)

        for trigger in triggers:
            trigger(
                in_language(refresh),
                [self._current, self._made, *self.strip.inputs, *settings],
                [self._current, self._made, self._problem, self._credit, self.strip.selector, *outputs],
                **_MODEL_EVENT,
                concurrency_limit=self.service.settings.parallel_runs,
                show_progress="minimal",
                show_progress_on=[view.outputs[0] for view in self.views.values() if view.outputs],
            )

    def _refreshed(self, name: str, made: dict[str, Any], values: Sequence[Any]) -> list[Any]:
        count = len(self.strip.inputs)
        updates: dict[str, list[Any]] = {one: [gr.skip()] * len(view.outputs) for one, view in self.views.items()}
        problem, credit, selector = "", gr.skip(), gr.skip()
        if name in self.views:
            try:
                view, own = self.views[name], self.settings_of(name, values[count:])
                if not view.looks:
                    if name not in made:
                        updates[name] = list(view.show(None, *own))  # type: ignore[arg-type]
                        made = {**made, name: ()}
                    return [name, made, "", "", selector, *(one for part in self.views for one in updates[part])]
                selection = self.strip.read(values[:count])
                credit = _credit(selection)
                if made.get(name) != (key := selection.key):
                    with self.looking(values[:count]) as looked:
                        updates[name] = list(view.show(looked, *own))
                        selector = gr.update(value=selectable(looked))
                    made = {**made, name: key}
            except Exception as error:
                problem = failed(sentence(error))
        return [name, made, problem, credit, selector, *(one for view in self.views for one in updates[view])]


def _credit(selection: Selection) -> str:
    """Whose the example is, where that has to be said."""
    examples = inside_examples(selection.modality)
    credit = next((one.credit for one in examples if one.name == selection.example), "")
    return escape(say("inside.credit", source=credit)) if credit else ""


def _always(name: str, _: str) -> str:
    return name


_MODEL_EVENT: dict[str, Any] = {
    "api_visibility": "private",
    "concurrency_id": MODEL_QUEUE,
    "preprocess": False,  # uploads get our sentence where they are none
}
