"""Losses that several heads share."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from data2vec_core.config import Data2VecConfig, ProblemType

IGNORE_LABEL = -100
"""Label of positions that the loss leaves out, as everywhere in PyTorch."""


def problem_type(config: Data2VecConfig, labels: Tensor) -> ProblemType:
    """The configured problem type, or the one that the labels suggest: one class is a regression, integer labels mean
    one class an item, any others several."""
    if config.problem_type is not None:
        return config.problem_type
    if config.num_labels == 1:
        return "regression"
    is_integer = labels.dtype in (torch.int64, torch.int32)
    return "single_label_classification" if is_integer else "multi_label_classification"


def classification_loss(logits: Tensor, labels: Tensor, config: Data2VecConfig) -> Tensor:
    """Loss of a classifier of whole items, by `problem_type`.

    Args:
        logits: (batch, classes).
        labels: (batch,) class ids; or (batch,) or (batch, classes) numbers for a regression; or (batch, classes)
            of 0 and 1 for several labels an item.
    """
    match problem_type(config, labels):
        case "regression":
            if config.num_labels == 1:
                return F.mse_loss(logits.squeeze(), labels.squeeze())
            return F.mse_loss(logits, labels)
        case "single_label_classification":
            return F.cross_entropy(logits, labels.reshape(-1).long(), ignore_index=IGNORE_LABEL)
        case "multi_label_classification":
            return F.binary_cross_entropy_with_logits(logits, labels)


def position_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy over every position of (batch, positions, classes) whose label is not `IGNORE_LABEL`."""
    return F.cross_entropy(logits.flatten(0, -2), labels.flatten().long(), ignore_index=IGNORE_LABEL)
