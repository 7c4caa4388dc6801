"""The tiny speech configuration and a batch of two clips, for every test of the speech model."""

from __future__ import annotations

from typing import Any, cast

import torch

from data2vec_core.audio.lengths import frame_count
from data2vec_core.config import Data2VecAudioConfig
from data2vec_core.presets import PRESETS

TINY = cast(Data2VecAudioConfig, PRESETS["audio-tiny"])
SAMPLES = (2400, 1500)
"""Lengths of the two clips when the batch is padded; unpadded, both have the first."""
FRAMES = frame_count(SAMPLES[0], TINY)


def two_clips(*, padded: bool) -> dict[str, Any]:
    """Arguments of a forward pass: (2, samples) of noise, and its mask when padded."""
    waveforms = torch.randn(2, SAMPLES[0])
    if not padded:
        return {"input_values": waveforms}
    attention_mask = (torch.arange(SAMPLES[0]) < torch.tensor(SAMPLES)[:, None]).long()
    return {"input_values": waveforms * attention_mask, "attention_mask": attention_mask}
