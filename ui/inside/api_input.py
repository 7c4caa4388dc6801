"""What the endpoints of the inside views look at: one input of one modality, read and refused as on the page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from data2vec_core.checkpoints.card import MODALITIES
from ui.inside.selection import OWN, Looked, read_selection, source_of
from ui.options import ChoiceInput
from ui.service import Service
from ui.words import say

_MODALITY: Final = ChoiceInput("modality", options=MODALITIES)


@contextmanager
def looking_at(service: Service, modality: Any, text: Any, file: Any, model: Any) -> Iterator[Looked]:
    """An input with its model, which is kept from others inside.

    Args:
        modality: one of `MODALITIES`.
        text: of a text model.
        file: of the others, as an endpoint receives it.
        model: a name, or empty for the bundled encoder of the modality.

    Raises:
        ValueError, CheckpointError: nothing to look at, beyond a limit, or no such model here.
    """
    modality = _MODALITY.read(modality, service.settings)
    if not isinstance(model, str):
        raise ValueError(say("model.no_text"))
    given = {
        "modality": modality,
        "example": OWN,
        "model": model,
        "role": "",
        "own": {modality: text if modality == "text" else file},
        "place": {},
    }
    selection = read_selection(given, service.settings)
    with service.subject(selection.model) as subject:
        if subject.modality != modality:
            raise ValueError(say("inside.other_modality", model=selection.model))
        source, rate = source_of(selection)
        yield Looked(selection, subject, subject.show(source, sampling_rate=rate))
