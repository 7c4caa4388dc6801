"""Losses that several heads share."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from data2vec_core.config_base import Data2VecConfig, ProblemType
from data2vec_core.labels import IGNORED_LABEL


def problem_type(config: Data2VecConfig, *, is_integer: bool) -> ProblemType:
    """The configured problem type, or the one that the labels suggest: one class is a regression, integer labels mean
    one class an item, any others several."""
    if config.problem_type is not None:
        return config.problem_type
    if config.class_count == 1:
        return "regression"
    return "single_label_classification" if is_integer else "multi_label_classification"


def require_class_ids(
    labels: Tensor, classes: int, *, bound: str = "num_labels", ignored: int | None = IGNORED_LABEL
) -> None:
    """Refuse labels that name no class, before a kernel does so less clearly.

    Args:
        labels: class ids, of any shape.
        classes: how many there are.
        bound: the configuration field that says so.
        ignored: the label of what the loss leaves out; None: there is no such label.

    Raises:
        ValueError: a label is neither 0 to classes - 1 nor the ignored one.
    """
    counted = labels if ignored is None else labels[labels != ignored]
    if counted.numel() and not 0 <= int(counted.min()) <= int(counted.max()) < classes:
        left_out = "" if ignored is None else f", or {ignored} to leave one out"
        raise ValueError(
            f"labels: expected ids from 0 to {classes - 1} ({bound}={classes}){left_out}, "
            f"got {int(counted.min())} to {int(counted.max())}"
        )


def classification_loss(logits: Tensor, labels: Tensor, config: Data2VecConfig) -> Tensor:
    """Loss of a classifier of whole items, by `problem_type`.

    Args:
        logits: (batch, classes).
        labels: (batch,) class ids; or (batch,) or (batch, classes) numbers for a regression; or (batch, classes)
            of 0 and 1 for several labels an item.

    Returns:
        one number, the mean over the items: squared error, cross-entropy, or binary cross-entropy.

    Raises:
        ValueError: a class id that names no class.
    """
    match problem_type(config, is_integer=labels.dtype in (torch.int64, torch.int32)):
        case "regression":
            if config.class_count == 1:
                return F.mse_loss(logits.squeeze(), labels.squeeze())
            return F.mse_loss(logits, labels)
        case "single_label_classification":
            return position_loss(logits, labels)
        case "multi_label_classification":
            return F.binary_cross_entropy_with_logits(logits, labels)


def position_loss(logits: Tensor, labels: Tensor, *, bound: str = "num_labels") -> Tensor:
    """Cross-entropy over every position of (..., classes) whose label is not `IGNORED_LABEL`; one number, their mean.

    Args:
        logits: (batch, positions, classes), or (batch, classes).
        labels: (batch, positions), or (batch,), class ids.
        bound: the configuration field that says how many classes there are.

    Raises:
        ValueError: a class id that names no class.
    """
    require_class_ids(labels, logits.shape[-1], bound=bound)
    return F.cross_entropy(logits.flatten(0, -2), labels.flatten().long(), ignore_index=IGNORED_LABEL)
