"""What the sound recipes share: augmentation and the small encoder."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from data2vec_core.config import Data2VecAudioConfig

Samples = NDArray[np.float32]
QUIETEST = 1e-4
"""Root mean square below which a noise is silence, and is not made louder without end."""
OCTAVES = 7
"""Below half the sampling rate that `colour` tells apart; what is lower goes with the lowest."""

#: The bundled speech encoder: narrow first convolutions, because the first layers run at the highest rates.
SMALL_ENCODER: dict[str, Any] = {
    "hidden_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 1024,
    "conv_dim": (32, 64, 96, 128, 128, 192, 192),
    "conv_pos_kernel_size": 19,
    "num_conv_pos_embeddings": 3,
    "layerdrop": 0.0,
    "hidden_dropout": 0.1,
    "activation_dropout": 0.1,
    "attention_dropout": 0.1,
    "final_dropout": 0.1,
    "ctc_loss_reduction": "mean",
    "ctc_zero_infinity": True,
    "mask_time_prob": 0.05,
}


def small_encoder(**changes: Any) -> Data2VecAudioConfig:
    """The bundled speech encoder's configuration with some fields changed."""
    return Data2VecAudioConfig(**{**SMALL_ENCODER, **changes})


def change_speed(samples: Samples, factor: float) -> Samples:
    """Play faster (factor above 1) or slower, pitch included, by linear interpolation."""
    positions = np.arange(0, len(samples) - 1, factor, dtype=np.float64)
    return np.interp(positions, np.arange(len(samples)), samples).astype(np.float32)


def add_noise(samples: Samples, decibels: float, random: np.random.Generator) -> Samples:
    """Add white noise at a signal-to-noise ratio in decibels."""
    level = _level(samples) * 10 ** (-decibels / 20)
    return samples + (level * random.standard_normal(len(samples))).astype(np.float32)


def mix_in(samples: Samples, noise: Samples, decibels: float, random: np.random.Generator) -> Samples:
    """Add a recorded noise, from a random place of it on and round to its start again, at a signal-to-noise ratio in
    decibels."""
    repeated = np.resize(np.roll(noise, -int(random.integers(len(noise)))), len(samples))
    return samples + _level(samples) / max(_level(repeated), QUIETEST) * 10 ** (-decibels / 20) * repeated


def colour(samples: Samples, decibels: float, random: np.random.Generator) -> Samples:
    """Change the sound as another microphone or room would: every octave is up to so many decibels louder or quieter,
    smoothly."""
    spectrum = np.fft.rfft(samples)
    octaves = np.log2(np.arange(1, len(spectrum) + 1) / len(spectrum)).clip(min=-OCTAVES)
    gains = random.uniform(-decibels, decibels, OCTAVES + 1)
    curve = np.interp(octaves, np.arange(-OCTAVES, 1), gains)
    return np.fft.irfft(spectrum * 10 ** (curve / 20), len(samples)).astype(np.float32)


def shift(samples: Samples, most: int, random: np.random.Generator) -> Samples:
    """Move a clip in time by up to `most` samples either way, filling with silence."""
    offset = int(random.integers(-most, most + 1))
    moved = np.zeros_like(samples)
    if offset >= 0:
        moved[offset:] = samples[: len(samples) - offset]
    else:
        moved[:offset] = samples[-offset:]
    return moved


def fit_length(samples: Samples, length: int) -> Samples:
    """Cut the end off, or fill it with silence."""
    return samples[:length] if len(samples) >= length else np.pad(samples, (0, length - len(samples)))


def _level(samples: Samples) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(samples**2)))
