"""The view "Layers": two sides layer by layer, how alike they are, how they lie, and what can be read off them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from ui.errors import sentence
from ui.fields import PLUMBING
from ui.inside import layers_sections as sections
from ui.inside.layers_choice import METHODS, NAMES, ROLES, Compared, compared, read_choice
from ui.inside.layers_drawn import Maps
from ui.inside.layers_files import figures, make_files
from ui.inside.layers_own import own_fields, own_items
from ui.inside.layers_ready import get_umap_ready
from ui.inside.layers_sides import (
    FIRST_SETS,
    NULLS,
    OWN,
    Choice,
    Kept,
    OtherModelError,
    Pair,
    cross_choices,
    fitting_models,
    fitting_sets,
    kept,
    other_side,
    pair_of,
    settled,
)
from ui.inside.selection import Looked, Selection
from ui.inside.strip import FIRST, Updates
from ui.inside.tab import Pairs, View
from ui.panel import MODEL_QUEUE
from ui.views import layers_maps
from ui.views.layers_colours import layer_colours
from ui.views.notice import failed
from ui.views.scripts import script
from ui.words import in_language, say

if TYPE_CHECKING:
    from analysis.figures.plate import Plate
    from analysis.item_sets import ItemSet
    from ui.inside.tab import Inside


class Layers(View):
    """One side against another on the same items."""

    name = "layers"
    link_names = NAMES

    def __init__(self, inside: Inside) -> None:
        super().__init__(inside)
        self._service = inside.service
        self._store: Kept = kept(inside.service)
        self._maps = Maps(self._store)
        gr.HTML(f'<div class="intro"><p>{say("layers.intro")}</p></div>', elem_classes="html-plain")
        with gr.Row(elem_classes="layers-controls"):
            sets = self._set_choices(FIRST, FIRST)
            self.items = gr.Dropdown(
                sets,
                value=FIRST_SETS[FIRST] if FIRST_SETS[FIRST] in dict(sets).values() else sets[0][1],
                label=say("layers.items"),
                elem_id="layers-items",
                min_width=220,
            )
            self.other_model = gr.Dropdown(
                [(say("layers.automatic"), "")],
                value="",
                label=say("layers.other_model"),
                elem_id="layers-other-model",
                min_width=220,
            )
            self.other_role = gr.Radio(
                [(say("inside.student"), "student"), (say("inside.teacher"), "teacher")],
                value="teacher",
                label=say("layers.other_role"),
                elem_id="layers-other-role",
                min_width=180,
            )
        self._own_files, self._own_text, self._use_own = own_fields(self._service.settings)
        self._shown = gr.State(None)  # what the view is of, as `compared` says it; None: still to be compared
        self._problem = gr.HTML(elem_id="layers-problem", elem_classes=["html-plain", "inside-problem"])
        _heading("compare", say("layers.compare_title"), say("layers.compare_intro"))
        with gr.Row(elem_classes="layers-controls"):
            self.measure = gr.Dropdown(
                [(sections.measure_name(one), one) for one in sections.MEASURES],
                value="cka",
                label=say("layers.measure"),
                elem_id="layers-measure",
                min_width=220,
            )
            nulls = {
                "none": say("layers.null_none"),
                "shuffled": say("layers.null_shuffled"),
                "untrained": say("layers.null_untrained"),
            }
            self.null = gr.Radio(
                [(nulls[one], one) for one in NULLS],
                value="none",
                label=say("layers.null"),
                elem_id="layers-null",
                min_width=320,
            )
        self.comparison = _part("layers-compare", "layers_matrix", "later")
        _heading("maps", say("layers.maps_title"), say("layers.maps_intro"))
        self.map = gr.Radio(
            [("PCA", "pca"), ("UMAP", "umap"), ("t-SNE", "tsne")],
            value="pca",
            label=say("layers.method"),
            info=say("layers.method_info"),
            elem_id="layers-map",
        )
        self.maps = gr.HTML(
            html_template=layers_maps.template(),
            js_on_load=script("layers_maps"),
            server_functions=[in_language(layers_maps.fetch_media)],
            elem_id="layers-maps",
            elem_classes=["html-plain"],
            apply_default_css=False,
        )
        gr.HTML(f'<p class="small misleads">{say("layers.maps_misleads")}</p>', elem_classes="html-plain")
        _heading("colours", say("layers.colours_title"), say("layers.colours_intro"))
        self.colours = _part("layers-colours")
        _heading("geometry", say("layers.geometry_title"), say("layers.geometry_intro"))
        self.geometry = _part("layers-geometry", "later")
        _heading("knows", say("layers.knows_title"), say("layers.knows_intro"))
        self.knows = _part("layers-knows", "later")
        _heading("keep", say("layers.keep_title"), say("layers.keep_intro"))
        self._make_files = gr.Button(say("layers.make_files"), size="sm", elem_id="layers-make-files")
        self._files = gr.File(
            label=say("layers.files"), file_count="multiple", interactive=False, visible=False, elem_id="layers-files"
        )
        self._wire()

    @property
    def outputs(self) -> list[Component]:
        return [
            *(self.items, self.other_model, self.other_role, self._own_files, self._own_text),
            *(self.comparison, self.maps, self.colours, self.geometry, self.knows, self._files, self._shown),
        ]

    @property
    def settings(self) -> list[Component]:
        return [
            *(self.items, self.other_model, self.other_role, self.measure, self.null, self.map),
            *(self._own_files, self._own_text),
        ]

    def show(self, looked: Looked, *settings: Any) -> Sequence[Any]:
        get_umap_ready()
        choice = settled(self._service, looked.selection, read_choice(settings))
        own = self._own(looked.selection, choice, settings)
        colours = self._colours(looked)
        try:
            pair = pair_of(self._service, looked.selection, choice, own=own, subject=looked.subject)
        except OtherModelError:  # asked for by the page right away, when this model is free again
            wait = sections.later(say("layers.comparing"), is_awaited=True)
            controls = self._controls(looked.selection, choice)
            return [*controls, wait, None, colours, gr.skip(), gr.skip(), gr.skip(), None]
        made = self._made(pair, choice, own, colours)
        return [*self._controls(looked.selection, choice), *made, compared(looked.selection, choice, settings)]

    def plates(self, looked: Looked, *settings: Any) -> Iterable[Plate]:
        choice = settled(self._service, looked.selection, read_choice(settings))
        own = self._own(looked.selection, choice, settings)
        try:
            pair = pair_of(self._service, looked.selection, choice, own=own, subject=looked.subject)
        except OtherModelError:  # only the page can ask for it, and has not yet
            return ()
        layouts = self._maps.ready(pair, choice.map)
        return figures(self._store, pair, choice, layouts, self._raw(pair, own)).values()

    def link(self, given: Mapping[str, list[str]]) -> tuple[Pairs, Updates]:
        from analysis.item_sets import item_sets

        said = {name: given.get(name, [""])[0] for name in NAMES}
        allowed: dict[str, Sequence[str]] = {
            "items": item_sets(),
            "other_model": [entry.name for entry in self._service.models],
            "other_role": ROLES,
            "measure": sections.MEASURES,
            "null": NULLS,
            "map": METHODS,
        }
        pairs = [(name, said[name]) for name in NAMES if said[name] in allowed[name]]
        parts = dict(zip(NAMES, self.settings, strict=False))
        updates: Updates = {parts[name]: gr.update(value=value) for name, value in pairs}
        # a dropdown takes no value that it does not offer; what fits is offered once the view is made
        for name in ("items", "other_model"):
            if said[name] in allowed[name]:
                updates[parts[name]] = gr.update(value=said[name], choices=[(said[name], said[name])])
        return pairs, updates

    # What is made ----------------------------------------------------------------------------------------------------

    def _controls(self, selection: Selection, choice: Choice) -> list[Any]:
        """Values of the first five outputs: what can be chosen now."""
        others = fitting_models(self._service, choice.items, selection.modality)
        model, role = other_side(self._service, selection, choice)
        automatic = (say("layers.automatic_is", model=model), "")
        return [
            gr.update(choices=self._set_choices(selection.model, selection.modality), value=choice.items),
            gr.update(choices=[automatic, *cross_choices(self._service, others)], value=choice.other_model),
            gr.update(value=role),
            gr.update(visible=selection.modality != "text"),
            gr.update(visible=selection.modality == "text"),
        ]

    def _made(self, pair: Pair, choice: Choice, own: ItemSet | None, colours: Any) -> list[Any]:
        """Values of the other outputs."""
        return [
            sections.comparison_html(self._store, pair, choice),
            self._maps.drawn(pair, own, self._maps.ready(pair, choice.map)),
            colours,
            sections.later(say("layers.comes")),
            sections.later(say("layers.comes")),
            gr.update(value=None, visible=False),
        ]

    def _colours(self, looked: Looked) -> str:
        from analysis.component_colours import followed_colours
        from analysis.item_vectors import few_threads

        role = looked.selection.role
        roles = ROLES if role == "difference" else (role,)
        shown = looked.shown
        if len(shown) < 2:
            return f'<p class="small">{say("layers.one_position")}</p>'
        with few_threads(looked.subject):
            hidden = [looked.subject.hidden(shown, one) for one in roles]  # type: ignore[arg-type]
        places = [one[:, shown.class_tokens :] for one in hidden]
        colours, shares = followed_colours(*places)
        words = {"student": say("inside.student"), "teacher": say("inside.teacher")}
        names = [f"{looked.selection.model} · {words[one]}" for one in roles]
        return (
            f"{layer_colours(shown, colours, shares, names)}"
            f'<p class="small misleads">{say("layers.colours_misleads", n=len(shown), p=looked.subject.dim)}</p>'
        )

    def _own(self, selection: Selection, choice: Choice, settings: Sequence[Any]) -> ItemSet | None:
        if choice.items != OWN:
            return None
        return own_items(selection.modality, settings[-2], settings[-1], self._service.settings)

    # What happens ----------------------------------------------------------------------------------------------------

    def _wire(self) -> None:
        inputs = [*self.inside.strip.inputs, *self.settings]
        model_event: dict[str, Any] = {
            "api_visibility": "private",
            "concurrency_id": MODEL_QUEUE,
            "concurrency_limit": self._service.settings.parallel_runs,
            "preprocess": False,
        }

        def on(triggers: Sequence[Any], work: Callable[..., Any], outputs: list[Component], **options: Any) -> None:
            handler = in_language(self._answering(work, len(outputs)))
            options = {**model_event, **options}
            for trigger in triggers:
                trigger(handler, inputs, [self._problem, *outputs], **options)

        used = self._use_own.click(lambda: OWN, None, self.items, **PLUMBING)
        chosen = [self.items, self.other_model, self.other_role, self.measure, self.null]
        for trigger in [*(part.input for part in chosen), self.comparison.look, used.then]:  # type: ignore[attr-defined]
            trigger(
                in_language(self._again),
                [self._shown, *inputs],
                [self._problem, *self.outputs],
                **model_event,
                show_progress="minimal",
                show_progress_on=[self.comparison],
            )
        on([self.geometry.look], self._geometry, [self.geometry], show_progress="hidden")
        on([self.knows.look], self._knows, [self.knows], show_progress="hidden")
        on([self._make_files.click], self._kept_files, [self._files], show_progress_on=[self._make_files])
        gr.on(
            [self.map.input],
            in_language(self._answering_slowly),
            inputs,
            [self._problem, self.maps],
            api_visibility="private",
            concurrency_id="layers-maps",
            concurrency_limit=1,
            preprocess=False,
            show_progress="hidden",
            trigger_mode="always_last",
        )
        named = f"Object.fromEntries({json.dumps(NAMES)}.map((name, i) => [name, values[i]]))"
        script = f"(...values) => {{ lab.keep({json.dumps([self.name])}, {named}); return []; }}"
        controls = self.settings[: len(NAMES)]
        gr.on([part.input for part in controls], None, controls, None, js=script, **PLUMBING)  # type: ignore[attr-defined]

    def _answering(self, work: Callable[..., Any], count: int) -> Callable[..., list[Any]]:
        """A handler that says above the view what goes wrong."""

        def handled(*values: Any) -> list[Any]:
            try:
                return ["", *work(*self._asked(values))]
            except Exception as error:
                return [failed(sentence(error)), *(gr.skip() for _ in range(count))]

        return handled

    def _asked(self, values: Sequence[Any]) -> tuple[Selection, Choice, ItemSet | None]:
        selection, choice = self._selected(values)
        return selection, choice, self._own(selection, choice, values)

    def _selected(self, values: Sequence[Any]) -> tuple[Selection, Choice]:
        count = len(self.inside.strip.inputs)
        selection = self.inside.strip.read(values[:count])
        return selection, settled(self._service, selection, read_choice(values[count:]))

    def _again(self, shown: Compared | None, *values: Any) -> list[Any]:
        """What has to be made anew: lists tell of a choice also when the keyboard only passes through them."""
        unchanged: list[Any] = [gr.skip()] * (1 + len(self.outputs))
        try:
            selection, choice = self._selected(values)
            now = compared(selection, choice, values)
            if now == shown:
                return unchanged
            own = self._own(selection, choice, values)
            pair = pair_of(self._service, selection, choice, own=own)
            if shown is None or (now.of, now.sides) != (shown.of, shown.sides):
                return ["", *self._controls(selection, choice), *self._made(pair, choice, own, gr.skip()), now]
            unchanged[0] = ""
            places = {part: place for place, part in enumerate(self.outputs, start=1)}
            unchanged[places[self.comparison]] = sections.comparison_html(self._store, pair, choice)
            unchanged[places[self._shown]] = now
            if now.null != shown.null:
                wait = sections.later(say("layers.comes"))
                unchanged[places[self.geometry]] = unchanged[places[self.knows]] = wait
            return unchanged
        except Exception as error:
            return [failed(sentence(error)), *unchanged[1:]]

    def _geometry(self, selection: Selection, choice: Choice, own: ItemSet | None) -> list[Any]:
        return [sections.geometry_html(self._store, pair_of(self._service, selection, choice, own=own))]

    def _knows(self, selection: Selection, choice: Choice, own: ItemSet | None) -> list[Any]:
        pair = pair_of(self._service, selection, choice, own=own)
        kinds = sections.label_kinds(pair)
        if not kinds:
            return [f'<div class="notice empty"><p>{say("layers.no_labels")}</p></div>']
        return [sections.knowledge_html(self._store, pair, kinds[0], self._raw(pair, own))]

    def _raw(self, pair: Pair, own: ItemSet | None) -> Any:
        from analysis.item_sets import item_set

        modality = pair.first.modality
        if own is not None:
            return own.raw(modality)
        found = item_set(pair.first.items)
        return self._store.get(("raw features", found.name, modality), lambda: found.raw(modality))

    def _kept_files(self, selection: Selection, choice: Choice, own: ItemSet | None) -> list[Any]:
        pair = pair_of(self._service, selection, choice, own=own)
        files = make_files(self._store, pair, choice, self._maps.ready(pair, choice.map), self._raw(pair, own))
        return [gr.update(value=files, visible=True)]

    def _answering_slowly(self, *values: Any) -> Iterator[list[Any]]:
        """The maps of a method, one after another."""
        try:
            selection, choice, own = self._asked(values)
            pair = pair_of(self._service, selection, choice, own=own)
            for layouts, note in self._maps.each(pair, choice.map):
                yield ["", self._maps.drawn(pair, own, layouts, note)]
        except Exception as error:
            yield [failed(sentence(error)), gr.skip()]

    def _set_choices(self, model: str, modality: str) -> list[tuple[str, str]]:
        names = [*fitting_sets(self._service, model, modality), OWN]
        return [(sections.set_name(name), name) for name in names]


def _heading(name: str, title: str, intro: str) -> None:
    gr.HTML(
        f'<h2 id="layers-{name}-title">{title}</h2><p class="small">{intro}</p>',
        elem_classes=["html-plain", "layers-heading"],
    )


def _part(elem_id: str, *scripts: str) -> gr.HTML:
    made = script(*scripts) if scripts else None
    return gr.HTML(js_on_load=made, elem_id=elem_id, elem_classes=["html-plain", "layers-part"])
