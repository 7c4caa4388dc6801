"""What every head does, on average over several inputs: how far it looks, how many places it reads, and of speech which
kind it is of (analysis-methods.md, section 2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.attention import (
    HeadKind,
    HeadMeasures,
    attention_distance,
    attention_entropy,
    grid_distances,
    head_measures,
    sequence_distances,
    without,
)
from analysis.subject import Role, Shown, Subject
from data2vec_core.trace import Trace


@dataclass(frozen=True, kw_only=True)
class HeadsOverItems:
    """Of all heads; class token, `<s>` and `</s>` left out as queries and keys, rows made to sum to 1 again."""

    distance: NDArray[np.float64]
    """(layers, heads): mean distance from a query to what it looks at, in `unit`: patches, tokens or seconds."""
    distance_spread: NDArray[np.float64]
    """(layers, heads): standard deviation over the items."""
    uniform_distance: float
    """Of attention that looks everywhere alike, over the same items."""
    entropy: NDArray[np.float64]
    """(layers, heads): mean entropy of a query's row as a share of ln T: 0 reads one place, 1 all alike."""
    entropy_spread: NDArray[np.float64]
    """(layers, heads): standard deviation over the items."""
    kinds: tuple[tuple[HeadKind, ...], ...] | None
    """(layers, heads) of speech: the measure by which a head stands out most against all others of this model."""
    measures: HeadMeasures | None
    """(layers, heads) of speech, by which the kinds were told."""
    items: int
    positions: int
    """Of all items together."""


def heads_over_items(subject: Subject, items: Iterable[Shown], role: Role = "student") -> HeadsOverItems:
    """Measure every head on every item, one after another; the mean over an item's queries is taken first.

    Items of fewer than two positions count nowhere.

    Raises:
        ValueError: no items, or no such role.
    """
    found, uniform, positions = [], [], 0
    is_speech = subject.modality == "audio"
    for shown in items:
        size = len(shown) - len(shown.special)
        if size < 2:
            continue
        found.append(_of_item(subject, shown, role, is_speech=is_speech))
        uniform.append(float(_distances(shown).mean()))
        positions += size
    if not found:
        raise ValueError("items: expected at least one of two positions or more")
    all_items = np.stack(found)  # (items, measures, layers, heads)
    mean, spread = all_items.mean(axis=0), all_items.std(axis=0)
    measures = HeadMeasures(*mean[2:]) if is_speech else None
    return HeadsOverItems(
        distance=mean[0],
        distance_spread=spread[0],
        uniform_distance=float(np.mean(uniform)),
        entropy=mean[1],
        entropy_spread=spread[1],
        kinds=_kinds(measures) if measures else None,
        measures=measures,
        items=len(found),
        positions=positions,
    )


def _of_item(subject: Subject, shown: Shown, role: Role, *, is_speech: bool) -> NDArray[np.float64]:
    """(measures, layers, heads): distance, entropy; of speech also diagonality, globalness and verticality."""
    left_out = [*range(shown.class_tokens), *(shown.class_tokens + one for one in shown.special)]
    distances = _distances(shown)

    def measured(attention: Tensor) -> Tensor:
        rows = without(attention[0].float().cpu().numpy(), left_out).attention
        numbers = [
            attention_distance(rows, distances),
            attention_entropy(rows).mean(axis=-1) / np.log(rows.shape[-1]),
        ]
        if is_speech:
            kinds = head_measures(rows)
            numbers += [kinds.diagonality, kinds.globalness, kinds.verticality]
        return torch.from_numpy(np.stack(numbers))

    trace = Trace(["attention"], reduce={"attention": measured})
    with torch.inference_mode():
        subject.run(shown, role, trace)
    return np.asarray(trace.stack("attention").numpy().transpose(1, 0, 2))


def _distances(shown: Shown) -> NDArray[np.float64]:
    """(positions, positions) without those around a text."""
    if shown.grid is not None:
        return grid_distances(*shown.grid)
    return sequence_distances(len(shown) - len(shown.special), shown.step)


def _kinds(measures: HeadMeasures) -> tuple[tuple[HeadKind, ...], ...]:
    shape = measures.diagonality.shape
    flat = HeadMeasures(*(np.ravel(one) for one in _parts(measures))).kinds()
    return tuple(tuple(flat[layer * shape[1] + head] for head in range(shape[1])) for layer in range(shape[0]))


def _parts(measures: HeadMeasures) -> tuple[NDArray[Any], ...]:
    return measures.diagonality, measures.globalness, measures.verticality
