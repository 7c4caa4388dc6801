"""Attention: all heads of all layers in small, one in large, on the input itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import gradio as gr
from gradio.components import Component

from ui.catalogue import TOOLS, ToolName
from ui.fields import PLUMBING
from ui.inside.attention_files import KINDS, attention_plates, made_file
from ui.inside.selection import Looked, inside_examples, source_of
from ui.inside.tab import Pairs, View
from ui.views import attention as view
from ui.views.scripts import script
from ui.words import say

if TYPE_CHECKING:
    from PIL import Image

    from analysis.attention_view import Size
    from analysis.figures.plate import Plate
    from ui.inside.strip import Updates
    from ui.inside.tab import Inside

PICTURES: Final = tuple(f"attention_{part}" for part in ("maps", "places", "matrices", "measures", "page"))
"""Scripts that share what they draw."""
WHOLE: Final = 800_000
"""Weights that the page is given all at once; of more, averages."""
SMALL: Final = 240_000
"""Weights of the small pictures of a long input, all together."""
LARGE: Final = 470_000
"""Of the heads of its chosen layer: enough for 12 heads of 197 places."""
MOST_ITEMS: Final = 12
"""Examples over which heads are measured."""
MOST_SILENCED: Final = 128
"""Places, or groups of them, that the causal check silences one after another."""
MOST_SILENCED_OF_MANY: Final = 40
"""Of more than `MANY` places, whose passes take long."""
MANY: Final = 600
MOST_AT_ONCE: Final = 20_000_000
"""Weights that it holds at a time."""
_MEASURES_KEPT: Final = 16
_CLASSIFIERS: Final[Mapping[str, ToolName]] = {
    "audio": "classify_audio",
    "text": "classify_text",
    "vision": "classify_image",
}


class Attention(View):
    """The weights themselves, where they lead through the layers, and whether what they point at matters."""

    name = "attention"
    link_names = ("attention", "colours", "sinks")

    def __init__(self, inside: Inside) -> None:
        super().__init__(inside)
        self._measured: dict[tuple[str, str], dict[str, Any]] = {}
        gr.HTML(f'<p class="lead">{say("attention.intro")}</p>', elem_classes=["intro", "html-plain"])
        self.bar = gr.HTML(
            dict(view.START),
            html_template=view.bar_template(),
            js_on_load=script("attention_bar"),
            elem_id="attention-bar",
            elem_classes=["html-plain"],
            apply_default_css=False,
        )
        self.pictures = gr.HTML(
            {},
            html_template=view.template(),
            js_on_load=script(*PICTURES),
            elem_id="attention-pictures",
            elem_classes=["html-plain"],
            apply_default_css=False,
        )
        self.answers = gr.HTML(
            {}, html_template="", js_on_load=view.ANSWER_SCRIPT, elem_id="attention-answers", elem_classes="html-plain"
        )
        self._wire()

    @property
    def outputs(self) -> list[Component]:
        return [self.pictures]

    @property
    def settings(self) -> list[Component]:
        return [self.bar]

    def show(self, looked: Looked, *settings: Any) -> Sequence[Any]:
        chosen = read_settings(settings[0] if settings else None)
        return [{**self._about(looked), "maps": self._maps(looked, "raw", chosen["sinks"])}]

    def link(self, given: Mapping[str, list[str]]) -> tuple[Pairs, Updates]:
        said = [given.get(name, [""])[0] for name in self.link_names]
        chosen = read_settings(dict(zip(view.START, said, strict=True)))
        pairs = [
            (name, chosen[own])
            for name, own in zip(self.link_names, view.START, strict=True)
            if chosen[own] != view.START[own]
        ]
        return pairs, {self.bar: gr.update(value=chosen)}

    def answer(self, looked: Looked, bar: Any) -> list[Any]:
        """Attention of another layer, position or mode, where the page does not have it yet."""
        chosen = read_settings(bar)
        if chosen["mode"] == "class":
            return [{"kind": "class", **self._of(looked), **self._class(looked)}]
        return [{"kind": "maps", **self._of(looked), "maps": self._maps(looked, chosen["mode"], chosen["sinks"])}]

    def check(self, looked: Looked) -> list[Any]:
        """What silencing each place does to one position, beside the weights."""
        from analysis.attention_view import attention_map, bin_starts
        from analysis.value_zeroing import COPIES, as_attention, block_alone, rank_correlation, value_zeroing

        subject, shown = looked.subject, looked.shown
        role: Any = "student" if looked.selection.role == "difference" else looked.selection.role
        count = len(shown) + shown.class_tokens
        most = MOST_SILENCED if count <= MANY else MOST_SILENCED_OF_MANY
        starts = bin_starts(count, min(count, most)).tolist()
        groups = [list(range(first, end)) for first, end in zip(starts, [*starts[1:], count], strict=True)]
        copies = max(1, min(COPIES, MOST_AT_ONCE // (subject.heads * count**2)))
        run = block_alone(subject, shown, role, looked.layer)
        changes = value_zeroing(run, looked.layer, groups, head=looked.head, copies=copies)
        change = as_attention(changes[[shown.place(looked.position)]])[0]
        weights = attention_map(subject, shown, role, looked.layer, looked.head, looked.position).weights
        raw = [float(weights[group].sum()) for group in groups]
        import numpy as np

        rho = rank_correlation(np.array(raw), change)
        return [
            {
                "kind": "check",
                **self._of(looked),
                "head": looked.head,
                "role": role,
                "starts": starts,
                "raw": [round(one, 6) for one in raw],
                "change": [round(float(one), 6) for one in change],
                "rho": None if np.isnan(rho) else round(rho, 3),
            }
        ]

    def measure(self, looked: Looked) -> list[Any]:
        """What heads do over the examples of the modality."""
        from analysis.attention_heads import heads_over_items

        selection, subject = looked.selection, looked.subject
        roles: list[Any] = ["student", "teacher"] if selection.role == "difference" else [selection.role]
        key = (selection.model, selection.role)
        if key not in self._measured:
            items = inside_examples(subject.modality)[:MOST_ITEMS]
            inputs = [subject.show(one.source) for one in items]
            found = [(role, heads_over_items(subject, inputs, role)) for role in roles]
            while len(self._measured) >= _MEASURES_KEPT:
                self._measured.pop(next(iter(self._measured)))
            self._measured[key] = view.measured(found)
        return [{**self._measured[key], **self._of(looked)}]

    def keep(self, kind: str, looked: Looked, bar: Any) -> list[Any]:
        """A file of what is shown."""
        chosen = read_settings(bar)
        relevance = self._class(looked) if chosen["mode"] == "class" else None
        path = made_file(kind, looked, chosen["mode"], relevance, self._emissions(looked))
        return [{"kind": "file", "path": path, "name": Path(path).name}]

    def plates(self, looked: Looked, *settings: Any) -> Iterable[Plate]:
        chosen = read_settings(settings[0] if settings else None)
        relevance = self._class(looked) if chosen["mode"] == "class" else None
        return attention_plates(looked, chosen["mode"], relevance, self._emissions(looked))

    def _wire(self) -> None:
        options: dict[str, Any] = {"show_progress": "hidden", "trigger_mode": "always_last"}
        inside, bar, told = self.inside, [self.bar], [self.answers]
        pictures: Any = self.pictures
        events = [
            inside.ask_on([pictures.ask], self.answer, bar, told, **options),
            inside.ask_on([pictures.check], self.check, [], told, **options),
            inside.ask_on([pictures.measure], self.measure, [], told, **options),
        ]
        for kind in KINDS:
            event = getattr(pictures, f"keep_{kind}")
            events.append(inside.ask_on([event], partial(self.keep, kind), bar, told, **options))
        for event in events:
            event.then(
                None, None, None, js="() => { document.dispatchEvent(new Event('lab-attention-done')); }", **PLUMBING
            )

    def _of(self, looked: Looked) -> dict[str, Any]:
        """What an answer is of, by which the page knows it."""
        return {"of": list(looked.selection.key), "layer": looked.layer, "position": looked.position}

    def _about(self, looked: Looked) -> dict[str, Any]:
        from analysis.attention_view import sink_places

        selection, subject, shown = looked.selection, looked.subject, looked.shown
        emissions = self._emissions(looked)
        remarks = []
        if not subject.has_teacher and selection.role != "student":
            is_teacher = selection.role == "teacher"
            remarks.append(say("attention.no_teacher") if is_teacher else say("attention.no_difference"))
        if subject.modality == "audio" and emissions is None:
            remarks.append(say("attention.no_path"))
        return {
            **self._of(looked),
            "model": selection.model,
            "role": selection.role,
            "modality": subject.modality,
            "depth": subject.depth,
            "heads": subject.heads,
            "classTokens": shown.class_tokens,
            "grid": shown.grid,
            "step": shown.step,
            "labels": view.labels_of(looked),
            "sinks": sink_places(shown),
            "remarks": remarks,
            "isEmpty": selection.role == "difference" and not subject.has_teacher,
            "path": view.spelled_path(emissions) if emissions is not None else [],
            "phrases": view.phrases(subject.modality),
            **view.places(shown, _photo(looked), subject.processor),
        }

    def _maps(self, looked: Looked, mode: Any, sinks: str) -> dict[str, Any]:
        from analysis.attention_view import record_attention, sink_places

        subject, shown, role = looked.subject, looked.shown, looked.selection.role
        size = size_of(looked, 1 if mode == "rollout" else subject.heads)
        whole = size.is_whole(len(shown) + shown.class_tokens)
        # The page hides sinks by itself where it has every weight of one network.
        is_hidden = sinks == "hidden" and mode == "raw" and (role == "difference" or not whole)
        recorded = record_attention(
            subject,
            shown,
            role,  # type: ignore[arg-type]
            layer=looked.layer,
            position=looked.position,
            size=size,
            mode=mode,
            hide=sink_places(shown) if is_hidden else (),
        )
        packed = view.packed(
            recorded, signed=role == "difference", whole=whole, layer=looked.layer, position=looked.position
        )
        return {**packed, "mode": mode, "sinksAreHidden": is_hidden}

    def _class(self, looked: Looked) -> dict[str, Any]:
        """Relevance for the best class, or why there is none."""
        from analysis.attention_classes import class_relevance

        tool = TOOLS[_CLASSIFIERS[looked.subject.modality]]
        entry = self.inside.service.entry(looked.selection.model)
        if entry is not None and not tool.fits(entry.card):
            made = [one.name for one in self.inside.service.models if tool.fits(one.card)]
            return {"why": say("attention.no_class", names=", ".join(made) or say("model.none"))}
        try:
            with self.inside.service.using(tool.name, looked.selection.model) as task:
                found = class_relevance(task, looked.shown)  # type: ignore[arg-type]
        except ValueError as error:
            return {"why": str(error)}
        return {
            "label": found.label,
            "probability": round(found.probability, 4),
            "values": [round(float(one), 7) for one in found.values],
        }

    def _emissions(self, looked: Looked) -> Any:
        """What a CTC model makes of every frame; None where the model is none, or does not take the sound."""
        entry = self.inside.service.entry(looked.selection.model)
        if looked.subject.modality != "audio" or entry is None or not TOOLS["transcribe"].fits(entry.card):
            return None
        source, rate = source_of(looked.selection)
        try:
            with self.inside.service.using("transcribe", looked.selection.model) as task:
                return task.emissions(source, sampling_rate=rate)  # type: ignore[attr-defined]
        except ValueError:  # too quiet for a transcript
            return None


def read_settings(given: Any) -> dict[str, str]:
    """What the switches say; what cannot be stands as at first."""
    said = given if isinstance(given, Mapping) else {}
    allowed = {"mode": view.MODES, "scale": view.SCALES, "sinks": view.SINKS}
    return {
        name: said[name] if isinstance(said.get(name), str) and said[name] in options else view.START[name]
        for name, options in allowed.items()
    }


def size_of(looked: Looked, heads: int) -> Size:
    """How much of the attention goes to the page."""
    from analysis.attention_view import Size

    count = len(looked.shown) + looked.shown.class_tokens
    return Size.within(looked.subject.depth, heads, count, whole=WHOLE, small=SMALL, large=LARGE)


def _photo(looked: Looked) -> Image.Image | None:
    if looked.subject.modality != "vision":
        return None
    from data2vec_core.processing.image_io import load_image

    photo: Image.Image = load_image(looked.selection.source)
    return photo
