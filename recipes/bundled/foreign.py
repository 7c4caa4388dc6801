"""Inputs that a classifier has nothing to say about: other packs, noise, silence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from data2vec_core.checkpoints.card import Modality
from data2vec_core.processing.samples import MODEL_RATE
from recipes.packs import Split, read_clips, read_pictures, read_records
from recipes.sound import Samples

Kinds = dict[str, Sequence[Any]]
"""Kind of foreign input -> items as a task takes them: samples at 16 kHz, strings, pictures."""

MOST = 120
"""Items of a kind."""

#: Model -> kinds that are not foreign to it, its own data first: noise and silence are a class of `commands`.
KNOWN: dict[str, tuple[str, ...]] = {
    "commands": ("speech_commands", "noise", "silence"),
    "esc10": ("esc10",),
    "sst2": ("sst2",),
    "trec": ("trec",),
    "snips-intent": ("snips_nlu",),
    "objects": ("caltech25", "flowers5"),
}


#: Kinds that take no part in any choice: what the rates at these say holds for kinds that nobody thought of.
UNSEEN = ("speechocean", "wnut17_ner", "camvid")


def foreign_inputs(name: str, modality: Modality, data: Path, split: Split) -> Kinds:
    """What is foreign to a bundled classifier; made ones differ from split to split."""
    kinds = {"audio": _sounds, "text": _texts, "vision": _pictures}[modality]
    random = np.random.default_rng(("train", "valid", "test").index(split))
    return {kind: items(data, split, random) for kind, items in kinds().items() if kind not in KNOWN[name]}


Items = Callable[[Path, Split, np.random.Generator], Sequence[Any]]


def _some(items: Iterable[Any]) -> list[Any]:
    """Up to `MOST`, from all over."""
    whole = list(items)
    return whole[:: max(1, len(whole) // MOST)][:MOST]


def _sounds() -> dict[str, Items]:
    def clips(pack: str) -> Items:
        return lambda data, split, random: _some(clip.samples for clip in read_clips(data, pack, split))  # noqa: ARG005

    return {
        "speech_commands": clips("speech_commands"),
        "an4": clips("an4"),
        "speechocean": clips("speechocean"),
        "esc10": clips("esc10"),
        "noise": lambda data, split, random: [_noise(random) for _ in range(MOST)],  # noqa: ARG005
        "tones": lambda data, split, random: [_tone(random) for _ in range(MOST)],  # noqa: ARG005
        "silence": lambda data, split, random: [  # noqa: ARG005
            np.zeros(int(random.uniform(1, 5) * MODEL_RATE), np.float32) for _ in range(10)
        ],
    }


def _noise(random: np.random.Generator) -> Samples:
    """White, pink or brown, of any level."""
    white = np.fft.rfft(random.standard_normal(int(random.uniform(1, 4) * MODEL_RATE)))
    slope = random.choice([0.0, 0.5, 1.0])
    noise = np.fft.irfft(white / np.maximum(np.arange(len(white)), 1) ** slope)
    return (10 ** random.uniform(-3, -0.5) * noise / np.abs(noise).max()).astype(np.float32)


def _tone(random: np.random.Generator) -> Samples:
    """A pure tone with one overtone."""
    time = np.arange(int(random.uniform(1, 4) * MODEL_RATE)) / MODEL_RATE
    phase = 2 * np.pi * random.uniform(80, 2000) * time
    return (random.uniform(0.02, 0.5) * (np.sin(phase) + 0.5 * np.sin(2 * phase))).astype(np.float32)


def _texts() -> dict[str, Items]:
    def sentences(pack: str) -> Items:
        return lambda data, split, random: _some(  # noqa: ARG005
            record["text"] if "text" in record else " ".join(record["tokens"])
            for record in read_records(data, pack, split)
        )

    return {
        "sst2": sentences("sst2"),
        "trec": sentences("trec"),
        "snips_nlu": sentences("snips_nlu"),
        "wnut17_ner": sentences("wnut17_ner"),
        "letters": lambda data, split, random: [_letters(random) for _ in range(MOST)],  # noqa: ARG005
    }


def _letters(random: np.random.Generator) -> str:
    """Words of random letters."""
    words = ("".join(random.choice(list("abcdefghijklmnopqrstuvwxyz"), random.integers(2, 9))) for _ in range(12))
    return " ".join(islice(words, int(random.integers(3, 13))))


def _pictures() -> dict[str, Items]:
    def pictures(pack: str) -> Items:
        return lambda data, split, random: _some(picture.image for picture in read_pictures(data, pack, split))  # noqa: ARG005

    return {
        "caltech25": pictures("caltech25"),
        "flowers5": pictures("flowers5"),
        "pets3": pictures("pets3"),
        "camvid": pictures("camvid"),
        "noise": lambda data, split, random: [_speckle(random) for _ in range(MOST)],  # noqa: ARG005
        "one colour": lambda data, split, random: [  # noqa: ARG005
            Image.new("RGB", (96, 96), tuple(random.integers(0, 256, 3).tolist())) for _ in range(30)
        ],
    }


def _speckle(random: np.random.Generator) -> Image.Image:
    """Random squares of any size, grey or coloured."""
    side = int(random.choice([4, 12, 32, 96]))
    channels = int(random.choice([1, 3]))
    squares = random.integers(0, 256, (side, side, channels), dtype=np.uint8)
    return Image.fromarray(np.broadcast_to(squares, (side, side, 3)).copy()).resize((96, 96), Image.Resampling.NEAREST)
