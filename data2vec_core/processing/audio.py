"""Waveforms to the input of the speech models: per-clip normalisation, padding, mask (data2vec.md 7.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NotRequired, Self, TypeAlias, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data2vec_core.checkpoints.files import write_json
from data2vec_core.processing.processor import PREPROCESSOR_FILE, Processor, read_preprocessor
from data2vec_core.processing.samples import MODEL_RATE, Waveform, resample

Clip: TypeAlias = NDArray[Any] | Tensor | Sequence[float]

_VARIANCE_FLOOR = 1e-7


class SpeechBatch(TypedDict):
    """Input of a speech model, as keyword arguments of its `forward`."""

    input_values: Tensor
    """(batch, samples) float32."""
    attention_mask: NotRequired[Tensor]
    """(batch, samples) int32: 1 marks samples of the clip, 0 padding."""


@dataclass(frozen=True, kw_only=True)
class SpeechFeatureExtractor(Processor):
    """The wav2vec2-style front end of the public speech checkpoints. Fields are those of `preprocessor_config.json`."""

    sampling_rate: int = MODEL_RATE
    do_normalize: bool = True
    """Give each clip mean 0 and variance 1."""
    return_attention_mask: bool = True
    """Without a mask, padding takes part in the statistics of a shorter clip, as in the reference."""
    padding_value: float = 0.0

    _FIXED: ClassVar[dict[str, Any]] = {"feature_size": 1, "padding_side": "right"}

    def __post_init__(self) -> None:
        if self.sampling_rate <= 0:
            raise ValueError(f"sampling_rate={self.sampling_rate}: must be positive")

    def __call__(
        self,
        clips: Clip | Sequence[Clip],
        *,
        sampling_rate: int | None = None,
        resample_clips: bool = False,
        max_samples: int | None = None,
        min_samples: int = 1,
    ) -> SpeechBatch:
        """Normalise clips and pad them on the right to the longest.

        Args:
            clips: one mono clip (samples,), or several of any lengths.
            sampling_rate: of the clips, in samples a second; the model's own when None.
            resample_clips: convert clips of another rate instead of refusing them.
            max_samples: cut longer clips, before normalisation.
            min_samples: refuse shorter clips. A model needs `config.receptive_field` samples for its first frame
                (400 at the public sizes, 25 ms).

        Returns:
            `input_values` and, unless switched off, `attention_mask`, both (batch, samples).

        Raises:
            ValueError: another sampling rate, more than one channel, no clips, or a clip that is too short.
        """
        rate = self.sampling_rate if sampling_rate is None else sampling_rate
        if rate != self.sampling_rate and not resample_clips:
            raise ValueError(
                f"sampling_rate={rate}: the model takes {self.sampling_rate} samples a second "
                "(resample_clips=True converts)"
            )
        waveforms = [resample(clip, rate, self.sampling_rate)[:max_samples] for clip in _as_waveforms(clips)]
        if not waveforms:
            raise ValueError("clips: expected at least one clip, got none")
        needed = max(1, min_samples)
        for index, waveform in enumerate(waveforms):
            if len(waveform) < needed:
                raise ValueError(
                    f"clips: clip {index} is too short, {len(waveform)} samples; "
                    f"at least {needed} ({needed / self.sampling_rate * 1000:g} ms) are needed"
                )

        longest = max(map(len, waveforms))
        values = np.full((len(waveforms), longest), self.padding_value, np.float32)
        mask = np.zeros((len(waveforms), longest), np.int32)
        for row, marks, waveform in zip(values, mask, waveforms, strict=True):
            length = len(waveform)
            row[:length] = waveform
            marks[:length] = 1
            counted = row[:length] if self.return_attention_mask else row
            if self.do_normalize:
                counted[:] = normalise(counted)
        batch = SpeechBatch(input_values=torch.from_numpy(values))
        if self.return_attention_mask:
            batch["attention_mask"] = torch.from_numpy(mask)
        return batch

    @classmethod
    def from_folder(cls, folder: str | Path) -> Self:
        values = read_preprocessor(Path(folder), "feature_extractor")
        for name, expected in cls._FIXED.items():
            if values.get(name, expected) != expected:
                raise ValueError(f"{PREPROCESSOR_FILE}: {name}={values[name]!r}, only {expected!r} is supported")
        names = ("sampling_rate", "do_normalize", "return_attention_mask", "padding_value")
        # a file that does not mention the mask means the reference's own default
        return cls(**{"return_attention_mask": False} | {name: values[name] for name in names if name in values})

    def _write(self, folder: Path) -> None:
        values = {
            "feature_extractor_type": "Wav2Vec2FeatureExtractor",
            "sampling_rate": self.sampling_rate,
            "do_normalize": self.do_normalize,
            "return_attention_mask": self.return_attention_mask,
            "padding_value": self.padding_value,
        }
        write_json(folder / PREPROCESSOR_FILE, values | self._FIXED)


def normalise(waveform: Waveform) -> Waveform:
    """(samples,) with mean 0 and population variance 1; silence stays (nearly) silent."""
    return (waveform - waveform.mean()) / np.sqrt(waveform.var() + _VARIANCE_FLOOR)


def _as_waveforms(clips: Clip | Sequence[Clip]) -> list[Waveform]:
    """One clip or several, as a list of (samples,) float32."""
    is_one = isinstance(clips, (np.ndarray, Tensor)) and clips.ndim == 1
    is_one = is_one or (isinstance(clips, (list, tuple)) and len(clips) > 0 and np.ndim(clips[0]) == 0)
    waveforms = []
    for clip in [clips] if is_one else clips:
        waveform = np.asarray(clip, dtype=np.float32)
        if waveform.ndim != 1:
            raise ValueError(f"clips: each should be mono, (samples,), got shape {waveform.shape}; mix down first")
        waveforms.append(waveform)
    return waveforms
