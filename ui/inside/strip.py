"""The control strip: what is looked at, the same for every inside view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from data2vec_core.checkpoints.card import MODALITIES
from ui.fields import component
from ui.inside.selection import ENCODERS, OWN, OWN_INPUTS, VIEWS, Selection, inside_examples, read_selection, whole
from ui.panel import model_label
from ui.service import Service
from ui.views.selector import START, selector
from ui.words import say

FIRST: Final = "vision"
"""Modality that the tab opens with."""
NAMES: Final = ("modality", "example", "model", "role")
"""Of the parts that are choosers, in links too."""
PLACES: Final = ("layer", "head", "position")

Updates = dict[Block, Any]


class Strip:
    """Builds the strip where it is made."""

    def __init__(self, service: Service) -> None:
        self._service = service
        with gr.Column(elem_classes="strip"):
            with gr.Row():
                self.modality = gr.Radio(
                    [(say(f"inside.{modality}"), modality) for modality in MODALITIES],
                    value=FIRST,
                    label=say("inside.modality"),
                    elem_id="inside-modality",
                    min_width=200,
                )
                self.example = gr.Dropdown(
                    _examples(FIRST),
                    value=_examples(FIRST)[0][1],
                    label=say("inside.example"),
                    elem_id="inside-example",
                )
                self.model = gr.Dropdown(
                    self._models(FIRST),
                    value=ENCODERS[FIRST],
                    label=say("panel.model"),
                    allow_custom_value=True,
                    elem_id="inside-model",
                )
                self.role = gr.Radio(
                    [(say(f"inside.{view}"), view) for view in VIEWS],
                    value=VIEWS[0],
                    label=say("inside.role"),
                    elem_id="inside-role",
                    min_width=260,
                )
            with gr.Accordion(say("inside.own"), open=False, visible=True):
                self.own: dict[str, Component] = {
                    modality: component(
                        kind,
                        None,
                        f"inside.own_{modality}",
                        label=say(f"inside.own_{modality}"),
                        elem_id=f"inside-own-{kind.name}",
                        visible=modality == FIRST,
                    )
                    for modality, kind in OWN_INPUTS.items()
                }
            self.selector = selector("inside-place")

    @property
    def inputs(self) -> list[Component]:
        """What `read` is given the values of."""
        return [self.modality, self.example, self.model, self.role, *self.own.values(), self.selector]

    @property
    def outputs(self) -> list[Component]:
        """What `changed` and links change."""
        return self.inputs

    @property
    def triggers(self) -> list[Any]:
        """Events after which there is something else to look at; `changed` comes first."""
        own = [self.own["audio"].input, self.own["vision"].input, self.own["text"].submit]  # type: ignore[attr-defined]
        return [self.modality.input, self.example.input, self.model.input, self.role.input, *own]

    def read(self, values: Sequence[Any]) -> Selection:
        """The values of `inputs` as a selection.

        Raises:
            ValueError: nothing to look at, or beyond a limit.
        """
        *chosen, audio, text, picture, place = values
        given = dict(zip(NAMES, chosen, strict=True))
        own = {"audio": audio, "text": text, "vision": picture}
        return read_selection({**given, "own": own, "place": place}, self._service.settings)

    def changed(self, modality: str, example: str, model: str) -> list[Any]:
        """`modality`, `example`, `model` and the own inputs, as they fit together after one was changed."""
        names = [name for _, name in _examples(modality)]
        models = [name for _, name in self._models(modality)]
        others = {entry.name for entry in self._service.models} - set(models)
        return [
            gr.update(choices=_examples(modality), value=example if example in names else names[0]),
            gr.update(choices=self._models(modality), value=ENCODERS[modality] if model in others else model),
            *(gr.update(visible=name == modality) for name in self.own),
        ]

    def brought(self) -> str:
        """The example, once the visitor has brought something."""
        return OWN

    def link(self, given: Mapping[str, list[str]]) -> tuple[list[tuple[str, str]], Updates]:
        """What a link says: its pairs that can be used, and what to change on the page."""
        said = {name: given.get(name, [""])[0] for name in (*NAMES, *PLACES)}
        modality = said["modality"] if said["modality"] in MODALITIES else FIRST
        examples = [name for _, name in _examples(modality)]
        models = [name for _, name in self._models(modality)]
        values = {
            "modality": modality,
            "example": said["example"] if said["example"] in examples and said["example"] != OWN else examples[0],
            "model": said["model"] if said["model"] in models else ENCODERS[modality],
            "role": said["role"] if said["role"] in VIEWS else VIEWS[0],
        }
        places = {name: whole(said[name], START[name], least=-1) for name in PLACES}
        pairs = [*values.items(), *((name, str(number)) for name, number in places.items())]
        updates: Updates = {
            self.modality: gr.update(value=modality),
            self.example: gr.update(choices=_examples(modality), value=values["example"]),
            self.model: gr.update(choices=self._models(modality), value=values["model"]),
            self.role: gr.update(value=values["role"]),
            **{part: gr.update(visible=name == modality) for name, part in self.own.items()},
            self.selector: gr.update(value={**(self.selector.value or {}), **places}),
        }
        return pairs, updates

    def _models(self, modality: str) -> list[tuple[str, str]]:
        return [(model_label(entry), entry.name) for entry in self._service.subjects(modality)]


def _examples(modality: str) -> list[tuple[str, str]]:
    return [*((one.label, one.name) for one in inside_examples(modality)), (say("inside.example_own"), OWN)]
