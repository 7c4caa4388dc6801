"""Samples of sound as arrays: number formats, channels, rates, loudness."""

from __future__ import annotations

import math
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from data2vec_core.processing.audio_errors import BrokenSamplesError, NotAudioError

MODEL_RATE: Final = 16_000
"""Samples a second that every public data2vec checkpoint was trained at."""
MIN_RATE, MAX_RATE = 100, 1_000_000
"""Sampling rates outside these bounds are taken for a damaged header."""
MAX_CHANNELS = 64
"""A file with more channels than this is damaged, an array has its axes the wrong way round."""

Waveform: TypeAlias = NDArray[np.float32]


def mono_samples(array: NDArray[Any], rate: int) -> Waveform:
    """(samples,) or (samples, channels) of PCM or floats as (samples,) float32 at the same rate.

    Raises:
        AudioError: (a ValueError) a rate that no sound has, or samples that are not finite numbers.
        ValueError: more axes, or more channels than any recording has.
    """
    check_rate(rate)
    return finite(mix_down(pcm_to_float(array)))


def pcm_to_float(array: NDArray[Any]) -> NDArray[np.float32]:
    """Samples as float32, of the same shape: integers over their full scale, floats as they are.

    Unsigned integers have their zero in the middle of the range, as in 8-bit wave files.

    Raises:
        BrokenSamplesError: not numbers, or 64-bit integers, whose scale nobody can know.
    """
    kind, width = array.dtype.kind, array.dtype.itemsize
    if kind == "f":
        with np.errstate(over="ignore"):  # too large for float32 becomes infinite, which the caller refuses
            return array.astype(np.float32)
    if kind not in "iu" or width > 4:
        if array.size == 0:
            return array.astype(np.float32)
        hint = "; PCM needs an integer type of its own width, such as int16" if kind in "iu" else ""
        raise BrokenSamplesError(f"Samples of type {array.dtype} are not sound{hint}.")
    half_range = 1 << (8 * width - 1)
    centre = half_range if kind == "u" else 0
    return ((array.astype(np.float64) - centre) / half_range).astype(np.float32)


def mix_down(array: NDArray[np.float32]) -> Waveform:
    """(samples,) or (samples, channels) to (samples,): the mean over channels.

    Raises:
        ValueError: another number of axes, or more channels than any recording has.
    """
    if array.ndim == 1:
        return array
    if array.ndim != 2 or array.shape[1] > MAX_CHANNELS:
        raise ValueError(f"samples should be (samples,) or (samples, channels), got shape {array.shape}")
    if array.shape[1] == 0:
        return np.zeros(0, np.float32)
    return array.mean(axis=1, dtype=np.float32)


def resample(samples: Waveform, rate: int, target_rate: int = MODEL_RATE) -> Waveform:
    """(samples,) at one rate to (about samples * target_rate / rate,) at another, band-limited."""
    if rate == target_rate or samples.size == 0:
        return samples
    import soxr  # loaded only where a sound needs it

    return soxr.resample(samples, rate, target_rate, quality="HQ").astype(np.float32, copy=False)


def loudest_level(samples: Waveform, rate: int = MODEL_RATE) -> float:
    """Root mean square of the loudest 20 ms, in dB relative to full scale; minus infinity for digital silence.

    The mean of each window is taken out first, so that a constant offset counts as silence.
    """
    window = max(1, min(rate // 50, len(samples)))
    windows = samples[: len(samples) // window * window].reshape(-1, window).astype(np.float64)  # (windows, samples)
    loudest = windows.std(axis=1).max(initial=0.0)
    return 20 * math.log10(loudest) if loudest > 0 else -math.inf


def finite(samples: Waveform) -> Waveform:
    """The same samples.

    Raises:
        BrokenSamplesError: one of them is NaN or infinite.
    """
    if not np.isfinite(samples).all():
        raise BrokenSamplesError("The sound has samples that are not numbers (NaN or infinite).")
    return samples


def check_rate(rate: int) -> None:
    """Refuse a rate that no sound has, with a `NotAudioError`."""
    if not MIN_RATE <= rate <= MAX_RATE:
        raise NotAudioError(f"A sampling rate of {rate} Hz is not one of a sound ({MIN_RATE} to {MAX_RATE} are read).")
