"""Sets of items that ship with the project, or that somebody brings: their names, their labels, and the items
themselves where these are here. No model is needed; `analysis.item_vectors` shows them to one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analysis.items.manifest import RATE, ItemsError, Origin
from analysis.items.photographs import photographs
from analysis.items.prompts import Prompts
from analysis.items.things import Things
from analysis.items.vectors import PackVectors, vector_packs
from data2vec_core.checkpoints.card import Modality

LIVE_SETS: Final = ("things", "photographs", "prompts")
"""Whose items are here and are shown to the model when they are asked for."""
VOICE: Final = "american"
"""Who says the names of the things."""
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
