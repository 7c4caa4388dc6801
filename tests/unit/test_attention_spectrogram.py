"""The spectrogram of a picture: tones where they are."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.spectrogram import QUIETEST, mel_spectrogram

RATE = 16_000


def tone(hertz: float, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(int(RATE * seconds)) / RATE).astype(np.float32)


@pytest.mark.parametrize("hertz", [200, 1000, 3000, 7000])
def test_a_tone_is_loudest_in_its_band(hertz: float) -> None:
    bands = 40
    found = mel_spectrogram(tone(hertz), RATE, bands=bands, columns=50)
    assert found.shape == (bands, 50)
    assert found.max() == 0
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    middle = 2595 * np.log10(1 + hertz / 700) / top * (bands + 1) - 1
    assert found.mean(axis=1).argmax() == pytest.approx(middle, abs=1)


def test_what_comes_later_is_further_right() -> None:
    found = mel_spectrogram(np.concatenate([np.zeros(RATE, np.float32), tone(500)]), RATE, columns=100)
    assert found[:, :48].max() == QUIETEST
    assert found[:, 55:].max() > -10


def test_short_and_silent_clips_have_a_picture_and_others_none() -> None:
    assert mel_spectrogram(tone(500, 0.02), RATE).shape == (64, 4)
    assert np.isfinite(mel_spectrogram(np.zeros(1600, np.float32), RATE)).all()
    with pytest.raises(ValueError, match="samples"):
        mel_spectrogram(np.zeros((2, 10)), RATE)
    with pytest.raises(ValueError, match="samples"):
        mel_spectrogram(np.zeros(0), RATE)
