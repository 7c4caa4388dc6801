"""Vectors of a set of items by a model: one for each item and layer, with the labels of the items.

A set is one of those that ship with the project (`analysis.items`): its items are shown to the model now, or, of the
data packs, whose items are not here, have been shown to bundled models before. Or it is made of inputs of one's own.

    vectors = item_vectors("things", "vision", "teacher")
    vectors.vectors.shape    # (layers, items, dim), from layer 0, the input of the first block
    vectors.labels["kind"]   # of each item
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from analysis.item_sets import ItemSet, item_set
from analysis.items.manifest import ItemsError
from analysis.items.vectors import PackVectors
from analysis.subject import Role, Shown, Subject
from data2vec_core.checkpoints.card import Modality
from data2vec_core.pretraining.start import load_encoder
from data2vec_core.processing.any import load_processor
from data2vec_core.trace import Trace

BATCH: Final = 16
"""Items of one shape in a pass."""


@dataclass(frozen=True)
class ItemVectors:
    """What a model makes of the items of a set."""

    vectors: NDArray[np.float32]
    """(layers, items, dim): means over the positions of an item, special tokens left out; layer 0 is the input of the
    first block."""
    items: str
    """Name of the set."""
    index: NDArray[np.int64]
    """(items,) which items of the set they are."""
    names: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    model: str
    role: Role
    modality: Modality
    is_untrained: bool = False
    """Whether the weights are random ones in the model's shape."""
    has_role: bool = True
    """Whether the model has a teacher where one was asked for; else its own weights stand in."""
    rounding: float = 0.0
    """Of stored vectors: what rounding changed, in standard deviations."""

    def __len__(self) -> int:
        return len(self.index)

    def of(self, index: NDArray[np.int64]) -> ItemVectors:
        """The vectors of some of the items, in the order of `index`.

        Raises:
            ValueError: one of them is not there.
        """
        places = {int(item): place for place, item in enumerate(self.index)}
        if missing := [int(item) for item in index if int(item) not in places]:
            raise ValueError(f"index: item {missing[0]} of {self.items} has no vectors here")
        chosen = [places[int(item)] for item in index]
        return dataclasses.replace(
            self,
            vectors=self.vectors[:, chosen],
            index=np.asarray(index),
            names=tuple(self.names[place] for place in chosen),
            labels={kind: tuple(values[place] for place in chosen) for kind, values in self.labels.items()},
        )


def paired(first: ItemVectors, second: ItemVectors) -> tuple[ItemVectors, ItemVectors]:
    """Both sides with the items that both have, in one order.

    Raises:
        ValueError: they are not of one set.
    """
    if first.items != second.items:
        raise ValueError(f"the sides are of different items: {first.items} and {second.items}")
    if np.array_equal(first.index, second.index):
        return first, second
    both = np.intersect1d(first.index, second.index)
    return first.of(both), second.of(both)


def item_vectors(
    items: str | ItemSet,
    model: str,
    role: Role = "student",
    *,
    untrained: bool = False,
    subject: Subject | None = None,
    most: int | None = None,
) -> ItemVectors:
    """The vectors of all items of a set by a model and role.

    Args:
        items: name of a bundled set, or a set of one's own.
        model: a bundled name, a local folder or a hub id; of packs, a model that has seen them.
        role: `student` or `teacher`.
        untrained: take random weights (seed 0) in the shape of the model, as a control.
        subject: the model, where it is loaded already.
        most: show no more items than this, spread evenly over the set; None: all.

    Raises:
        ItemsError: no such set, no vectors of that model, or none of an untrained one, for the items are not here.
        CheckpointError: the model cannot be loaded.
        ValueError: the set has nothing for a model of that modality.
    """
    found = item_set(items) if isinstance(items, str) else items
    if found.pack is not None:
        if untrained:
            raise ItemsError(f"{found.name}: its items are not here to be shown to an untrained network")
        return _stored(found, found.pack, model, role)
    if subject is None:
        subject = Subject.from_pretrained(model)
    if subject.modality not in found.sources:
        raise ValueError(f"{found.name} has nothing to show to {model}, a model of {subject.modality}")
    if untrained:
        subject = _untrained(model)
    index = np.arange(len(found))
    if most is not None and most < len(found):
        index = np.unique(np.linspace(0, len(found) - 1, most).round().astype(np.int64))
    sources = found.sources[subject.modality]()
    whole = ItemVectors(
        vectors=np.empty((0, len(found), 0), dtype=np.float32),
        items=found.name,
        index=np.arange(len(found)),
        names=found.names,
        labels=found.labels,
        model=model,
        role=role,
        modality=subject.modality,
        is_untrained=untrained,
        has_role=role == "student" or subject.has_teacher,
    ).of(index)
    vectors = pooled_vectors(subject, [sources[place] for place in index], role)
    return dataclasses.replace(whole, vectors=vectors)


@torch.inference_mode()
def pooled_vectors(subject: Subject, sources: Sequence[Any], role: Role = "student") -> NDArray[np.float32]:
    """(layers, items, dim) of inputs, each read unpadded: means over positions without class and special tokens.

    Args:
        sources: what `Subject.show` takes; sounds are (samples, samples a second).
    """
    found: list[NDArray[np.float32] | None] = [None] * len(sources)
    for places, batch in _batches(subject, sources):
        trace = Trace(["hidden"])
        with few_threads(subject):
            subject.run(batch, role, trace, copies=len(places))
        hidden = torch.stack([layer.float() for layer in trace.all("hidden")]).cpu().numpy()
        ordinary = np.setdiff1d(np.arange(len(batch)), batch.special)
        chosen = batch.class_tokens + (ordinary if len(ordinary) else np.arange(len(batch)))
        means = hidden[:, :, chosen].mean(axis=2)  # (layers, batch, dim)
        for column, place in enumerate(places):
            found[place] = means[:, column]
    return np.stack(found, axis=1)  # type: ignore[arg-type]


def _batches(subject: Subject, sources: Sequence[Any]) -> Iterator[tuple[list[int], Shown]]:
    """Inputs of one shape and one set of special tokens in one pass."""
    groups: dict[Any, list[tuple[int, Shown]]] = defaultdict(list)

    def joined(group: list[tuple[int, Shown]]) -> tuple[list[int], Shown]:
        first = group[0][1]
        batch = {name: torch.cat([one.batch[name] for _, one in group]) for name in first.batch}
        return [place for place, _ in group], dataclasses.replace(first, batch=batch)

    for place, source in enumerate(sources):
        rate = None
        if subject.modality == "audio" and isinstance(source, tuple):
            source, rate = source
        shown = subject.show(source, sampling_rate=rate)
        key = (tuple(next(iter(shown.batch.values())).shape), shown.special)
        groups[key].append((place, shown))
        if len(groups[key]) == BATCH:
            yield joined(groups.pop(key))
    for group in groups.values():
        yield joined(group)


@contextmanager
def few_threads(subject: Subject) -> Iterator[None]:
    """Small models are faster on one thread, for several wait for each other after every small product."""
    threads = torch.get_num_threads()
    if subject.dim > _SMALL or threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


_SMALL = 384


def _stored(items: ItemSet, pack: PackVectors, model: str, role: Role) -> ItemVectors:
    roles = {run.role for run in pack.runs if run.model == model}
    run = pack.run(model, role if role in roles else "student")
    return ItemVectors(
        vectors=pack.vectors(run),
        items=items.name,
        index=np.arange(len(items)),
        names=items.names,
        labels=items.labels,
        model=model,
        role=role,
        modality=run.modality,  # type: ignore[arg-type]
        has_role=role in roles,
        rounding=run.error,
    )


def _untrained(model: str) -> Subject:
    return Subject(load_encoder(model, role=None), load_processor(model), name=model)
