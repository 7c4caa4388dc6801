"""A sound that comes in pieces, from one sampling rate to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import soxr


class Resampler:
    """Gives, piece by piece, the very samples that the whole sound would be resampled to.

    Args:
        target_rate: samples a second of what comes out.
    """

    def __init__(self, target_rate: int) -> None:
        self._target_rate = target_rate
        self._rate = target_rate
        self._stream: soxr.ResampleStream | None = None  # None: nothing to convert

    def push(self, samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
        """The next (samples,) at some rate; what is ready of the result, which lags behind by some milliseconds. Where
        the rate changes, what was there before is brought to its end."""
        if rate == self._rate:
            return samples if self._stream is None else self._stream.resample_chunk(samples)
        before = self.finish()
        self._rate = rate
        if rate == self._target_rate:
            return np.concatenate([before, samples])

        import soxr  # loaded only where a sound needs it

        self._stream = soxr.ResampleStream(rate, self._target_rate, 1, quality="HQ")
        return np.concatenate([before, self._stream.resample_chunk(samples)])

    def finish(self) -> NDArray[np.float32]:
        """The rest of the result."""
        stream, self._stream, self._rate = self._stream, None, self._target_rate
        nothing = np.zeros(0, np.float32)
        return nothing if stream is None else stream.resample_chunk(nothing, last=True)
