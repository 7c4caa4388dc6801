"""Measure a checkpoint: neighbours and probes by layer on every question, and the shape of the layers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.geometry import direction_spread, effective_rank, spread
from analysis.probing import Scaling, fit_path, knn_classify
from data2vec_core.checkpoints.files import Role
from data2vec_core.pretraining.start import load_encoder
from data2vec_core.processing.any import modality_of
from recipes.health.pooling import Pooled, embed
from recipes.health.report import SOURCES, Answers, Health, LayerScore, LayerShape, Scored, Source
from recipes.health.tasks import RAW, Question, questions, raw_features

NEIGHBOURS = (1, 5, 10, 20, 50)
PENALTIES = (1e-1, 1e-2, 1e-3)
"""Of probes on scaled features."""
SPARSE_PENALTIES = (1e-4, 1e-5, 1e-6)
"""Of probes on tf-idf."""
GEOMETRY_ITEMS = 500
"""At most so many items of the first scored split, for ranks compare at equal numbers only."""

QUICK_ITEMS = 600
"""Of train, for a look during training."""
QUICK_LAYERS = (0, -3, -2, -1)
BY_STEP_FILE = "knn.jsonl"
"""In the folder of a run: neighbours' accuracy by step, one line each."""


def measure(
    checkpoint: str | Path,
    data: Path,
    *,
    splits: Sequence[Scored] = ("valid", "test"),
    sources: Sequence[Source] = SOURCES,
    most: int | None = None,
    probes: bool = True,
    layers: Sequence[int] | None = None,
) -> Health:
    """Measure a checkpoint folder of student and teacher.

    Args:
        data: folder of the packs.
        splits: to score; `valid` has to be among them, for the choices are made there.
        sources: to measure.
        most: items of train to fit to; all when None.
        probes: whether to fit linear probes, too.
        layers: to look at, negative ones from the end; all when None.

    Raises:
        CheckpointError: the checkpoint cannot be loaded.
        ValueError: `valid` is not among the splits.
    """
    if "valid" not in splits:
        raise ValueError(f"splits={tuple(splits)}: valid has to be among them, for the choices are made there")
    modality = modality_of(checkpoint)
    asked = questions(modality, data, splits, most=most)
    scores: dict[str, dict[Source, tuple[LayerScore, ...]]] = {question.name: {} for question in asked}
    shapes: dict[Source, tuple[LayerShape, ...]] = {}
    dim = 0
    for source in sources:
        if source == "raw":
            for question in asked:
                features = raw_features(modality, question)
                scores[question.name]["raw"] = (_score(features, question, None, probes),)
            continue
        role: Role | None = None if source == "untrained" else source
        model = load_encoder(checkpoint, role)
        dim = model.config.hidden_size
        for question in asked:
            pooled = embed(model, checkpoint, question.items)
            chosen = range(len(pooled.means)) if layers is None else sorted({i % len(pooled.means) for i in layers})
            vectors = pooled.vectors
            scores[question.name][source] = tuple(_score(vectors[i], question, i, probes) for i in chosen)
            if question is asked[-1]:
                of_items = question.scored("valid")[:GEOMETRY_ITEMS]
                shapes[source] = tuple(_shape(pooled, i, of_items) for i in chosen)
    return Health(
        modality=modality,
        raw=RAW[modality],
        answers=tuple(_answers(question, scores[question.name], splits) for question in asked),
        shape_items=min(len(asked[-1].scored("valid")), GEOMETRY_ITEMS),
        dim=dim,
        shapes=shapes,
    )


def measure_quickly(
    checkpoint: str | Path, data: Path, *, sources: Sequence[Source] = ("student", "teacher")
) -> Health:
    """The same for a look during training: few items of train, few layers, valid and neighbours only."""
    return measure(
        checkpoint, data, splits=("valid",), sources=sources, most=QUICK_ITEMS, probes=False, layers=QUICK_LAYERS
    )


def _answers(question: Question, scores: dict[Source, tuple[LayerScore, ...]], splits: Sequence[Scored]) -> Answers:
    return Answers(
        question=question.name,
        fit_items={split: len(question.folds[split][0].fit) for split in splits},
        items={split: len(question.scored(split)) for split in splits},
        classes={split: question.classes(split) for split in splits},
        majority={split: question.majority(split) for split in splits},
        scores=scores,
    )


def _score(features: Any, question: Question, layer: int | None, probes: bool) -> LayerScore:
    """Choose on valid, then score every split with what was chosen."""
    is_dense = isinstance(features, np.ndarray)

    def neighbours(split: Scored, ks: Sequence[int]) -> NDArray[np.float64]:
        right = np.zeros(len(ks))
        for fit, fit_labels, score, score_labels in _parts(features, question, split):
            if is_dense:
                scaling = Scaling.of(fit)
                fit, score = scaling(fit), scaling(score)
            right += (knn_classify(fit, fit_labels, score, k=ks) == score_labels).sum(axis=1)
        return right / len(question.scored(split))

    def probe(split: Scored, penalties: Sequence[float]) -> NDArray[np.float64]:
        right = np.zeros(len(penalties))
        for fit, fit_labels, score, score_labels in _parts(features, question, split):
            path = fit_path(fit, fit_labels, penalties, standardise=is_dense)
            right += [np.sum(p.classify(score) == score_labels) for p in path]
        return right / len(question.scored(split))

    k, knn = _chosen(neighbours, NEIGHBOURS, question)
    if not probes:
        return LayerScore(layer=layer, neighbours=k, knn=knn)
    penalty, probed = _chosen(probe, PENALTIES if is_dense else SPARSE_PENALTIES, question)
    return LayerScore(layer=layer, neighbours=k, knn=knn, penalty=penalty, probe=probed)


def _chosen(
    rate: Callable[[Scored, Sequence[Any]], NDArray[np.float64]], candidates: Sequence[Any], question: Question
) -> tuple[Any, dict[Scored, float]]:
    """The candidate that is right most often on valid, and its accuracy on every split."""
    on_valid = rate("valid", candidates)
    best = candidates[int(on_valid.argmax())]
    return best, {
        split: float(on_valid.max() if split == "valid" else rate(split, [best])[0]) for split in question.folds
    }


def _parts(features: Any, question: Question, split: Scored) -> Iterator[tuple[Any, Any, Any, Any]]:
    """Features and labels of the fit and the score part of every fold."""
    for fold in question.folds[split]:
        yield features[fold.fit], question.labels[fold.fit], features[fold.score], question.labels[fold.score]


def _shape(pooled: Pooled, layer: int, items: NDArray[np.intp]) -> LayerShape:
    means = pooled.means[layer][items]
    return LayerShape(
        layer=layer,
        spread=spread(means),
        spread_within=float(pooled.deviations[layer][items].mean()),
        direction_spread=direction_spread(means),
        effective_rank=effective_rank(means),
    )


def note_step(run: Path, health: Health, step: int) -> None:
    """Add a line to `knn.jsonl` of a run: of every question, the accuracy of each source's best layer on valid."""
    knn = {
        answers.question: {source: answers.best(source, "knn").knn["valid"] for source in answers.scores}
        for answers in health.answers
    }
    with (run / BY_STEP_FILE).open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({"step": step, "knn": knn}) + "\n")
