"""The Models tab: what there is, what is in memory, and how a visitor brings another model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Any

import gradio as gr

from data2vec_core.linear_choice import LINEAR_CHOICES
from ui import accelerator
from ui.errors import sentence
from ui.fields import PLUMBING
from ui.newcomers import Found, Workshop, find_here, find_on_hub
from ui.panel import MODEL_QUEUE, Panel, model_choices
from ui.service import Service
from ui.views.models import SCRIPT, downloading, found_facts, memory, model_card, model_list, without_head
from ui.views.notice import empty, failed, introduction
from ui.words import in_language, say

DOWNLOAD_QUEUE = "download"
"""Downloads wait in a queue of their own: whoever asks a model meanwhile does not wait for them."""
DOWNLOADS_AT_ONCE = 2


class ModelsTab:
    """Builds the tab and wires it."""

    def __init__(self, service: Service, panels: Sequence[Panel] = ()) -> None:
        """
        Args:
            panels: whose choosers are to offer the models that visitors bring.
        """
        self._service = service
        self._panels = panels
        self._workshop = Workshop(service)
        first = next((entry.name for entry in service.models), "")
        self._chosen = gr.State(first)
        gr.HTML(introduction(say("tab.models"), say("models.intro")), elem_classes=["intro", "html-plain"])
        with gr.Row(elem_classes="tool"):
            with gr.Column(scale=5, min_width=300):
                self._list = gr.HTML(
                    self._listed(first), js_on_load=SCRIPT, elem_id="models-list", elem_classes="html-plain"
                )
            with gr.Column(scale=7, min_width=300, elem_classes="answer"):
                self._card = gr.HTML(self._carded(first), elem_id="models-card", elem_classes=["result", "html-plain"])
        gr.HTML(f"<h3>{escape(say('models.in_memory_title'))}</h3>", elem_classes="html-plain")
        self._memory = gr.HTML(
            self._remembered(), elem_id="models-memory", elem_classes=["result", "html-plain", "low"]
        )
        self._unloading: tuple[gr.Row, gr.Dropdown] | None = None
        self._linear: gr.Radio | None = None
        if service.settings.allow_unloading:
            chooser, button, said = self._lay_out_unloading()
            self._lay_out_linear()
            button.click(in_language(self.unload), [chooser, self._chosen], [said, *self._seen], **PLUMBING)
        gr.HTML(f"<h3>{escape(say('models.load_title'))}</h3>", elem_classes="html-plain")
        self._lay_out_loading()
        self._list.choose(in_language(self.show_card), None, [self._chosen, self._card], **PLUMBING)

    @property
    def _seen(self) -> list[Any]:
        """What changes when models come and go."""
        return [self._list, self._memory, *(self._unloading or ()), *([self._linear] if self._linear else [])]

    def open_on(self, *events: Any) -> None:
        """Show what is loaded now, on events such as `tab.select` and the opening of the page."""
        for event in events:
            event(in_language(self.refresh), self._chosen, self._seen, **PLUMBING)

    def offer_on(self, event: Any) -> None:
        """Let the tools' choosers offer what visitors have brought, on the opening of the page."""
        if self._panels:
            event(in_language(self.offered), None, self._choosers, **PLUMBING)

    def show_card(self, chosen: gr.EventData) -> list[str]:
        """The name of a model of the list, and its card."""
        name = str(getattr(chosen, "model", ""))
        return [name, self._carded(name)]

    def refresh(self, chosen: str = "") -> list[Any]:
        """Values of everything that changes when models come and go.

        Args:
            chosen: the model whose card is shown.
        """
        names = list(dict.fromkeys(one.model for one in reversed(self._service.loaded())))
        values: list[Any] = [self._listed(chosen), self._remembered()]
        if self._unloading:
            values += [gr.Row(visible=bool(names)), gr.Dropdown(choices=names, value=names[0] if names else None)]
        if self._linear:
            values.append(self._service.linear)
        return values

    def offered(self) -> list[Any]:
        """The choosers of all tools, with what visitors have brought."""
        if not any(entry.is_added for entry in self._service.models):
            return [gr.skip() for _ in self._panels]
        return [gr.Dropdown(choices=model_choices(self._service, panel.name)) for panel in self._panels]

    def unload(self, model: str | None, chosen: str = "") -> list[Any]:
        """Let go of a model; says why where that is not possible."""
        try:
            self._service.unload(model or "")
            said = ""
        except Exception as error:
            said = failed(sentence(error))
        return [said, *self.refresh(chosen)]

    def look_on_hub(self, hub_id: str, revision: str) -> list[Any]:
        """What a hub id stands for, before it is downloaded."""
        return self._looked(lambda: find_on_hub(self._service, hub_id or "", revision or ""))

    def look_here(self, path: str) -> list[Any]:
        """What lies in a folder or a file of this machine."""
        return self._looked(lambda: find_here(self._service, path or ""))

    def fetch(self, found: Found | None) -> Iterator[list[Any]]:
        """Download what was looked at; values of the result and of what is ready to be loaded."""
        if found is None or found.kind != "hub":
            yield [gr.skip(), found]
            return
        try:
            shown = ""
            for done, total in self._service.fetching(found.name):
                bar = downloading(found.name, done, total)
                yield [gr.skip() if bar == shown else bar, None]  # each one is a chance to stop
                shown = bar
            yield [gr.skip(), found]
        except Exception as error:
            yield [failed(sentence(error)), None]

    def bring(self, found: Found | None, chosen: str = "") -> list[Any]:
        """Put what is there now on the list, and into memory where a tool can use it."""
        if found is None:
            return [gr.skip() for _ in (self._result, *self._seen, *self._choosers)]
        try:
            entry = self._workshop.bring(found)
            if entry.card.is_encoder:
                said = f'<div class="notice loaded"><p>{escape(say("models.listed", model=entry.name))}</p></div>'
                said += without_head(entry.name, entry.card.modality)
            else:
                self._service.load(entry)
                said = f'<div class="notice loaded"><p>{escape(say("models.loaded", model=entry.name))}</p></div>'
            said += model_card(entry, self._service.loaded())
        except Exception as error:
            said = failed(sentence(error))
        return [said, *self.refresh(chosen), *self.offered()]

    def _looked(self, find: Callable[[], Found]) -> list[Any]:
        try:
            found = find()
        except Exception as error:
            return [failed(sentence(error)), None, gr.Button(interactive=False)]
        return [found_facts(found), found, gr.Button(interactive=True)]

    def _lay_out_unloading(self) -> tuple[gr.Dropdown, gr.Button, gr.HTML]:
        """What is chosen from, what is pressed, and where an error is said."""
        with gr.Row(elem_classes=["buttons", "unloading"], visible=False) as row:
            chooser = gr.Dropdown(choices=[], label=say("models.loaded_model"), scale=4, elem_id="models-loaded")
            button = gr.Button(say("models.unload"), scale=1, elem_id="models-unload")
        said = gr.HTML("", elem_id="models-unloaded", elem_classes=["result", "html-plain", "low"])
        self._unloading = (row, chooser)
        return chooser, button, said

    def _lay_out_linear(self) -> None:
        if accelerator.is_lent():
            return  # a GPU has layouts of its own
        words = {
            "best": say("models.linear_best"),
            "plain": say("models.linear_plain"),
            "packed": say("models.linear_packed"),
            "int8": say("models.linear_int8"),
        }
        self._linear = gr.Radio(
            [(words[choice], choice) for choice in LINEAR_CHOICES],
            value=self._service.linear,
            label=say("models.linear"),
            info=say("models.linear_info"),
            elem_id="models-linear",
        )
        self._linear.input(self._service.choose_linear, self._linear, None, **PLUMBING)

    def _lay_out_loading(self) -> None:
        settings = self._service.settings
        self._choosers = [panel.model for panel in self._panels]
        if not settings.allow_hub and not settings.allow_local_folders:
            gr.HTML(f"<p>{escape(say('models.closed'))}</p>", elem_id="models-closed", elem_classes="html-plain")
            return
        found = gr.State(None)
        with gr.Row(elem_classes="tool"):
            with gr.Column(scale=5, min_width=300):
                looks: list[tuple[list[Any], Callable[..., list[Any]], list[Any]]] = []
                if settings.allow_hub:
                    hub_id = gr.Textbox(label=say("models.id"), placeholder="owner/name", elem_id="models-id")
                    revision = gr.Textbox(
                        label=say("models.revision"), placeholder="main", elem_id="models-revision", max_lines=1
                    )
                    look = gr.Button(say("models.look_on_hub"), size="sm", elem_id="models-look-hub")
                    looks.append(([look.click, hub_id.submit], self.look_on_hub, [hub_id, revision]))
                else:
                    gr.HTML(f'<p class="small">{escape(say("limits.hub_no"))}</p>', elem_classes="html-plain")
                if settings.allow_local_folders:
                    path = gr.Textbox(label=say("models.path"), info=say("models.path_hint"), elem_id="models-path")
                    look = gr.Button(say("models.look_here"), size="sm", elem_id="models-look-here")
                    looks.append(([look.click, path.submit], self.look_here, [path]))
                else:
                    gr.HTML(f'<p class="small">{escape(say("limits.folders_no"))}</p>', elem_classes="html-plain")
                with gr.Row(elem_classes="buttons"):
                    load = gr.Button(
                        say("models.load"), variant="primary", scale=3, interactive=False, elem_id="models-load"
                    )
                    stop = gr.Button(say("panel.stop"), scale=1, interactive=False, elem_id="models-stop")
            with gr.Column(scale=7, min_width=300, elem_classes="answer"):
                self._result = gr.HTML(
                    empty(say("models.load_empty")), elem_id="models-result", elem_classes=["result", "html-plain"]
                )
        for triggers, handler, inputs in looks:
            gr.on(
                triggers,
                in_language(handler),
                inputs,
                [self._result, found, load],
                api_visibility="private",
                show_progress_on=[self._result],
                concurrency_id=DOWNLOAD_QUEUE,
                concurrency_limit=DOWNLOADS_AT_ONCE,
            )
        self._wire_loading(load, stop, found)

    def _wire_loading(self, load: gr.Button, stop: gr.Button, found: gr.State) -> None:
        ready = gr.State(None)
        started = load.click(_busy, None, [load, stop], **PLUMBING)
        fetched = started.then(
            in_language(self.fetch),
            found,
            [self._result, ready],
            api_visibility="private",
            show_progress="hidden",
            concurrency_id=DOWNLOAD_QUEUE,
            concurrency_limit=DOWNLOADS_AT_ONCE,
        )
        brought = fetched.then(
            in_language(self.bring),
            [ready, self._chosen],
            [self._result, *self._seen, *self._choosers],
            api_visibility="private",
            show_progress_on=[self._result],
            concurrency_id=MODEL_QUEUE,
            concurrency_limit=self._service.settings.parallel_runs,
        )
        brought.then(_idle, None, [load, stop], **PLUMBING)
        stopped = stop.click(None, cancels=[fetched, brought], **PLUMBING)  # first the end of it, as in `ui.panel`
        stopped.then(in_language(self._stopped), None, [self._result, ready, load, stop], **PLUMBING)

    def _stopped(self) -> list[Any]:
        return [empty(say("models.stopped")), None, *_idle()]

    def _listed(self, chosen: str = "") -> str:
        return model_list(self._service.models, {one.model for one in self._service.loaded()}, chosen)

    def _carded(self, model: str) -> str:
        entry = self._service.entry(model)
        return empty(say("models.none_chosen")) if entry is None else model_card(entry, self._service.loaded())

    def _remembered(self) -> str:
        held = self._service.memory
        return memory(held.loaded(), held.used, held.budget)


def build(service: Service, panels: Sequence[Panel] = ()) -> ModelsTab:
    """Lay out the tab."""
    return ModelsTab(service, panels)


def _busy() -> list[gr.Button]:
    return [gr.Button(interactive=False), gr.Button(interactive=True)]


def _idle() -> list[gr.Button]:
    return [gr.Button(interactive=True), gr.Button(interactive=False)]
