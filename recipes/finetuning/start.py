"""Where the weights of a fine-tuning begin."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from data2vec_core.checkpoints.loading import CheckpointWarning
from data2vec_core.checkpoints.source import open_checkpoint
from data2vec_core.pretrained import PretrainedModel

Model = TypeVar("Model", bound=PretrainedModel)


@dataclass(frozen=True)
class Start:
    """A checkpoint to begin from."""

    checkpoint: str | Path
    """A bundled name, a local folder or a hub id: its encoder, and its head where it has one of the task's shape."""
    is_trained: bool = True
    """False: fresh weights in the same shape, to learn from scratch."""

    def build(self, model_class: type[Model], **changes: Any) -> Model:
        """A model for the task, its head fresh where the checkpoint has none.

        Args:
            **changes: configuration fields to change: labels and dropout, say.

        Raises:
            CheckpointError: no such checkpoint, or one of another modality.
        """
        if not self.is_trained:
            values = open_checkpoint(self.checkpoint).read_config()
            return model_class(model_class.config_class.from_dict(values).replace(**changes))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CheckpointWarning)  # that the head is fresh is what is wanted
            return model_class.from_pretrained(self.checkpoint, ignore_mismatched_sizes=True, **changes)
