"""Scores that several bundled models share, as the metrics of a card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analysis.segmentation_scores import PixelConfusion
from data2vec_core.checkpoints.card import Metric
from data2vec_core.tasks.image_segmentation import ImageSegmenter
from recipes.finetuning.segmentation import Scene
from recipes.metrics import mean_class_accuracy
from recipes.packs import Split


def accuracies(predicted: Sequence[str], true: Sequence[str], split: Split) -> list[Metric]:
    """Over items, and over classes, which may be uneven."""
    right = sum(p == t for p, t in zip(predicted, true, strict=True))
    return [
        Metric("accuracy", right / len(true), split),
        Metric("mean class accuracy", mean_class_accuracy(predicted, true), split),
    ]


def overlaps(model: str | Path, scenes: Sequence[Scene], split: Split) -> list[Metric]:
    """Intersection over union, its mean and by class, at each picture's own size; ignored pixels do not count."""
    segment = ImageSegmenter.from_pretrained(model)
    labels = segment.model.config.labels
    confusion = PixelConfusion(len(labels))
    for scene in scenes:
        confusion.add(segment(scene.content).mask, scene.target)
    shares = zip(labels, confusion.iou(), strict=True)
    return [
        Metric("mean IoU", confusion.mean_iou(), split),
        *(Metric(f"IoU of {label}", float(share), split) for label, share in shares),
    ]
