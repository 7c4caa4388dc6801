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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from analysis.items.manifest import RATE, ItemsError, Origin
from analysis.items.photographs import photographs
from analysis.items.prompts import Prompts
from analysis.items.things import Things
from analysis.items.vectors import PackVectors, vector_packs
from analysis.subject import Role, Shown, Subject
from data2vec_core.checkpoints.card import Modality
from data2vec_core.pretraining.start import load_encoder
from data2vec_core.processing.any import load_processor
from data2vec_core.trace import Trace

LIVE_SETS: Final = ("things", "photographs", "prompts")
"""Whose items are here and are shown to the model when they are asked for."""
VOICE: Final = "american"
"""Who says the names of the things."""
BATCH: Final = 16
"""Items of one shape in a pass."""
QUARTERS: Final = ("1", "2", "3", "4")
"""Labels of `length`: which quarter of the items, from the shortest."""


@dataclass(frozen=True)
class ItemSet:
    """Items in a fixed order, and what is known about them."""

    name: str
    names: tuple[str, ...]
    """Of each item, for a reader; a number where nothing else is known."""
    labels: Mapping[str, tuple[str, ...]]
    """Of each item, by what they tell."""
    sources: Mapping[Modality, Callable[[], list[Any]]] = field(default_factory=dict)
    """Makes what `Subject.show` takes, by modality; sounds are (samples, samples a second)."""
    pack: PackVectors | None = None
    """Where the items themselves are not here."""
    credits: tuple[str, ...] = ()
    """Source and licence: of each item, or one for all."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Of the models that have vectors of it."""
        if self.pack is None:
            return tuple(self.sources)
        return tuple(dict.fromkeys(run.modality for run in self.pack.runs))  # type: ignore[misc]

    def has(self, model: str, modality: str) -> bool:
        """Whether there can be vectors of a model."""
        if self.pack is None:
            return modality in self.sources
        return any(run.model == model for run in self.pack.runs)

    def raw(self, modality: Modality) -> NDArray[np.float32] | None:
        """(items, features) of the inputs without any model, as a baseline; None where the items are not here.

        Pictures are pooled to 8 by 8 pixels, sounds to mean and deviation of 40 log-mel bands, texts to the shares of
        their bytes.
        """
        if modality not in self.sources:
            return None
        return np.stack([_RAW[modality](one) for one in self.sources[modality]()]).astype(np.float32)


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


def item_sets() -> tuple[str, ...]:
    """Names of all sets that ship with the project, those whose items are here first."""
    return (*LIVE_SETS, *_packs())


@cache
def item_set(name: str) -> ItemSet:
    """A set by its name.

    Raises:
        ItemsError: there is none, or its files are not here.
    """
    match name:
        case "things":
            return _things()
        case "photographs":
            pictures = photographs()
            sources = {"vision": lambda: [one.open() for one in pictures]}
            credits = tuple(_credit(one.origin) for one in pictures)
            return ItemSet(name, tuple(one.title for one in pictures), {}, sources, credits=credits)  # type: ignore[arg-type]
        case "prompts":
            return _prompts()
        case _ if name in _packs():
            pack = _packs()[name]
            numbers = tuple(str(number) for number in range(1, len(pack) + 1))
            return ItemSet(name, numbers, pack.labels, pack=pack, credits=(_credit(pack.origin),))
    raise ItemsError(f"items={name!r}: there are {', '.join(item_sets())}")


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


@cache
def _packs() -> dict[str, PackVectors]:
    return {pack.pack: pack for pack in vector_packs()}


def _credit(origin: Origin) -> str:
    return f"{origin.source}; {origin.licence}"


def _things() -> ItemSet:
    things = Things.open()
    return ItemSet(
        "things",
        tuple(one.name for one in things.things),
        {
            "category": tuple(one.category for one in things.things),
            "length": quarters([len(one.name) for one in things.things]),
        },
        {
            "vision": lambda: [things.picture(one) for one in things.things],
            "text": lambda: [one.name for one in things.things],
            "audio": lambda: [(things.speech(one, VOICE), RATE) for one in things.things],
        },
        credits=(_credit(things.manifest.origin(things.atlas_file)),),
    )


def _prompts() -> ItemSet:
    prompts = Prompts.open()
    return ItemSet(
        "prompts",
        tuple(one.transcript.lower() for one in prompts.prompts),
        {
            "kind": tuple(one.kind for one in prompts.prompts),
            "length": quarters([one.span[1] for one in prompts.prompts]),
        },
        {
            "audio": lambda: [(prompts.sound(one), RATE) for one in prompts.prompts],
            "text": lambda: [one.transcript.lower() for one in prompts.prompts],
        },
        credits=(_credit(prompts.origin),),
    )


def quarters(lengths: Sequence[float]) -> tuple[str, ...]:
    """Which quarter of the items each belongs to, from the shortest: a label that may explain what others seem to."""
    values = np.asarray(lengths, dtype=np.float64)
    return tuple(QUARTERS[int(place)] for place in np.searchsorted(np.quantile(values, [0.25, 0.5, 0.75]), values))


def _picture_features(picture: Any) -> NDArray[np.float64]:
    from PIL import Image

    small = picture.convert("RGB").resize((8, 8), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64).ravel() / 255


def _sound_features(sound: tuple[NDArray[np.float32], int]) -> NDArray[np.float64]:
    samples, rate = sound
    window, hop, bands = round(0.025 * rate), round(0.01 * rate), 40
    padded = np.pad(samples.astype(np.float64), (0, max(0, window - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(window), axis=1)))
    mels = np.linspace(0, 2595 * np.log10(1 + rate / 2 / 700), bands + 2)
    edges = 700 * (10 ** (mels / 2595) - 1)
    hertz = np.fft.rfftfreq(window, 1 / rate)
    rising = (hertz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - hertz) / np.diff(edges)[1:, None]
    weights = np.minimum(rising, falling).clip(0)  # (bands, frequencies)
    levels = np.log(power @ weights.T + 1e-8)
    return np.concatenate([levels.mean(axis=0), levels.std(axis=0)])


def _text_features(text: str) -> NDArray[np.float64]:
    counts = np.bincount(np.frombuffer(text.encode() or b"\0", dtype=np.uint8), minlength=256)
    return counts / counts.sum()


_RAW: dict[str, Callable[[Any], NDArray[np.float64]]] = {
    "vision": _picture_features,
    "audio": _sound_features,
    "text": _text_features,
}
