"""Choose how a classifier's scores are to be read: a temperature, and a limit to what it knows.

Temperature and limit are chosen on valid items: the model's own, and ones that are clearly foreign to it. What they do
is measured on test.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from data2vec_core.checkpoints.card import Metric
from data2vec_core.tasks.audio_classification import AudioClassifier
from data2vec_core.tasks.confidence import Confidence, Familiarity, state_statistics
from data2vec_core.tasks.image_classification import ImageClassifier
from data2vec_core.tasks.registry import task_of
from data2vec_core.tasks.text_classification import TextClassifier
from data2vec_core.trace import Trace

CALIBRATION, UNSCALED = "expected calibration error", "expected calibration error without temperature"
FOREIGN = " taken as foreign"
OWN = f"own items{FOREIGN}"
"""Names of the metrics, or how they end."""

Classifier = AudioClassifier | TextClassifier | ImageClassifier
PENALTIES = (1.0, 10.0, 100.0)
"""On the boundary's squared weights, to choose from."""
REFUSED = 0.05
"""Share of the model's own valid items that may be taken as foreign."""


def is_confidence(metric: Metric) -> bool:
    """Whether a metric is of a model's confidence, not of its task."""
    return metric.name in (CALIBRATION, UNSCALED) or metric.name.endswith(FOREIGN)


def load_classifier(source: str | Path) -> Classifier:
    """The task of a classifier, by its name or folder.

    Raises:
        CheckpointError: no such checkpoint.
        ValueError: it is no classifier of whole items.
    """
    task = task_of(source).from_pretrained(source)
    if not isinstance(task, (AudioClassifier, TextClassifier, ImageClassifier)):
        raise ValueError(f"{source}: expected a classifier, it is for {task.name}")
    return task


@dataclass(frozen=True)
class Seen:
    """What a model makes of some items."""

    logits: Tensor
    """(items, classes)"""
    statistics: Tensor
    """(layers, items, 2 * dim): of the states of every layer and the input of the first; see `state_statistics`."""


@torch.inference_mode()
def look(task: Classifier, items: Sequence[Any]) -> Seen:
    """Every item by itself, as the task prepares it; of a long text, its first window."""
    logits, statistics = [], []
    for item in items:
        trace, mask = Trace(["hidden"]), None
        match task:
            case AudioClassifier():
                scores = task.model(task.extractor(item)["input_values"], trace=trace).logits
            case TextClassifier():
                inputs = task.tokenizer([item], max_length=task.window)
                mask = inputs["attention_mask"]
                scores = task.model(**inputs, trace=trace).logits
            case _:
                scores = task.model(task.processor([item])["pixel_values"], trace=trace).logits
        logits.append(scores[0])
        statistics.append(torch.stack([state_statistics(hidden, mask)[0] for hidden in trace.all("hidden")]))
    return Seen(torch.stack(logits), torch.stack(statistics, dim=1))


def best_temperature(logits: Tensor, ids: Tensor) -> float:
    """The temperature at which the true classes are likeliest: (items, classes) and (items,) -> a number above 0.

    Found by halving on the derivative by log temperature, for the loss has one minimum.
    """
    low, high = math.log(0.05), math.log(20.0)
    logits = logits.double()
    for _ in range(40):
        middle = torch.tensor((low + high) / 2, dtype=torch.float64, requires_grad=True)
        [slope] = torch.autograd.grad(F.cross_entropy(logits / middle.exp(), ids), middle)
        low, high = (low, middle.item()) if slope > 0 else (middle.item(), high)
    return math.exp((low + high) / 2)


def expected_calibration_error(probabilities: NDArray[Any], ids: NDArray[Any], *, bins: int = 15) -> float:
    """How far confidence lies from accuracy (Guo et al., arXiv 1706.04599): mean over equally wide bins of the largest
    probability, each counting by its items.

    Args:
        probabilities: (items, classes).
        ids: (items,) true classes.
    """
    confidences, is_right = probabilities.max(axis=1), probabilities.argmax(axis=1) == ids
    places = np.minimum((confidences * bins).astype(int), bins - 1)
    gaps = [abs(is_right[places == bin_].sum() - confidences[places == bin_].sum()) for bin_ in range(bins)]
    return float(sum(gaps) / len(ids))


def area_under_curve(own: NDArray[Any], foreign: NDArray[Any]) -> float:
    """Chance that a foreign item lies farther away than one of the model's own; equal ones count half."""
    both = np.concatenate([own, foreign])
    _, places, counts = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]  # from 1, ties at their middle
    return float((ranks[len(own) :].sum() / len(foreign) - (len(foreign) + 1) / 2) / len(own))


def choose_confidence(
    task: Classifier,
    train: Sequence[Any],
    valid: Sequence[Any],
    valid_ids: Sequence[int],
    foreign_train: Mapping[str, Sequence[Any]],
    foreign_valid: Mapping[str, Sequence[Any]],
) -> Confidence:
    """Temperature, and the layer and boundary beyond which items are foreign.

    Args:
        train: the model's own items, to draw the boundary around.
        valid: own items to choose by.
        valid_ids: their classes.
        foreign_train: kind -> items to draw the boundary against. Every kind counts the same.
        foreign_valid: kind -> items to choose the layer by.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    known, own = look(task, train), look(task, valid)
    strangers = {kind: look(task, items).statistics for kind, items in foreign_train.items()}
    others = {kind: look(task, items).statistics for kind, items in foreign_valid.items()}
    is_foreign = np.repeat([0, *[1] * len(strangers)], [len(train), *(part.shape[1] for part in strangers.values())])
    weights = np.concatenate(
        [np.full(len(train), 1 / len(train))]
        + [np.full(part.shape[1], 1 / part.shape[1] / len(strangers)) for part in strangers.values()]
    )
    best: tuple[float, Familiarity] | None = None
    for layer in range(len(known.statistics)):
        rows = torch.cat([known.statistics[layer], *(part[layer] for part in strangers.values())]).numpy()
        scaler = StandardScaler().fit(rows[: len(train)])
        for penalty in PENALTIES:
            fit = LogisticRegression(C=1 / penalty, max_iter=300)
            fit.fit(scaler.transform(rows), is_foreign, sample_weight=weights * len(rows) / 2)
            slope = fit.coef_[0] / scaler.scale_
            straight = Familiarity(layer=layer, weights=torch.tensor(slope, dtype=torch.float32), bias=0.0)
            near = straight.strangeness(own.statistics[layer]).numpy()
            areas = [area_under_curve(near, straight.strangeness(far[layer]).numpy()) for far in others.values()]
            score = float(np.mean(areas))
            if best is None or score > best[0]:
                best = score, dataclasses.replace(straight, bias=-float(np.quantile(near, 1 - REFUSED)))
    assert best is not None
    return Confidence(temperature=best_temperature(own.logits, torch.tensor(valid_ids)), familiarity=best[1])


def measure_confidence(
    task: Classifier, items: Sequence[Any], ids: Sequence[int], foreign: Mapping[str, Sequence[Any]]
) -> list[Metric]:
    """What temperature and boundary do on test: the calibration error with and without the one, and the shares of own
    and foreign items that lie beyond the other."""
    confidence = task.confidence
    own = look(task, items)

    def error(temperature: float) -> float:
        probabilities = (own.logits / temperature).softmax(dim=-1)
        return expected_calibration_error(probabilities.numpy(), np.asarray(ids))

    metrics = [
        Metric(CALIBRATION, error(confidence.temperature), "test"),
        Metric(UNSCALED, error(1.0), "test"),
    ]
    if (familiarity := confidence.familiarity) is None:
        return metrics

    def beyond(seen: Seen) -> float:
        return (familiarity.strangeness(seen.statistics[familiarity.layer]) > 0).float().mean().item()

    metrics.append(Metric(OWN, beyond(own), "test"))
    return metrics + [
        Metric(f"{kind}{FOREIGN}", beyond(look(task, strangers)), "test") for kind, strangers in foreign.items()
    ]
