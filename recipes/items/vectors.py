"""Vectors of the packs' test items, layer by layer, from every bundled model that they concern.

Of the packs nothing but labels goes along: no sound, no text, no picture.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analysis.items.manifest import Origin
from analysis.items.vectors import VALUES, VECTORS_FOLDER, Role, Rounded, Run
from data2vec_core.checkpoints.bundled import bundled_models
from data2vec_core.checkpoints.card import Modality
from data2vec_core.checkpoints.files import replacing
from data2vec_core.checkpoints.loading import CheckpointWarning
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.pretraining.start import load_encoder
from data2vec_core.processing.any import modality_of
from recipes.embed import weights_digest
from recipes.health.pooling import embed
from recipes.items.writing import clear, write_manifest
from recipes.packs import read_clips, read_pictures, read_records

MOST: Final = 56
"""Items of a pack."""
LARGEST: Final = 1_500_000
"""Bytes of all files together."""
_ENCODERS: Final[Mapping[Modality, str]] = {"audio": "audio", "text": "text", "vision": "vision"}
_ROLES: Final[tuple[Role, ...]] = ("student", "teacher")


@dataclass(frozen=True)
class Shown:
    """What of each item a kind of model is shown."""

    name: str
    modality: Modality
    items: Sequence[Any]
    """Clips as (samples,) arrays, texts, or pictures."""


@dataclass(frozen=True)
class Labelled:
    """The items of a pack and what is known of them."""

    shown: tuple[Shown, ...]
    labels: Mapping[str, Sequence[str]]
    """By what they tell, of each item; the first is the one that items are drawn by."""


@dataclass(frozen=True, kw_only=True)
class Pack:
    """Items with labels, and which models represent them."""

    name: str
    read: Callable[[Path], Labelled]
    """From the folder of the packs."""
    taught: tuple[str, ...]
    """Bundled models with a head that were taught from its train split, or are asked about its test split."""
    source: str
    licence: str


def _sounds(pack: str, *labels: str) -> Callable[[Path], Labelled]:
    def read(data: Path) -> Labelled:
        clips = read_clips(data, pack, "test")
        sounds = Shown("sound", "audio", [clip.samples for clip in clips])
        return Labelled((sounds,), _labels([clip.record for clip in clips], labels))

    return read


def _utterances(data: Path) -> Labelled:
    """What was said, heard and read: the one pack in which a sound and a text truly belong together."""
    clips = read_clips(data, "an4", "test")
    sounds = Shown("sound", "audio", [clip.samples for clip in clips])
    transcripts = Shown("transcript", "text", [clip.record["text"].lower() for clip in clips])
    return Labelled((sounds, transcripts), _labels([clip.record for clip in clips], ("speaker", "gender")))


def _texts(pack: str, *labels: str) -> Callable[[Path], Labelled]:
    def read(data: Path) -> Labelled:
        records = read_records(data, pack, "test")
        texts = [record["text"] if "text" in record else " ".join(record["tokens"]) for record in records]
        return Labelled((Shown("text", "text", texts),), _labels(records, labels))

    return read


def _pictures(pack: str, *labels: str) -> Callable[[Path], Labelled]:
    def read(data: Path) -> Labelled:
        pictures = list(read_pictures(data, pack, "test"))
        shown = Shown("picture", "vision", [picture.image for picture in pictures])
        return Labelled((shown,), _labels([picture.record for picture in pictures], labels))

    return read


def _labels(records: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, list[str]]:
    return {name: ["" if record[name] is None else str(record[name]) for record in records] for name in names}


PACKS: Final = (
    Pack(
        name="an4",
        read=_utterances,
        taught=("an4", "speakers"),
        source="CMU AN4, official test set",
        licence="BSD-style, Carnegie Mellon University (notice in assets/README.md)",
    ),
    Pack(
        name="speech_commands",
        read=_sounds("speech_commands", "label", "speaker"),
        taught=("commands",),
        source="Speech Commands v0.02, canonical test files split anew by speaker, test split",
        licence="CC-BY-4.0",
    ),
    Pack(
        name="esc10",
        read=_sounds("esc10", "label"),
        taught=("esc10",),
        source="ESC-10, half of fold 5",
        licence="CC-BY-3.0",
    ),
    Pack(
        name="speechocean",
        read=_sounds("speechocean", "speaker", "gender", "age"),
        taught=("speakers",),
        source="speechocean762, test split",
        licence="CC-BY-4.0",
    ),
    Pack(
        name="sst2",
        read=_texts("sst2", "label"),
        taught=("sst2",),
        source="Stanford Sentiment Treebank (SST-2), test split",
        licence="CC-BY-4.0 (sentences of Pang and Lee's sentence polarity data set)",
    ),
    Pack(
        name="trec",
        read=_texts("trec", "label", "fine"),
        taught=("trec",),
        source="TREC question classification, official test questions",
        licence="not stated",
    ),
    Pack(
        name="snips_nlu",
        read=_texts("snips_nlu", "intent"),
        taught=("snips-intent", "snips-slots"),
        source="Snips 2017-06 custom-intent benchmark, its validation queries",
        licence="CC0-1.0",
    ),
    Pack(
        name="caltech25",
        read=_pictures("caltech25", "label"),
        taught=("objects",),
        source="Caltech-101, 25 classes, test split",
        licence="CC-BY-4.0",
    ),
    Pack(
        name="flowers5",
        read=_pictures("flowers5", "label"),
        taught=("objects",),
        source="flower_photos, test split",
        licence="CC-BY-2.0",
    ),
    Pack(
        name="pets3",
        read=_pictures("pets3", "breed", "species"),
        taught=("pets3",),
        source="Oxford-IIIT Pet, three breeds, test split",
        licence="CC-BY-SA-4.0",
    ),
)


def make_vectors(data: Path, folder: Path = VECTORS_FOLDER, most: int = MOST) -> Iterator[str]:
    """Write the vectors into `folder`; yields a sentence for each pack and each model that is not bundled.

    Args:
        data: folder of the packs.
        most: items of a pack.

    Raises:
        ValueError: a pack or an encoder is missing, or the files are larger than `LARGEST` together.
    """
    bundled = {model.name for model in bundled_models()}
    if missing := set(_ENCODERS.values()) - bundled:
        raise ValueError(f"no bundled encoder named {', '.join(sorted(missing))}")
    models = _Models()
    packed: dict[str, bytes] = {}
    origins, records = [], []
    for pack in PACKS:
        found = draw(pack.read(data), most)
        runs, arrays = [], {}
        for model, role, shown in _runs(pack, found, bundled):
            run, rounded = models.represent(model, role, shown)
            runs.append(run)
            arrays.update({f"{run.key}/{part}": array for part, array in vars(rounded).items()})
        file = f"{pack.name}.npz"
        packed[file] = _pack(arrays)
        records.append({"pack": pack.name, "file": file, "labels": found.labels, "runs": [asdict(run) for run in runs]})
        changes = f"means over positions of each item after each layer of bundled models, rounded to {VALUES} values"
        origins.append(Origin(file, f"computed from {pack.source}; none of its items is here", pack.licence, changes))
        items = len(next(iter(found.labels.values())))
        yield f"{pack.name}: {items} items, {', '.join(run.key for run in runs)}; {len(packed[file]) / 1e3:.0f} kB"
        for name in sorted(set(pack.taught) - bundled):
            yield f"{pack.name}: no bundled model named {name}"
    if (size := sum(map(len, packed.values()))) > LARGEST:
        raise ValueError(f"vectors: {size:,} bytes, more than {LARGEST:,}: take fewer than {most} items of a pack")
    clear(folder, packed)
    for file, content in packed.items():
        with replacing(folder / file) as temporary:
            temporary.write_bytes(content)
    write_manifest(folder, origins, {"packs": records})
    yield f"{size / 1e6:.2f} MB in all"


def _pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The content of a compressed file of arrays; it has no dates, so the same arrays give the same bytes."""
    content = BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    return content.getvalue()


def draw(labelled: Labelled, most: int) -> Labelled:
    """At most so many items, in their order: of every class as many as there are and room is for."""
    classes = next(iter(labelled.labels.values()))
    turn: dict[str, int] = {}
    ranked = []
    for index in np.random.default_rng(0).permutation(len(classes)).tolist():
        turn[classes[index]] = turn.get(classes[index], 0) + 1
        ranked.append((turn[classes[index]], index))
    chosen = sorted(index for _, index in sorted(ranked)[:most])
    return Labelled(
        tuple(Shown(shown.name, shown.modality, [shown.items[i] for i in chosen]) for shown in labelled.shown),
        {name: [values[i] for i in chosen] for name, values in labelled.labels.items()},
    )


def _runs(pack: Pack, found: Labelled, bundled: set[str]) -> Iterator[tuple[str, Role, Shown]]:
    for shown in found.shown:
        for role in _ROLES:
            yield _ENCODERS[shown.modality], role, shown
        for name in pack.taught:
            if name in bundled and modality_of(name) == shown.modality:
                yield name, "student", shown


class _Models:
    """Encoders that have been loaded, with the digests of their weights."""

    def __init__(self) -> None:
        self._loaded: dict[tuple[str, Role], tuple[PretrainedModel, str]] = {}

    def represent(self, name: str, role: Role, shown: Shown) -> tuple[Run, Rounded]:
        """What a model makes of items, and what is to be said of that."""
        if (name, role) not in self._loaded:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", CheckpointWarning)  # heads are left out on purpose
                model = load_encoder(name, role)
            self._loaded[name, role] = model, weights_digest(model)
        model, digest = self._loaded[name, role]
        means = embed(model, name, shown.items).means  # (layers, items, dim)
        rounded = Rounded.of(means)
        error = relative_error(means, rounded.restore())
        layers, _, dim = means.shape
        return Run(name, role, shown.modality, shown.name, layers, dim, digest, round(error, 4)), rounded


def relative_error(vectors: NDArray[np.float32], restored: NDArray[np.float32]) -> float:
    """Root mean square difference of (layers, items, dim) vectors, in standard deviations over the items."""
    spread = vectors.std(axis=1, keepdims=True, dtype=np.float64)
    difference = (restored - vectors) / np.where(spread > 0, spread, 1)
    return float(np.sqrt(np.square(difference).mean()))
