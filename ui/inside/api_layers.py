"""The endpoint of the layers.

Gradio reads the return types as they stand, so here they are not strings (`from __future__ import annotations`).
"""

import math
from collections.abc import Callable
from typing import Any, Final, TypedDict

from data2vec_core.checkpoints.card import MODALITIES
from ui.inside.layers_sections import MEASURES, compared
from ui.inside.layers_sides import FIRST_SETS, Choice, kept, pair_of
from ui.inside.selection import ENCODERS, Selection
from ui.options import ChoiceInput
from ui.service import Service
from ui.words import say

_ROLES: Final = ("student", "teacher")


class LayersAnswer(TypedDict):
    """Of `/compare_layers`; a value is null where it is undefined. Layer 0 is the input of the first block."""

    matrix: list[list[float | None]]
    rows: list[int]
    columns: list[int]
    n: int
    p: list[int]
    estimator: str


def compare_layers_endpoint(service: Service) -> Callable[..., Any]:
    """What `/compare_layers` calls."""

    def compare_layers(
        modality: str,
        model: str = "",
        role: str = "student",
        other_model: str = "",
        other_role: str = "teacher",
        measure: str = "cka",
        items: str = "",
    ) -> LayersAnswer:
        """Compare every layer of a model with every layer of another, or of its own teacher, on the same items.

        Args:
            modality: audio, text or vision: of the model.
            model: a name of /list_models, a hub id, or a local folder where the host allows it; empty for the bundled
                encoder of the modality.
            role: student or teacher; a model without a teacher has its own weights under that role.
            other_model: likewise, of any modality that the items have; empty for the same model, or the encoder that
                it came from where it has no teacher.
            other_role: student or teacher.
            measure: cka (debiased), biased_cka, mutual_knn, cosine, procrustes, svcca or pwcca.
            items: a bundled set: things, photographs, prompts, or a pack of vectors such as an4, trec or flowers5;
                empty for a pack of the modality.
        """
        settings = service.settings
        modality = ChoiceInput("modality", options=MODALITIES).read(modality, settings)
        role = ChoiceInput("role", options=_ROLES).read(role, settings)
        other_role = ChoiceInput("other_role", options=_ROLES).read(other_role, settings)
        measure = ChoiceInput("measure", options=MEASURES).read(measure, settings)
        if not all(isinstance(name, str) for name in (model, other_model, items)):
            raise ValueError(say("model.no_text"))
        name = model.strip() or ENCODERS[modality]
        entry = service.entry(name)
        if entry is not None and entry.card.modality != modality:
            raise ValueError(say("inside.other_modality", model=name))
        selection = Selection(modality, "", None, name, role, layer=1, head=0, position=0)  # type: ignore[arg-type]
        choice = Choice(items.strip() or FIRST_SETS[modality], other_model.strip(), other_role, measure, "none", "pca")
        found, _ = compared(kept(service), pair_of(service, selection, choice), measure)
        return {
            "matrix": [[value if math.isfinite(value) else None for value in row] for row in found.matrix.tolist()],
            "rows": list(found.rows),
            "columns": list(found.columns),
            "n": found.n,
            "p": list(found.p),
            "estimator": found.estimator,
        }

    return compare_layers
