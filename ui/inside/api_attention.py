"""The endpoints that look inside a model: attention and vectors.

Gradio reads the return types as they stand, so here they are not strings (`from __future__ import annotations`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypedDict

from gradio.data_classes import FileData

from data2vec_core.checkpoints.card import MODALITIES
from ui.inside.selection import ENCODERS, OWN_INPUTS
from ui.service import Service
from ui.words import say

if TYPE_CHECKING:
    from analysis.subject import Shown, Subject

MOST_NUMBERS: Final = 300_000
"""In one answer."""


class AttentionAnswer(TypedDict):
    """Of `/attention_map`: rows sum to 1, those of a difference to 0."""

    weights: list[Any]
    """(keys,) of one query, or (queries, keys)."""
    shape: list[int]
    labels: list[str]
    """Of the keys: tokens, seconds, rows and columns of patches; the class token of a picture comes first."""
    model: str


class VectorAnswer(TypedDict):
    """Of `/embed`."""

    vector: list[float]
    model: str


def attention_endpoints(service: Service) -> tuple[Callable[..., Any], ...]:
    """`attention_map` and `embed`, for `gr.api`."""

    def attention_map(
        modality: str,
        text: str = "",
        file: FileData | None = None,
        model: str = "",
        role: str = "student",
        layer: int = 1,
        head: int = 0,
        query: int | None = None,
    ) -> AttentionAnswer:
        """Tell where a head of a model looks, exactly as the view "Attention" shows it.

        Args:
            modality: audio, text or vision.
            text: to read, where the modality is text.
            file: a sound or a picture, where it is not.
            model: a name of /list_models, a hub id, or a local folder where the host allows it; the bundled encoder of
                the modality when empty.
            role: student, teacher, or difference for the student's minus the teacher's.
            layer: 1 to the number of layers.
            head: 1 to the number of heads; 0 for their mean.
            query: position that looks, from 0; -1 for the class token of a picture; left out for all of them.
        """
        from analysis.attention_view import attention_map as weights_of

        with _looking(service, modality, text, file, model) as (subject, shown):
            places = len(shown) + shown.class_tokens
            if query is None and places**2 > MOST_NUMBERS:
                raise ValueError(say("attention.too_many", places=places))
            found = weights_of(subject, shown, role, layer, head, query)  # type: ignore[arg-type]
        return {
            "weights": found.weights.tolist(),
            "shape": list(found.shape),
            "labels": list(found.labels),
            "model": _named(model, modality),
        }

    def embed(
        modality: str,
        text: str = "",
        file: FileData | None = None,
        model: str = "",
        role: str = "student",
        layer: int = 0,
        pooling: str = "mean",
    ) -> VectorAnswer:
        """Turn a sound, a text or a picture into one vector.

        Args:
            modality: audio, text or vision.
            text: to read, where the modality is text.
            file: a sound or a picture, where it is not.
            model: a name of /list_models, a hub id, or a local folder where the host allows it; the bundled encoder of
                the modality when empty.
            role: student or teacher.
            layer: 0 for the input of the first block, to the number of layers.
            pooling: mean or max over the positions, or first for the class token, <s>, or the first frame.
        """
        with _looking(service, modality, text, file, model) as (subject, shown):
            vector = subject.embed(shown, layer, role, pooling)  # type: ignore[arg-type]
        return {"vector": vector.tolist(), "model": _named(model, modality)}

    return attention_map, embed


def _named(model: str, modality: str) -> str:
    return model.strip() if isinstance(model, str) and model.strip() else ENCODERS[modality]


@contextmanager
def _looking(service: Service, modality: str, text: str, file: Any, model: str) -> "Iterator[tuple[Subject, Shown]]":
    """A model and an input that it has prepared; the model is kept from others inside.

    Raises:
        ValueError, CheckpointError: no such modality, nothing to read, or no such model here.
    """
    if modality not in MODALITIES:
        raise ValueError(say("attention.no_modality", names=", ".join(MODALITIES)))
    kind = OWN_INPUTS[modality]
    source = kind.read(kind.received(text if modality == "text" else file), service.settings)
    with service.subject(_named(model, modality)) as subject:
        if subject.modality != modality:
            raise ValueError(say("inside.other_modality", model=_named(model, modality)))
        rate = None
        if modality == "audio":
            rate, source = source
        yield subject, subject.show(source, sampling_rate=rate)
