"""The state of a page in its address: which tab and tool, with which model, settings and texts; and the way back.

Writing is the page's own affair (`views/links.js`). Reading happens here, where every part is checked: a link is a
stranger's word. What is unknown or out of bounds is left out, files are never part of it, and a model that would have
to be downloaded is named but not asked until the visitor says so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from ui.catalogue import TOOLS
from ui.fields import PLUMBING, Field, RowsField
from ui.inside.tab import Inside
from ui.panel import Panel
from ui.service import Service
from ui.words import in_language

LONGEST_TEXT: Final = 300
"""Characters of a text that goes into the address."""
LONGEST_LINK: Final = 8000
"""Characters of a query that is read at all: some texts, every character of which may take nine."""
OWN_KEYS: Final = ("tab", "tool", "model", "example")
"""What the query calls its places; no input may be called like one."""
FOREIGN_KEYS: Final = ("lang", "tour", "__theme")
"""Of others, which stay in the query as they are."""
SCRIPT: Final = (Path(__file__).parent / "views" / "links.js").read_text(encoding="utf-8")
"""For the head of the page."""

Updates = dict[Block, Any]


@dataclass(frozen=True)
class Place:
    """Where a link leads, as far as the page has it."""

    tab: str
    tool: str | None = None
    """A tool, or a view of the inside."""
    settings: tuple[tuple[str, str], ...] = ()
    """Names and values that are not as they are by default; a list has its name several times."""
    may_run: bool = False
    """Whether there is all that an answer needs."""

    @property
    def query(self) -> str:
        """As the address has it."""
        return urlencode([("tab", self.tab), *([("tool", self.tool)] if self.tool else []), *self.settings])


class Links:
    """The links of one page.

    Args:
        tabs: the outermost ones.
        panels: all of the page.
        inside: the views that look into a model, whose links are like those of tools.
    """

    def __init__(self, service: Service, tabs: gr.Tabs, panels: Sequence[Panel], inside: Inside) -> None:
        self._service = service
        self._inside = inside
        self._tabs = tabs
        self.panels = {panel.name: panel for panel in panels}
        self._tab_ids = [str(tab.id) for tab in tabs.children if isinstance(tab, gr.Tab)]
        self._paths = {panel.name: list(_tabs_around(panel.model)) for panel in panels}
        self._views = {panel.name: _view_settings(panel) for panel in panels}

    def wire(self, demo: gr.Blocks) -> None:
        """Read the address when the page opens, follow links without leaving it, write what the visitor does.

        Must come when all panels are there, on the page that is being built.
        """
        asked = gr.Textbox(visible="hidden", elem_id="link-asked")
        place = gr.Textbox(visible="hidden", elem_id="link-place")
        go = gr.Button(visible="hidden", elem_id="link-go")
        keys = {
            *OWN_KEYS,
            *self._inside.keys,
            *(name for panel in self.panels.values() for name in self._settings(panel)),
        }
        known = json.dumps({"keys": sorted(keys), "tabs": self._tools_by_tab(), "inside": self._inside.names})
        outputs = [place, *self.changed()]
        for event, script in (
            (demo.load, f"() => lab.begin({known})"),
            (go.click, "() => lab.wanted"),
        ):
            followed = event(in_language(self.follow), asked, outputs, js=script, **PLUMBING)
            followed.then(None, place, None, js="(place) => lab.arrive(place)", **PLUMBING)
            self._inside.refresh_after(followed.then)
        self.place = place
        for panel in self.panels.values():
            self._write_settings(panel)
        for control in dict.fromkeys(control for panel in self.panels.values() for control in panel.shown_by):
            script = f"(value) => lab.choose({json.dumps(self._shown_by(control))}, value)"
            _in_page([control.input], script, [control])  # type: ignore[attr-defined]

    def follow(self, query: str) -> Updates:
        """What to change on the page so that it shows what a link says.

        Args:
            query: of the link, with or without its question mark.
        """
        place, updates = self.read(query)
        told = {"query": place.query, "run": place.tool if place.may_run else None} if place else None
        return {self.place: json.dumps(told), **updates}

    def read(self, query: Any) -> tuple[Place | None, Updates]:
        """Where a link leads, and what to change on the page; nowhere, and nothing, when it names no place here."""
        if not isinstance(query, str) or len(query) > LONGEST_LINK:
            return None, {}
        try:
            given = parse_qs(query.removeprefix("?"), max_num_fields=100)
        except ValueError:
            return None, {}
        tool, tab = (given.get(key, [""])[0] for key in ("tool", "tab"))
        if (panel := self.panels.get(tool)) is not None:  # type: ignore[call-overload]
            return self._to_panel(panel, given)
        if tab == "inside" and tool not in self._inside.views:
            tool = self._inside.names[0]
        if tool in self._inside.views:
            pairs, updates = self._inside.link(tool, given)
            return Place("inside", tool, tuple(pairs)), {self._tabs: gr.Tabs(selected="inside"), **updates}
        return (Place(tab), {self._tabs: gr.Tabs(selected=tab)}) if tab in self._tab_ids else (None, {})

    def _to_panel(self, panel: Panel, given: Mapping[str, list[str]]) -> tuple[Place, Updates]:
        tool = TOOLS[panel.name]
        updates: Updates = {tabs: gr.Tabs(selected=tab) for tabs, tab in self._paths[panel.name]}
        updates |= {control: gr.update(value=value) for control, value in panel.shown_by.items()}
        settings: list[tuple[str, str]] = []

        entries = {entry.name: entry for entry in self._service.models_for(panel.name)}
        model = given.get("model", [""])[0]
        if model in entries:
            settings.append(("model", model))
        else:
            model = tool.default_model
        updates[panel.model] = gr.update(value=model)

        chosen = _whole(given.get("example", [""])[0], most=len(panel.examples) - 1)
        if chosen is not None:
            settings.append(("example", str(chosen)))
        example: Mapping[str, Any] = panel.examples[chosen or 0].inputs if panel.examples else {}
        is_whole = bool(panel.examples)
        if not is_whole:
            is_whole = all(_read(panel.fields[one.name], given, one.name) for one in tool.inputs if not one.is_setting)
        for one in tool.inputs:
            field = panel.fields[one.name]
            value = example.get(one.name, one.default)
            if (read := _read(field, given, one.name)) is not None:
                value = read if isinstance(field, RowsField) else read[0]
                settings += [(one.name, _written(each)) for each in read]
            updates |= zip(field.outputs, field.filled(value), strict=True)
        for name, view in self._views[panel.name].items():
            if (read := _values([view], given.get(name, []))) is not None:
                settings.append((name, _written(read[0])))
                updates[view] = gr.update(value=read[0])
        may_run = is_whole and model in entries and entries[model].is_bundled
        updates[panel.is_open] = True  # or the first example would be answered as well
        return Place(self._paths[panel.name][-1][1], panel.name, tuple(settings), may_run), updates

    def changed(self) -> list[Block]:
        """All that a link may change."""
        blocks: list[Block] = [self._tabs, *self._inside.changed()]
        for panel in self.panels.values():
            blocks += [tabs for tabs, _ in self._paths[panel.name]]
            blocks += [panel.model, panel.is_open, *panel.shown_by, *self._views[panel.name].values()]
            blocks += [part for field in panel.fields.values() for part in field.outputs]
        return list(dict.fromkeys(blocks))

    def _settings(self, panel: Panel) -> dict[str, list[Component]]:
        """What of a panel goes into the address, by name; nothing of files."""
        parts = {name: [part for part in field.inputs if _is_kept(part)] for name, field in panel.fields.items()}
        return parts | {name: [view] for name, view in self._views[panel.name].items()}

    def _tools_by_tab(self) -> dict[str, tuple[str, list[str]]]:
        """A tab -> the outermost one around it, and the tools in it, the one that shows first at the start."""
        tools: dict[str, tuple[str, list[str]]] = {tab: (tab, []) for tab in self._tab_ids}
        for panel in self.panels.values():
            path = self._paths[panel.name]
            for _, tab in path:
                tools.setdefault(tab, (path[-1][1], []))[1].append(panel.name)
        for name in self._inside.names:
            tools.setdefault("inside", ("inside", []))[1].append(name)
            tools[name] = ("inside", [name])
        return tools

    def _shown_by(self, control: Component) -> dict[str, str]:
        """Value of a control -> the tool that it shows."""
        panels = self.panels.values()
        return {panel.shown_by[control]: panel.name for panel in panels if control in panel.shown_by}

    def _write_settings(self, panel: Panel) -> None:
        """Let the address hold what the visitor sets in a panel."""
        kept = self._settings(panel)
        things = [one.name for one in TOOLS[panel.name].inputs if not one.is_setting]
        parts = [(name, part) for name, several in kept.items() for part in several]
        told = {
            "tool": panel.name,
            "models": [entry.name for entry in self._service.models_for(panel.name)],
            "names": [name for name, _ in parts],
            "things": [name for name in things if kept[name]],
            "examples": [
                {name: example.inputs.get(name) for name in things if kept[name]} for example in panel.examples
            ],
        }
        inputs = [panel.model, *(part for _, part in parts)]
        texts = [part for part in inputs if isinstance(part, gr.Textbox)]
        others = [part for part in inputs if part not in texts]
        for is_text, events in (
            (True, [part.change for part in texts]),  # a text that is pasted is changed, but for Gradio it is no input
            (False, [part.input for part in others]),  # type: ignore[attr-defined]
        ):
            _in_page(events, f"(...values) => lab.set({json.dumps(told)}, {json.dumps(is_text)}, values)", inputs)
        files = [
            part for name in things for part in panel.fields[name].inputs if isinstance(part, (gr.Audio, gr.Image))
        ]
        _in_page([part.input for part in files], f"() => lab.bring({json.dumps(panel.name)})")
        if panel.example_row is not None:
            script = f"(index) => lab.example({json.dumps(panel.name)}, index)"
            _in_page([panel.example_row.click], script, [panel.example_row])


def _in_page(triggers: Sequence[Any], script: str, inputs: Sequence[Component] = ()) -> None:
    """Run a script on events, without asking the server."""
    if triggers:
        gr.on(triggers, None, list(inputs), None, js=f"{script} ?? []", **PLUMBING)


def _around(block: Block, kind: type[Block]) -> Iterator[Block]:
    """The blocks of a kind that one lies in, from the inside out."""
    parent = block.parent
    while parent is not None:
        if isinstance(parent, kind):
            yield parent
        parent = parent.parent


def _tabs_around(block: Block) -> Iterator[tuple[gr.Tabs, str]]:
    """Each set of tabs around a block, from the inside out, and which of them has to be open for it to be seen."""
    for tab in _around(block, gr.Tab):
        if isinstance(tab, gr.Tab) and isinstance(tab.parent, gr.Tabs):
            yield tab.parent, str(tab.id)


_VIEW_KINDS = (gr.Slider, gr.Number, gr.Radio, gr.Dropdown, gr.Checkbox)


def _is_kept(part: Component) -> bool:
    return isinstance(part, (gr.Textbox, *_VIEW_KINDS)) and not (isinstance(part, gr.Dropdown) and part.multiselect)


def _view_settings(panel: Panel) -> dict[str, Component]:
    """Controls of how a result is shown: whatever else is called `tool-name` there."""
    known = {panel.model, *panel.shown_by, *(part for field in panel.fields.values() for part in field.inputs)}
    page = [*_around(panel.model, gr.Tabs)][-1]
    root = gr.context.Context.root_block
    prefix = f"{panel.name}-"
    return {
        str(block.elem_id).removeprefix(prefix).replace("-", "_"): block
        for block in (root.blocks.values() if root else ())
        if isinstance(block, _VIEW_KINDS)
        and _is_kept(block)
        and str(block.elem_id).startswith(prefix)
        and block not in known
        and page in _around(block, gr.Tabs)
    }


def _read(field: Field, given: Mapping[str, list[str]], name: str) -> list[Any] | None:
    """What a link says of an input; None where it says nothing that can be used."""
    return _values([part for part in field.inputs if _is_kept(part)], given.get(name, []))


def _values(parts: Sequence[Component], texts: Sequence[str]) -> list[Any] | None:
    """As many texts of a link as there are components, read for these; None if there is none, or one does not fit."""
    values = [_value(part, text) for part, text in zip(parts, texts, strict=False)]
    return values if values and None not in values else None


def _value(component: Component, text: str) -> Any:
    """A text of a link as the value of a component; None where it can be none."""
    if isinstance(component, gr.Textbox):
        is_plain = all(char >= " " or char in "\n\t" for char in text)
        return text if 0 < len(text) <= LONGEST_TEXT and is_plain else None
    if isinstance(component, (gr.Slider, gr.Number)):
        return _number(component, text)
    if isinstance(component, gr.Checkbox):
        return {"true": True, "false": False}.get(text)
    if isinstance(component, (gr.Radio, gr.Dropdown)):
        return next((value for _, value in component.choices if str(value) == text), None)
    return None


def _number(component: gr.Slider | gr.Number, text: str) -> float | int | None:
    """Within the bounds of the component, on its steps."""
    try:
        number = float(text[:40])
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    least, most = component.minimum, component.maximum
    number = max(number, least) if least is not None else number
    number = min(number, most) if most is not None else number
    if isinstance(component, gr.Slider):
        steps = round((number - component.minimum) / component.step)
        number = min(component.minimum + steps * component.step, component.maximum)
        is_whole = isinstance(component.step, int) and isinstance(component.minimum, int)
        return int(number) if is_whole else round(number, 6)
    return int(number) if component.precision == 0 else number


def _whole(text: str, *, most: int) -> int | None:
    """A number from 0 to `most`."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 and int(text) <= most else None


def _written(value: Any) -> str:
    """A value as the page's script writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, float) else str(value)
