"""What the tasks on sound share: from whatever a person has to the model's input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from data2vec_core.audio.model import AudioPretrainedModel
from data2vec_core.checkpoints.source import open_checkpoint
from data2vec_core.linear_choice import LinearChoice
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.audio_errors import AudioTooShortError
from data2vec_core.processing.audio_io import AudioSource, load_audio
from data2vec_core.processing.samples import Waveform
from data2vec_core.processing.sound_statistics import SoundStatistics
from data2vec_core.tasks.task import Model, Task
from data2vec_core.trace import Trace


class ListeningTask(Task[Model]):
    """Base of the tasks on sound."""

    modality = "audio"

    def __init__(
        self,
        model: Model,
        extractor: SpeechFeatureExtractor,
        *,
        max_seconds: float | None = None,
        model_name: str | None = None,
    ) -> None:
        """
        Args:
            max_seconds: longer clips are refused before they are decoded.
        """
        super().__init__(model, model_name=model_name)
        assert isinstance(model, AudioPretrainedModel)
        self.extractor = extractor
        self.max_seconds = max_seconds

    @classmethod
    def from_pretrained(
        cls,
        folder_or_name: str | Path,
        *,
        max_seconds: float | None = None,
        linear: LinearChoice = "plain",
        **open_options: Any,
    ) -> Self:
        """Load the model and its processors: from a local folder, by the name of a bundled model, or by a hub id.

        Args:
            max_seconds: longer clips are refused before they are decoded.
            linear: how the model holds the weights of its linear layers, as `PretrainedModel.from_pretrained` takes it.
            **open_options: `revision`, `cache_dir`, `token` and `local_files_only`, for hub ids.

        Raises:
            CheckpointError: nothing there, unreadable, incomplete, or without a trained head.
        """
        model = cls.load_model(folder_or_name, linear=linear, **open_options)
        extractor = SpeechFeatureExtractor.from_pretrained(folder_or_name, **open_options)
        beside = cls.settings_beside(open_checkpoint(folder_or_name, **open_options).folder)
        return cls(model, extractor, max_seconds=max_seconds, **beside)

    def _hear(self, source: AudioSource, sampling_rate: int | None) -> Waveform:
        """(samples,) mono at the model's rate, within the limits.

        Raises:
            AudioError: (a ValueError) it cannot be used.
        """
        rate = self.extractor.sampling_rate
        samples = load_audio(source, sampling_rate=sampling_rate, target_rate=rate, max_seconds=self.max_seconds)
        self._require_a_frame(len(samples))
        return samples

    def _require_a_frame(self, samples: int) -> None:
        """
        Raises:
            AudioTooShortError: so many samples are too few for the model's first frame.
        """
        rate, needed = self.extractor.sampling_rate, self.model.config.receptive_field
        if samples < needed:
            raise AudioTooShortError(
                f"The sound is too short: {1000 * samples / rate:.0f} ms, and at least "
                f"{1000 * needed / rate:.0f} ms are needed."
            )

    @torch.inference_mode()
    def _logits(
        self, samples: Waveform, trace: Trace | None = None, *, part_of: SoundStatistics | None = None
    ) -> Tensor:
        """The model's scores of one clip, without the batch axis. Clips are never padded together: padding would
        change their scores a little (data2vec.md 9.1).

        Args:
            part_of: the sound that the clip is a part of, and is normalised like; None: the clip is all there is.
        """
        extractor = self.extractor
        if part_of is not None and extractor.do_normalize:
            samples, extractor = part_of.normalise(samples), replace(extractor, do_normalize=False)
        batch = extractor(np.ascontiguousarray(samples))
        logits: Tensor = self.model(batch["input_values"].to(self.model.device, self.model.dtype), trace=trace).logits[
            0
        ]
        return logits
