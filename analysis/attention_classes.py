"""What of an input mattered for its class, by gradient-weighted attention, for every modality (analysis-methods.md,
section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from analysis.attribution import gradient_weighted_attention
from analysis.subject import Shown
from data2vec_core.tasks.classifying import Classifier, class_probabilities


@dataclass(frozen=True, kw_only=True)
class ClassRelevance:
    """Of one class of one input."""

    values: NDArray[np.float32]
    """(places,) of the encoder's sequence, not negative, in no unit: to be compared within an input."""
    class_id: int
    label: str
    probability: float
    """Of the class, 0 to 1."""


def class_relevance(task: Classifier[Any], shown: Shown, class_id: int | None = None) -> ClassRelevance:
    """How much each place mattered for a class.

    Args:
        task: a classifier of a sound, a text or a picture.
        shown: the input, as the model under the classifier reads it.
        class_id: the most probable class when None.

    Raises:
        ValueError: no such class.
    """
    model: Any = task.model
    config = model.config
    if class_id is not None and not 0 <= class_id < config.class_count:
        raise ValueError(f"class_id={class_id}: the classes are numbered 0 to {config.class_count - 1}")
    batch = {name: tensor.to(model.device) for name, tensor in shown.batch.items()}
    found = gradient_weighted_attention(
        lambda trace: model(**batch, trace=trace).logits,
        torch.from_numpy(readout(shown, mean_of_patches=getattr(config, "use_mean_pooling", True)))[None].to(
            model.device
        ),
        None if class_id is None else torch.tensor([class_id], device=model.device),
    )
    chosen = int(found.classes[0])
    return ClassRelevance(
        values=found.relevance[0].float().cpu().numpy(),
        class_id=chosen,
        label=str(config.labels[chosen]),
        probability=float(class_probabilities(found.logits, config)[0, chosen]),
    )


def readout(shown: Shown, *, mean_of_patches: bool = True) -> NDArray[np.float32]:
    """(places,) how much of each place a classifier's head reads; sums to 1: all frames of a sound alike, the first
    token of a text, all patches of a picture alike or its class token."""
    weights = np.zeros(shown.class_tokens + len(shown), np.float32)
    if shown.modality == "audio" or (shown.modality == "vision" and mean_of_patches):
        weights[shown.class_tokens :] = 1 / len(shown)
    else:
        weights[0] = 1
    return weights
