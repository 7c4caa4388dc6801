"""What the health of an encoder is asked by: labelled items of the packs, and their raw features.

Every question is put to `valid`, by whose answers everything is chosen, and to `test`, which is only reported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data2vec_core.checkpoints.card import Modality
from data2vec_core.processing.samples import MODEL_RATE
from recipes.health.report import Scored
from recipes.packs import Split, read_clips, read_pictures, read_records
from recipes.sight import as_tensor

PIXELS = 64
"""Side of the pictures whose pixels are the raw features."""
MEL_BANDS = 80

RAW = {"audio": "log-mel mean and standard deviation", "text": "tf-idf of words and word pairs", "vision": "pixels"}
"""What the raw features of a modality are."""


@dataclass(frozen=True)
class Fold:
    """Which items a classifier is fitted to, and which it is scored on."""

    fit: NDArray[np.intp]
    score: NDArray[np.intp]


@dataclass(frozen=True)
class Question:
    """A label that a representation may know about its items."""

    name: str
    """Such as `speaker`."""
    items: list[Any]
    """Clips as (samples,) arrays, texts, or RGB pictures."""
    labels: NDArray[np.str_]
    """(items,)"""
    folds: dict[Scored, tuple[Fold, ...]]
    """By the split that is scored; answers to all folds of a split are counted together."""

    def classes(self, split: Scored) -> int:
        """Number of classes among the scored items."""
        return len(set(self.labels[self.scored(split)].tolist()))

    def majority(self, split: Scored) -> float:
        """Accuracy of always giving the commonest class of the scored items."""
        counts = np.unique(self.labels[self.scored(split)], return_counts=True)[1]
        return float(counts.max() / counts.sum())

    def scored(self, split: Scored) -> NDArray[np.intp]:
        """Indices of the items that are scored."""
        return np.concatenate([fold.score for fold in self.folds[split]])


def questions(
    modality: Modality, data: Path, splits: Sequence[Scored] = ("valid", "test"), *, most: int | None = None
) -> list[Question]:
    """The questions of a modality.

    Args:
        data: folder of the packs.
        splits: to be scored.
        most: items of train to fit to, drawn at random (seed 0); all when None.
    """
    match modality:
        case "audio":
            commands = _trained("command", _clips(data, "speech_commands"), splits, most)
            return [_speakers(data, splits), commands]
        case "text":
            return [
                _trained("question type", _texts(data, "trec"), splits, most),
                _trained("sentiment", _texts(data, "sst2"), splits, most),
            ]
        case "vision":
            return [_trained("object", _pictures(data, "caltech25"), splits, most)]


Read = Callable[[Split], list[tuple[Any, str]]]
"""Items of a split with their labels."""


def _clips(data: Path, pack: str, label: str = "label") -> Read:
    return lambda split: [(clip.samples, clip.record[label]) for clip in read_clips(data, pack, split)]


def _texts(data: Path, pack: str) -> Read:
    return lambda split: [(record["text"], record["label"]) for record in read_records(data, pack, split)]


def _pictures(data: Path, pack: str) -> Read:
    return lambda split: [(picture.image, picture.record["label"]) for picture in read_pictures(data, pack, split)]


def _trained(name: str, read: Read, splits: Sequence[Scored], most: int | None) -> Question:
    """Fitted to train, scored on the other splits."""
    train = read("train")
    if most is not None and most < len(train):
        train = [train[i] for i in np.random.default_rng(0).permutation(len(train))[:most]]
    items = list(train)
    folds: dict[Scored, tuple[Fold, ...]] = {}
    for split in splits:
        start = len(items)
        items += read(split)
        folds[split] = (Fold(np.arange(len(train)), np.arange(start, len(items))),)
    return Question(name, [item for item, _ in items], np.array([label for _, label in items]), folds)


def _speakers(data: Path, splits: Sequence[Scored]) -> Question:
    """Who speaks, among people of whom pre-training heard nothing: of each, every other utterance is fitted to and the
    rest scored, then the other way round."""
    items: list[tuple[Any, str]] = []
    folds: dict[Scored, tuple[Fold, ...]] = {}
    for split in splits:
        start = len(items)
        for pack in ("an4", "speechocean"):
            items += [(samples, f"{pack} {speaker}") for samples, speaker in _clips(data, pack, "speaker")(split)]
        turn: dict[str, int] = {}
        halves: tuple[list[int], list[int]] = ([], [])
        for index, (_, speaker) in enumerate(items[start:], start):
            turn[speaker] = turn.get(speaker, 0) + 1
            halves[turn[speaker] % 2].append(index)
        first, second = (np.array(half, dtype=np.intp) for half in halves)
        folds[split] = (Fold(first, second), Fold(second, first))
    return Question("speaker", [item for item, _ in items], np.array([speaker for _, speaker in items]), folds)


def raw_features(modality: Modality, question: Question) -> Any:
    """What a classifier without a network would start from: (items, dim), for text a sparse matrix.

    Speech: mean and standard deviation over time of each log-mel band, as the networks are pooled. Text: tf-idf of the
    words and word pairs of the items that are fitted to. Pictures: pixels at 64 x 64.
    """
    match modality:
        case "audio":
            return np.stack([_mel_statistics(clip) for clip in question.items])
        case "text":
            return _tf_idf(question)
        case "vision":
            return as_tensor(question.items, PIXELS).flatten(1).numpy().astype(np.float32)


def _mel_statistics(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    import librosa

    power = librosa.feature.melspectrogram(y=samples, sr=MODEL_RATE, n_fft=400, hop_length=160, n_mels=MEL_BANDS)
    log = np.log(power + 1e-6)  # (bands, frames)
    return np.concatenate([log.mean(axis=1), log.std(axis=1)])


def _tf_idf(question: Question) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    fit = {int(i) for folds in question.folds.values() for fold in folds for i in fold.fit}
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\S+")
    vectorizer.fit([question.items[i] for i in sorted(fit)])
    return vectorizer.transform(question.items).astype(np.float32)
