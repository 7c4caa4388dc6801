"""What the two tasks on pictures share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Self

from data2vec_core.checkpoints.source import open_checkpoint
from data2vec_core.linear_choice import LinearChoice
from data2vec_core.processing.image import ImageProcessor
from data2vec_core.processing.image_io import DEFAULT_MAX_PIXELS
from data2vec_core.runtime_choice import RUNTIMES, Runtime
from data2vec_core.tasks.task import Model, Task

MOST_PATCHES = 2048
"""That a model is shown at once, unless it was trained on more: attention grows with their square."""


class SeeingTask(Task[Model]):
    """Base of the tasks on pictures."""

    modality = "vision"

    def __init__(
        self,
        model: Model,
        processor: ImageProcessor,
        *,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        model_name: str | None = None,
    ) -> None:
        """
        Args:
            max_pixels: pictures of more pixels (width times height) are refused before they are decoded.
        """
        super().__init__(model, model_name=model_name)
        self.processor = processor
        self.max_pixels = max_pixels

    @property
    def runtime(self) -> Runtime:
        """The framework that the model runs in."""
        return getattr(self.model, "runtime", "pytorch")

    @property
    def most_patches(self) -> int:
        """Of a picture that is looked at."""
        return max(MOST_PATCHES, math.prod(self.model.config.grid_size))

    @classmethod
    def load_model(
        cls,
        folder_or_name: str | Path,
        *,
        linear: LinearChoice = "plain",
        runtime: Runtime = "pytorch",
        **open_options: Any,
    ) -> Any:
        if runtime not in RUNTIMES:
            raise ValueError(f"runtime={runtime!r}: expected one of {', '.join(RUNTIMES)}")
        if runtime == "pytorch":
            return super().load_model(folder_or_name, linear=linear, **open_options)
        from data2vec_core.tensorflow.runtime import TensorFlowRuntime  # where it is installed

        return TensorFlowRuntime(super().load_model(folder_or_name, **open_options))

    @classmethod
    def from_pretrained(
        cls,
        folder_or_name: str | Path,
        *,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        linear: LinearChoice = "plain",
        runtime: Runtime = "pytorch",
        **open_options: Any,
    ) -> Self:
        """Load the model and its processor: from a local folder, by the name of a bundled model, or by a hub id.

        Args:
            max_pixels: pictures of more pixels (width times height) are refused before they are decoded.
            linear: how the model holds the weights of its linear layers, as `PretrainedModel.from_pretrained` takes it;
                in TensorFlow there is one way.
            runtime: the framework to run in; TensorFlow is an optional extra.
            **open_options: `revision`, `cache_dir`, `token` and `local_files_only`, for hub ids.

        Raises:
            CheckpointError: nothing there, unreadable, incomplete, or without a trained head.
            ValueError: there is no such runtime.
            ImportError: TensorFlow is asked for and not installed.
        """
        model = cls.load_model(folder_or_name, linear=linear, runtime=runtime, **open_options)
        processor = ImageProcessor.from_pretrained(folder_or_name, **open_options)
        beside = cls.settings_beside(open_checkpoint(folder_or_name, **open_options).folder)
        return cls(model, processor, max_pixels=max_pixels, **beside)
