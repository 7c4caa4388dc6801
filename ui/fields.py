"""Inputs of a tool as components of the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from gradio.components import Component

from data2vec_core.runtime_choice import TENSORFLOW_INSTALL
from ui.accelerator import is_lent
from ui.catalogue import ToolName
from ui.inputs import (
    Input,
    LinesInput,
    OptionalTextInput,
    PictureInput,
    PicturesInput,
    SeveralInput,
    SoundInput,
    TextInput,
)
from ui.options import ChoiceInput, NumberInput, RuntimeInput, SeedInput
from ui.words import say

PLUMBING: dict[str, Any] = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
"""Of events that run no model."""


def key_of(kind: Input, tool: ToolName) -> str:
    """Of the texts of an input. The choice of a framework has the same everywhere."""
    return "panel.runtime" if isinstance(kind, RuntimeInput) else f"{tool}.{kind.name}"


class Field:
    """One input in its place: building it lays it out.

    Args:
        kind: the input.
        tool: whose texts label it.
        value: what it opens with.
    """

    def __init__(self, kind: Input, tool: ToolName, value: Any) -> None:
        key = key_of(kind, tool)
        self._component = component(kind, value, key, label=say(key), elem_id=f"{tool}-{kind.name}")

    @property
    def inputs(self) -> list[Component]:
        """What an event reads."""
        return [self._component]

    @property
    def outputs(self) -> list[Component]:
        """What an event that puts something else into it changes."""
        return [self._component]

    def value(self, given: Sequence[Any]) -> Any:
        """The values of `inputs` as one, for `Input.received`."""
        [value] = given
        return value

    def filled(self, value: Any) -> list[Any]:
        """The values of `outputs` that show this one."""
        return [value]


class RowsField(Field):
    """A list, one row an item, of which those are shown that are needed; a row that stays empty does not count."""

    def __init__(self, kind: SeveralInput, tool: ToolName, value: Sequence[Any] | None) -> None:
        self._kind = kind
        key, name, value = f"{tool}.{kind.name}", f"{tool}-{kind.name}", value or []
        shown = self._shown(value)
        with gr.Column(elem_classes="rows"):
            self._rows = [
                component(
                    kind.of,
                    value[i] if i < len(value) else None,
                    key,
                    label=say(key, number=i + 1),
                    elem_id=f"{name}-{i + 1}",
                    visible=i < shown,
                )
                for i in range(kind.most)
            ]
            self._more = gr.Button(say(f"{key}_more"), size="sm", interactive=shown < kind.most, elem_id=f"{name}-more")
        self._count = gr.State(shown)
        self._more.click(self._with_one_more, self._count, [self._count, self._more, *self._rows], **PLUMBING)

    @property
    def inputs(self) -> list[Component]:
        return list(self._rows)

    @property
    def outputs(self) -> list[Component]:
        return [self._count, self._more, *self._rows]

    def value(self, given: Sequence[Any]) -> list[Any]:
        return [each for each in given if each is not None and not (isinstance(each, str) and not each.strip())]

    def filled(self, value: Sequence[Any]) -> list[Any]:
        shown = self._shown(value)
        values = [*value, *[None] * (self._kind.most - len(value))]
        rows = [gr.update(value=each, visible=i < shown) for i, each in enumerate(values)]
        return [shown, gr.Button(interactive=shown < self._kind.most), *rows]

    def _shown(self, value: Sequence[Any]) -> int:
        return min(max(self._kind.fewest, len(value)), self._kind.most)

    def _with_one_more(self, count: int) -> list[Any]:
        count = min(count + 1, self._kind.most)
        rows = [gr.update(visible=i < count) for i in range(self._kind.most)]
        return [count, gr.Button(interactive=count < self._kind.most), *rows]


def field(kind: Input, tool: ToolName, value: Any) -> Field:
    """Lay out an input that opens with a value; None for an empty one."""
    return RowsField(kind, tool, value) if isinstance(kind, SeveralInput) else Field(kind, tool, value)


def component(kind: Input, value: Any, key: str, **common: Any) -> Component:
    """An input in its place, with the hint that goes with a key of its words."""
    if type(kind) in HINTS:
        common[HINTS[type(kind)]] = say(f"{key}_hint")
    if isinstance(kind, ChoiceInput | RuntimeInput):
        common["choices"] = [(say(f"{key}_{option}"), option) for option in kind.options]
    return _COMPONENTS[type(kind)](kind, value=value, **common)


def _sound(_: SoundInput, **common: Any) -> gr.Audio:
    return gr.Audio(sources=["upload", "microphone"], type="filepath", buttons=[], **common)


def _picture(_: PictureInput, **common: Any) -> gr.Image:
    return gr.Image(sources=["upload", "webcam", "clipboard"], type="filepath", height=320, buttons=[], **common)


def _pictures(_: PicturesInput, **common: Any) -> gr.File:
    return gr.File(file_count="multiple", file_types=["image"], height=200, **common)


def _text(kind: TextInput, **common: Any) -> gr.Textbox:
    return gr.Textbox(lines=kind.lines, max_lines=max(12, kind.lines), **common)


def _lines(_: LinesInput, **common: Any) -> gr.Textbox:
    return gr.Textbox(lines=8, max_lines=16, **common)


def _number(kind: NumberInput, **common: Any) -> gr.Slider:
    return gr.Slider(kind.least, kind.most, step=kind.step, **common)


def _choice(_: ChoiceInput, **common: Any) -> gr.Radio:
    return gr.Radio(**common)


def _runtime(kind: RuntimeInput, **common: Any) -> gr.Radio:
    """Where there is no choice, how to get one."""
    info = "panel.runtime_lent" if is_lent() else "panel.runtime_missing" if len(kind.options) == 1 else ""
    return gr.Radio(info=say(info or "panel.runtime_hint", command=TENSORFLOW_INSTALL), **common)


def _seed(kind: SeedInput, **common: Any) -> gr.Number:
    return gr.Number(precision=0, minimum=0, maximum=kind.MOST, **common)


_COMPONENTS: dict[type[Input], Callable[..., Component]] = {
    SoundInput: _sound,
    PictureInput: _picture,
    PicturesInput: _pictures,
    TextInput: _text,
    OptionalTextInput: _text,
    LinesInput: _lines,
    NumberInput: _number,
    ChoiceInput: _choice,
    RuntimeInput: _runtime,
    SeedInput: _seed,
}
HINTS: dict[type[Input], str] = {
    TextInput: "placeholder",
    OptionalTextInput: "placeholder",
    LinesInput: "placeholder",
    NumberInput: "info",
    SeedInput: "info",
}
"""Where a component says what to put into it."""
