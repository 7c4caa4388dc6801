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
    grid_distances,
    sequence_distances,
    without,
)
from analysis.subject import Role, Shown, Subject
from data2vec_core.trace import TensorName, Trace


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
        found.append(_of_item(subject, shown, role))
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


@dataclass(frozen=True, kw_only=True)
class HeadRecord:
    """What all heads did with one input. Of the maps themselves, which for 30 seconds of speech and a base-size model
    take 1.3 GB, one at most is kept."""

    distance: NDArray[np.float64]
    """(layers, heads), as `HeadsOverItems.distance`."""
    entropy: NDArray[np.float64]
    """(layers, heads): mean entropy of a query's row as a share of ln T."""
    mean_entropy: NDArray[np.float64]
    """(layers, heads): entropy of the mean row as a share of ln T."""
    rows: NDArray[np.float32]
    """(layers, heads, places): whence one query looks, over the whole sequence."""
    map: NDArray[np.float32] | None
    """(query, key) of the head that was asked for, over the whole sequence."""
    hidden: NDArray[np.float32] | None
    """(layers + 1, places, dim), where it was asked for."""


def record_heads(
    subject: Subject,
    shown: Shown,
    role: Role = "student",
    *,
    position: int = 0,
    whole: tuple[int, int] | None = None,
    hidden: bool = False,
) -> HeadRecord:
    """Let the model read an input, and measure every head of every layer as its attention comes to be.

    Args:
        position: whose rows are kept, -1 for the class token.
        whole: layer (from 1) and head (from 1) whose map is kept.
        hidden: whether to keep the hidden states of all layers.

    Raises:
        ValueError: no such role, position, layer or head, or an input of fewer than two positions.
    """
    if whole and not (1 <= whole[0] <= subject.depth and 1 <= whole[1] <= subject.heads):
        raise ValueError(f"whole={whole}: expected a layer up to {subject.depth} and a head up to {subject.heads}")
    left_out = [*range(shown.class_tokens), *(shown.class_tokens + one for one in shown.special)]
    distances = torch.from_numpy(_distances(shown)).float()
    if len(distances) < 2:
        raise ValueError("of fewer than two positions nothing can be measured")
    buffer = torch.empty_like(distances)
    place = shown.place(position)
    numbers: list[list[tuple[float, float, float]]] = []
    rows: list[NDArray[np.float32]] = []
    maps: list[NDArray[np.float32]] = []

    def measured(attention: Tensor) -> Tensor:
        heads = attention[0].float().cpu()
        rows.append(heads[:, place].numpy().copy())
        if whole and whole[0] == len(rows):
            maps.append(heads[whole[1] - 1].numpy().copy())
        numbers.append([_numbers_of(one, distances, left_out, buffer) for one in heads])
        return torch.empty(0)

    names: list[TensorName] = ["attention", "hidden"] if hidden else ["attention"]
    trace = Trace(names, reduce={"attention": measured})
    with torch.inference_mode():
        subject.run(shown, role, trace)
    found = np.array(numbers)  # (layers, heads, measures)
    return HeadRecord(
        distance=found[..., 0],
        entropy=found[..., 1],
        mean_entropy=found[..., 2],
        rows=np.stack(rows),
        map=maps[0] if maps else None,
        hidden=torch.cat(trace.all("hidden")).float().cpu().numpy() if hidden else None,
    )


def _numbers_of(head: Tensor, distances: Tensor, left_out: list[int], buffer: Tensor) -> tuple[float, float, float]:
    """Distance, entropy, entropy of the mean row, as `analysis.attention` defines them; head by head and in float32,
    whose rounding is in the seventh place, since a long clip has 27 million weights a layer."""
    if left_out:
        head = torch.from_numpy(without(head.numpy(), left_out).attention).float()
    most = np.log(len(head))
    distance = torch.linalg.vecdot(head, distances).double().mean()
    # One buffer for all heads: to take and give back megabytes for each costs more than the logarithms.
    logarithms = torch.clamp(head, min=torch.finfo(head.dtype).tiny, out=buffer).log_()
    entropy = -torch.linalg.vecdot(head, logarithms).double().mean() / most
    mean_entropy = torch.special.entr(head.mean(dim=0)).sum() / most
    return float(distance), float(entropy), float(mean_entropy)


def _of_item(subject: Subject, shown: Shown, role: Role) -> NDArray[np.float64]:
    """(measures, layers, heads): distance, entropy; of speech also diagonality, globalness and verticality."""
    record = record_heads(subject, shown, role)
    measures = [record.distance, record.entropy]
    if subject.modality == "audio":
        measures += [-record.distance / (shown.step * len(shown)), record.entropy, -record.mean_entropy]
    return np.stack(measures)


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
