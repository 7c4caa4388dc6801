"""Mean, variance and loudest level of a sound that comes in pieces: what normalising its parts like the whole needs."""

from __future__ import annotations

import math

import numpy as np

from data2vec_core.processing.samples import MODEL_RATE, Waveform, loudest_level

_VARIANCE_FLOOR = 1e-7  # as in `audio.normalise`


class SoundStatistics:
    """Of all samples added so far.

    Args:
        rate: samples a second.
    """

    def __init__(self, rate: int = MODEL_RATE) -> None:
        self.samples = 0
        """How many were added."""
        self._rate = rate
        self._mean = 0.0
        self._squares = 0.0  # sum of squared differences from the mean
        self._loudest = -math.inf
        self._rest = np.zeros(0, np.float32)  # behind the last whole 20 ms

    def add(self, samples: Waveform) -> None:
        """The next (samples,)."""
        if not samples.size:
            return
        values = samples.astype(np.float64)
        before, self.samples = self.samples, self.samples + len(values)
        step = values.mean() - self._mean
        self._mean += step * len(values) / self.samples
        self._squares += values.var() * len(values) + step**2 * before * len(values) / self.samples  # Chan et al. 1983
        samples = np.concatenate([self._rest, samples])
        end = len(samples) - len(samples) % max(1, self._rate // 50)
        if end:
            self._loudest = max(self._loudest, loudest_level(samples[:end], self._rate))
        self._rest = samples[end:].copy()

    @property
    def loudest_level(self) -> float:
        """What `samples.loudest_level` finds in the whole."""
        is_short = self.samples == len(self._rest)
        return loudest_level(self._rest, self._rate) if is_short else self._loudest

    def normalise(self, samples: Waveform) -> Waveform:
        """A part (samples,) as `audio.normalise` would leave it in the whole: that gets mean 0 and variance 1."""
        variance = self._squares / max(1, self.samples)
        return ((samples - self._mean) / math.sqrt(variance + _VARIANCE_FLOOR)).astype(np.float32)
