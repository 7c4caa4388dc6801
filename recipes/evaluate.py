"""Score the bundled models on held-apart data: `python -m recipes.evaluate --data DATA`.

Every model is asked through its task, as the app asks it: raw input in, answer out. The test split is for reporting;
choices are made on valid (`--split valid`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from data2vec_core.checkpoints.bundled import bundled_models
from data2vec_core.checkpoints.card import Card, Metric
from data2vec_core.processing.audio_io import MODEL_RATE
from data2vec_core.tasks.audio_classification import AudioClassifier
from data2vec_core.tasks.image_classification import ImageClassifier
from data2vec_core.tasks.image_segmentation import ImageSegmenter
from data2vec_core.tasks.text_classification import TextClassifier
from data2vec_core.tasks.transcription import Transcriber
from recipes.metrics import IntersectionOverUnion, mean_class_accuracy, word_errors
from recipes.packs import Split, add_data_option, read_clips, read_pictures, read_records

ModelSource = str | Path
TOLERANCE = 0.005
"""How far a score may lie from the card's: kernels differ a little from machine to machine."""


def an4(model: ModelSource, data: Path, split: Split) -> list[Metric]:
    """Word and sentence error rate of greedy decoding."""
    transcribe = Transcriber.from_pretrained(model)
    errors = words = wrong_sentences = 0
    clips = read_clips(data, "an4", split)
    for clip in clips:
        heard = transcribe(clip.samples, sampling_rate=MODEL_RATE).text
        wrong, said = word_errors(heard, clip.record["text"])
        errors, words, wrong_sentences = errors + wrong, words + said, wrong_sentences + (wrong > 0)
    return [
        Metric("word error rate", errors / words, split),
        Metric("sentence error rate", wrong_sentences / len(clips), split),
    ]


def commands(model: ModelSource, data: Path, split: Split) -> list[Metric]:
    """Accuracy over the twelve classes."""
    classify = AudioClassifier.from_pretrained(model)
    clips = read_clips(data, "speech_commands", split)
    predicted = [classify(clip.samples, sampling_rate=MODEL_RATE).labels[0].label for clip in clips]
    return _accuracies(predicted, [clip.record["label"] for clip in clips], split)


def sst2(model: ModelSource, data: Path, split: Split) -> list[Metric]:
    """Accuracy."""
    classify = TextClassifier.from_pretrained(model)
    records = read_records(data, "sst2", split)
    predicted = [classify(record["text"]).labels[0].label for record in records]
    return _accuracies(predicted, [record["label"] for record in records], split)[:1]  # its classes are even


def objects(model: ModelSource, data: Path, split: Split) -> list[Metric]:
    """Accuracy over pictures, and over classes, which are uneven."""
    classify = ImageClassifier.from_pretrained(model)
    pictures = list(read_pictures(data, "caltech25", split))
    predicted = [classify(picture.image).labels[0].label for picture in pictures]
    return _accuracies(predicted, [picture.record["label"] for picture in pictures], split)


def pets3(model: ModelSource, data: Path, split: Split) -> list[Metric]:
    """Intersection over union at each picture's own size; the unclassified border (label 3) does not count."""
    segment = ImageSegmenter.from_pretrained(model)
    labels = segment.model.config.labels
    overlap = IntersectionOverUnion(len(labels))
    for picture in read_pictures(data, "pets3", split):
        assert picture.labels is not None
        overlap.add(segment(picture.image).mask, picture.labels, is_counted=picture.labels != len(labels))
    shares = zip(labels, overlap.by_class(), strict=True)
    return [
        Metric("mean IoU", overlap.mean(), split),
        *(Metric(f"IoU of {label}", float(share), split) for label, share in shares),
    ]


EVALUATIONS: dict[str, Callable[[ModelSource, Path, Split], list[Metric]]] = {
    "an4": an4,
    "commands": commands,
    "sst2": sst2,
    "objects": objects,
    "pets3": pets3,
}


def _accuracies(predicted: list[str], true: list[str], split: Split) -> list[Metric]:
    right = sum(p == t for p, t in zip(predicted, true, strict=True))
    return [
        Metric("accuracy", right / len(true), split),
        Metric("mean class accuracy", mean_class_accuracy(predicted, true), split),
    ]


def disagreements(card: Card, measured: list[Metric]) -> list[str]:
    """Sentences on scores that are not what the card states."""
    said = []
    for metric in measured:
        stated = card.metric(metric.name, metric.split)
        if stated is None or abs(stated - metric.value) > TOLERANCE:
            shown = "nothing" if stated is None else f"{stated:.4f}"
            said.append(f"{card.name}: measured {metric.name} {metric.value:.4f}, its card says {shown}")
    return said


def main(arguments: list[str] | None = None) -> None:
    """Command line; exits with 1 when a model is missing, or a test score is not what the model's card says."""
    parser = argparse.ArgumentParser(prog="python -m recipes.evaluate", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"bundled models, of {', '.join(EVALUATIONS)} (all)")
    add_data_option(parser)
    parser.add_argument("--split", choices=("valid", "test"), default="test")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - EVALUATIONS.keys():
        parser.error(f"no evaluation named {', '.join(sorted(unknown))}: there are {', '.join(EVALUATIONS)}")
    cards = {model.name: model.card for model in bundled_models()}
    faults: list[str] = []
    for name in options.names or EVALUATIONS:
        if name not in cards:
            faults.append(f"{name}: no such bundled model")
            continue
        measured = EVALUATIONS[name](name, options.data, options.split)
        for metric in measured:
            print(f"{name:10} {metric.split:6} {metric.name:22} {metric.value:.4f}", flush=True)
        if options.split == "test":
            faults += disagreements(cards[name], measured)
    for fault in faults:
        print(fault, file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
