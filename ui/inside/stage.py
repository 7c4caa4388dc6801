"""The stage: a masked student beside its teacher that sees all, and the target between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

import gradio as gr
from gradio.components import Component

from ui.fields import PLUMBING
from ui.inside.selection import Looked, whole
from ui.inside.stage_files import stage_file, stage_plate
from ui.inside.tab import Pairs, View
from ui.views.stage import FIGURES, START, phrases, stage_widget
from ui.views.stage_data import MOST_SEED, Asked, drawn, read_positions, written_positions
from ui.words import say

if TYPE_CHECKING:
    from analysis.figures.plate import Plate
    from analysis.masked_prediction import MaskedPrediction
    from ui.inside.strip import Updates
    from ui.inside.tab import Inside

_MOST_PLACES = 20_000
"""Of positions that a link may name."""
_SAVE = '() => { setTimeout(() => document.querySelector("#stage-file")?.click(), 100); return []; }'
"""A moment later: the button has to learn of its new file first."""


class Stage(View):
    """One input, masked for the student and whole for the teacher."""

    name: ClassVar[str] = "stage"
    link_names: ClassVar[tuple[str, ...]] = ("k", "tensor", "seed", "masked")

    def __init__(self, inside: Inside) -> None:
        super().__init__(inside)
        gr.HTML(
            f'<div class="intro"><p>{escape(say("stage.intro"))}</p></div>',
            elem_classes=["html-plain"],
        )
        self._stage = stage_widget("stage-picture")
        self._file = gr.DownloadButton(visible="hidden", elem_id="stage-file")
        inside.ask_on([self._stage.run], self.show, [self._stage], [self._stage], show_progress="minimal")
        kept = inside.ask_on([self._stage.keep], self.keep, [self._stage], [self._file], show_progress="hidden")
        kept.then(None, None, None, js=_SAVE, **PLUMBING)

    @property
    def outputs(self) -> list[Component]:
        return [self._stage]

    @property
    def settings(self) -> list[Component]:
        return [self._stage]

    def show(self, looked: Looked, *settings: Any) -> Sequence[Any]:
        asked = Asked.of(settings[0], looked)
        found = predicted(looked, asked)
        return [gr.update(data={**drawn(looked, found, asked, lacks(looked, found)), "phrases": phrases()})]

    def plates(self, looked: Looked, *settings: Any) -> Sequence[Plate]:
        asked = Asked.of(settings[0], looked)
        found = predicted(looked, asked)
        return [stage_plate(figure, looked, found, asked) for figure in FIGURES]

    def keep(self, looked: Looked, value: Any) -> Sequence[Any]:
        """The path of a file of what is shown."""
        asked = Asked.of(value, looked)
        wanted = str(value.get("wanted")) if isinstance(value, Mapping) else ""
        return [stage_file(looked, predicted(looked, asked), asked, wanted)]

    def link(self, given: Mapping[str, list[str]]) -> tuple[Pairs, Updates]:
        said = {name: given.get(name, [""])[0] for name in self.link_names}
        value = {
            **START,
            "k": whole(said["k"], 0, least=1),
            "tensor": said["tensor"] if said["tensor"] in ("hidden", "feed_forward") else "",
            "seed": min(whole(said["seed"], 0, least=0), MOST_SEED),
            "masked": written_positions(read_positions(said["masked"], _MOST_PLACES)),
        }
        pairs = [(name, str(value[name])) for name in self.link_names if value[name]]
        return pairs, {self._stage: gr.update(value=value)}


def predicted(looked: Looked, asked: Asked) -> MaskedPrediction:
    """What the student predicts of what is looked at.

    Raises:
        ValueError: the input is too short to hide a part of, or this may not be hidden.
    """
    from analysis.masked_prediction import predict_masked

    subject = looked.subject
    return predict_masked(
        subject.pretraining,
        looked.shown.batch,
        list(asked.masked) or None,
        seed=asked.seed,
        has_predictor=subject.has_predictor,
    )


def lacks(looked: Looked, found: MaskedPrediction) -> list[str]:
    """Sentences on what stands in for what a checkpoint lacks."""
    subject = looked.subject
    report = getattr(subject.pretraining.student, "load_report", None)
    is_fresh = any(name.endswith(("mask_token", "masked_spec_embed")) for name in getattr(report, "initialised", ()))
    return [
        *([say("stage.no_predictor")] if found.predictions is None else []),
        *([say("stage.no_teacher")] if not subject.has_teacher else []),
        *([say("stage.no_mask_embedding")] if is_fresh and found.predictions is None else []),
    ]
