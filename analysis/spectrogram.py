"""The mel spectrogram of a clip, for pictures: what is loud when, in decibels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW = 0.025
"""Seconds of a window, as of speech recognition since long."""
QUIETEST = -80.0
"""Decibels below the loudest point, beyond which all is alike."""


def mel_spectrogram(
    waveform: NDArray[Any], rate: int, *, bands: int = 64, columns: int = 400, window: float = WINDOW
) -> NDArray[np.float32]:
    """Loudness by time and pitch.

    Args:
        waveform: (samples,) mono.
        rate: samples a second.
        bands: of pitch, evenly spaced in mel from 0 to half the rate.
        columns: of time at most, evenly spaced over the clip; at least 5 ms apart.
        window: seconds.

    Returns:
        (bands, columns) decibels, 0 at the loudest point and at least `QUIETEST`, the lowest band first.

    Raises:
        ValueError: no samples, or not (samples,).
    """
    samples = np.asarray(waveform, dtype=np.float32)
    if samples.ndim != 1 or not len(samples):
        raise ValueError(f"waveform: expected (samples,), got {samples.shape}")
    size = max(16, round(window * rate))
    count = max(1, min(columns, int(len(samples) / (0.005 * rate))))
    middles = ((np.arange(count) + 0.5) * len(samples) / count).astype(int)
    padded = np.pad(samples, size)
    pieces = padded[(middles + size - size // 2)[:, None] + np.arange(size)] * np.hanning(size).astype(np.float32)
    power = np.abs(np.fft.rfft(pieces, n=max(512, size), axis=1)) ** 2  # (columns, frequencies)
    mel = power @ _triangles(bands, power.shape[1], rate).T
    decibels = 10 * np.log10(np.maximum(mel, 1e-10))
    return (decibels - decibels.max()).clip(min=QUIETEST).T.astype(np.float32)


def _triangles(bands: int, frequencies: int, rate: int) -> NDArray[np.float32]:
    """(bands, frequencies): overlapping triangles whose middles are evenly spaced in mel."""
    highest = 2595 * np.log10(1 + rate / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, highest, bands + 2) / 2595) - 1)
    at = np.linspace(0, rate / 2, frequencies)
    rising = (at - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - at) / (corners[2:] - corners[1:-1])[:, None]
    triangles = np.clip(np.minimum(rising, falling), 0, None)
    # The lowest are narrower than one step of the transform: they take the nearest.
    empty = np.flatnonzero(triangles.sum(axis=1) == 0)
    triangles[empty, np.abs(at - corners[1:-1][empty, None]).argmin(axis=1)] = 1
    return triangles.astype(np.float32)
