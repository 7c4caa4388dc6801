"""The losses of the two heads in TensorFlow; see `data2vec_core.losses`."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import torch

from data2vec_core.config import Data2VecVisionConfig
from data2vec_core.labels import IGNORED_LABEL
from data2vec_core.losses import problem_type, require_class_ids


def classification_loss(logits: Any, labels: Any, config: Data2VecVisionConfig) -> Any:
    """Loss of a classifier of whole images, by `problem_type`: what the PyTorch function of this name says of the same
    numbers.

    Args:
        logits: (batch, classes).
        labels: (batch,) class ids; or (batch,) or (batch, classes) numbers for a regression; or (batch, classes)
            of 0 and 1 for several labels an image.

    Returns:
        one number, the mean over the items.

    Raises:
        ValueError: labels of a wrong shape, or a class id that names no class. (In a graph, where nobody can look, the
            latter ends in the error of a kernel or in a loss that is no number.)
    """
    labels = tf.convert_to_tensor(labels)
    logits = tf.cast(logits, tf.float32)
    match problem_type(config, is_integer=labels.dtype.is_integer):
        case "single_label_classification":
            return _mean_cross_entropy(logits, tf.reshape(labels, (-1,)), IGNORED_LABEL, config.class_count)
        case "regression" if config.class_count == 1:
            logits, labels = tf.reshape(logits, (-1,)), tf.reshape(labels, (-1,))
            _require_shape(labels, logits)
            return tf.reduce_mean(tf.square(logits - tf.cast(labels, tf.float32)))
        case "regression":
            _require_shape(labels, logits)
            return tf.reduce_mean(tf.square(logits - tf.cast(labels, tf.float32)))
        case "multi_label_classification":
            _require_shape(labels, logits)
            return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(labels, tf.float32), logits))


def pixel_loss(logits: Any, labels: Any, config: Data2VecVisionConfig) -> Any:
    """Mean cross-entropy over the pixels that are not `semantic_loss_ignore_index`.

    Args:
        logits: (batch, height, width, classes), at the size of the labels.
        labels: (batch, height, width) class ids.

    Returns:
        one number.

    Raises:
        ValueError: as `classification_loss` does.
    """
    flat = tf.reshape(tf.cast(logits, tf.float32), (-1, config.class_count))
    return _mean_cross_entropy(flat, tf.reshape(labels, (-1,)), config.semantic_loss_ignore_index, config.class_count)


def _mean_cross_entropy(logits: Any, labels: Any, ignored: int, classes: int) -> Any:
    """(items, classes) and (items,) -> one number; not a number where all are ignored, as in PyTorch."""
    labels = tf.cast(labels, tf.int64)
    if not logits.shape[:1].is_compatible_with(labels.shape):
        raise ValueError(f"labels: expected {logits.shape[0]} class ids, got {labels.shape[0]}")
    if tf.executing_eagerly():
        require_class_ids(torch.from_numpy(labels.numpy()), classes, ignored=ignored)
    counts = labels != ignored
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.where(counts, labels, 0), logits)
    counts = tf.cast(counts, losses.dtype)
    return tf.reduce_sum(losses * counts) / tf.reduce_sum(counts)


def _require_shape(labels: Any, logits: Any) -> None:
    if not logits.shape.is_compatible_with(labels.shape):
        raise ValueError(f"labels: expected the shape {tuple(logits.shape)}, got {tuple(labels.shape)}")
