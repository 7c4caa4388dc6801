"""The stage: a masked student beside its teacher that sees all, and the target between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from ui.inside.selection import Looked
from ui.inside.tab import View

if TYPE_CHECKING:
    from ui.inside.tab import Inside


class Stage(View):
    """One input, masked for the student and whole for the teacher."""

    name = "stage"

    def __init__(self, inside: Inside) -> None:
        super().__init__(inside)
        self._numbers = gr.HTML(elem_id="stage-numbers", elem_classes=["html-plain"])

    @property
    def outputs(self) -> list[Component]:
        return [self._numbers]

    def show(self, looked: Looked, *settings: Any) -> Sequence[Any]:  # noqa: ARG002
        from analysis.masked_prediction import predict_masked

        found = predict_masked(looked.subject.pretraining, looked.shown.batch)
        errors = found.errors(found.target())
        return [f"<p>{errors.error.mean():.3f} {errors.cosine.mean():.3f}</p>"]
