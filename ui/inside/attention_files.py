"""What the view of attention shows, as files: numbers and figures, made when somebody asks for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from ui.inside.selection import Looked

if TYPE_CHECKING:
    from analysis.figures.plate import Plate

KINDS: Final = ("csv", "npz", "svg", "pdf", "png")
MOST_NUMBERS: Final = 20_000_000
"""In an NPZ file; of a long clip it has the chosen head alone."""


def made_file(kind: str, looked: Looked, mode: str, relevance: Mapping[str, Any] | None, emissions: Any) -> str:
    """Path of a file in the app's cache.

    Args:
        kind: `csv` has the shown row, `npz` all heads of the shown layer, the others are figures.
        mode: `raw`, `rollout` or `class`.
        relevance: of a class, in that mode.
        emissions: of a CTC model, whose path a figure shows; None where there are none.
    """
    from analysis.figures.files import save_figure, to_csv, to_npz

    content: bytes
    if kind == "csv":
        content = to_csv(_row(looked, mode, relevance))
    elif kind == "npz":
        content = to_npz(_layer(looked), _statement(looked))
    else:
        content = save_figure(_figure(looked, mode, relevance, emissions), kind)  # type: ignore[arg-type]
    return save_bytes_to_cache(content, f"attention.{kind}", get_upload_folder())


def attention_plates(looked: Looked, mode: str, relevance: Mapping[str, Any] | None, emissions: Any) -> list[Plate]:
    """All heads in small, and the large picture."""
    from analysis.attention_view import Size, record_attention
    from analysis.figures.attention import SIDE, attention_grid

    role: Any = looked.selection.role
    side = min(SIDE, len(looked.shown) + looked.shown.class_tokens)
    size = Size(small=(side, side), large=(1, 1))
    found = record_attention(looked.subject, looked.shown, role, size=size)
    statement = dataclasses.replace(_statement(looked), layers=(), heads=())
    grid = attention_grid(list(found.small), difference=role == "difference", statement=statement)
    return [grid, _figure(looked, mode, relevance, emissions)]


def _weights(looked: Looked, mode: str, relevance: Mapping[str, Any] | None) -> Any:
    """(places,) of what is shown, exactly."""
    from analysis.attention_view import Size, attention_map, record_attention

    if relevance is not None and "values" in relevance:
        return np.array(relevance["values"])
    role: Any = looked.selection.role
    if mode == "rollout":
        found = record_attention(
            looked.subject,
            looked.shown,
            role,
            layer=looked.layer,
            position=looked.position,
            size=Size(small=(1, 1), large=(1, 1)),
            mode="rollout",
        )
        return found.rows[looked.layer - 1, 0]
    return attention_map(looked.subject, looked.shown, role, looked.layer, looked.head, looked.position).weights


def _row(looked: Looked, mode: str, relevance: Mapping[str, Any] | None) -> dict[str, list[Any]]:
    from analysis.attention_view import place_labels

    weights = _weights(looked, mode, relevance)
    first = -looked.shown.class_tokens
    return {
        "position": [first + place for place in range(len(weights))],
        "label": list(place_labels(looked.shown)),
        "relevance" if relevance and "values" in relevance else "weight": weights.tolist(),
    }


def _layer(looked: Looked) -> dict[str, Any]:
    from analysis.attention_view import attention_map, place_labels

    subject, shown = looked.subject, looked.shown
    count = len(shown) + shown.class_tokens
    role: Any = looked.selection.role
    if subject.heads * count**2 > MOST_NUMBERS:
        heads = [looked.head]
        stack = attention_map(subject, shown, role, looked.layer, looked.head).weights[None]
    else:
        heads = list(range(1, subject.heads + 1))
        stack = subject.attention(shown, looked.layer, "student" if role == "difference" else role)
        if role == "difference":
            stack = stack - subject.attention(shown, looked.layer, "teacher")
    return {
        "attention": stack.astype(np.float16 if count > 1000 else np.float32),
        "heads": np.array(heads),
        "layer": np.array(looked.layer),
        "labels": np.array(place_labels(shown)),
    }


def _statement(looked: Looked) -> Any:
    from analysis.figures.statement import Statement

    return Statement(
        model=looked.selection.model,
        role=looked.selection.role,
        tensor="attention",
        layers=(looked.layer,),
        heads=(looked.head,),
        items=looked.selection.example,
    )


def _figure(looked: Looked, mode: str, relevance: Mapping[str, Any] | None, emissions: Any) -> Plate:
    from analysis.figures.attention import attention_matrix
    from analysis.figures.places import attention_on_photo, attention_on_spectrogram

    shown, selection = looked.shown, looked.selection
    statement = _statement(looked)
    if selection.role != "difference" and shown.grid is not None:
        from data2vec_core.processing.image_io import load_image

        weights = _weights(looked, mode, relevance)[shown.class_tokens :].reshape(shown.grid)
        at = None if looked.position < 0 or mode == "class" else divmod(looked.position, shown.grid[1])
        return attention_on_photo(load_image(selection.source), weights, query=at, statement=statement)
    if selection.role != "difference" and shown.waveform is not None:
        from analysis.spectrogram import mel_spectrogram

        path = [(run["first"] * shown.step, run["text"]) for run in _path(emissions)]
        return attention_on_spectrogram(
            mel_spectrogram(shown.waveform, shown.rate),
            _weights(looked, mode, relevance),
            seconds=len(shown.waveform) / shown.rate,
            query=None if mode == "class" else looked.position,
            frame=shown.step,
            path=path,
            statement=statement,
        )
    from analysis.attention_view import attention_map, place_labels

    role: Any = selection.role
    weights = attention_map(looked.subject, shown, role, looked.layer, looked.head).weights
    names = list(place_labels(shown))
    return attention_matrix(
        weights,
        names,
        names,
        query=shown.place(looked.position),
        difference=role == "difference",
        statement=statement,
    )


def _path(emissions: Any) -> list[dict[str, Any]]:
    from ui.views.attention import spelled_path

    return [] if emissions is None else spelled_path(emissions)
