"""What holds of sound that comes in pieces, wherever it is cut."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data2vec_core.processing.audio import normalise
from data2vec_core.processing.resampling import Resampler
from data2vec_core.processing.samples import loudest_level, resample
from data2vec_core.processing.sound_statistics import SoundStatistics

seeds = st.integers(0, 10_000)
cuts = st.lists(st.integers(0, 5000), max_size=6)


def noise(count: int, seed: int, offset: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    loudness = random.choice([1e-4, 0.1, 1.0], size=count // 500 + 1).repeat(500)[:count]
    return (random.standard_normal(count) * loudness + offset).astype(np.float32)


@given(st.integers(1, 5000), seeds, cuts, st.floats(-1, 1), st.sampled_from([8000, 16_000]))
def test_statistics_are_those_of_the_whole(count: int, seed: int, places: list[int], offset: float, rate: int) -> None:
    whole = noise(count, seed, offset)
    sound = SoundStatistics(rate)
    for piece in np.split(whole, sorted(places)):
        sound.add(piece)
    assert sound.samples == count
    assert math.isclose(sound.loudest_level, loudest_level(whole, rate), abs_tol=1e-6)
    part = whole[count // 3 : count // 2 + 1]
    expected = normalise(whole.astype(np.float64))[count // 3 : count // 2 + 1]
    np.testing.assert_allclose(sound.normalise(part), expected, rtol=1e-5, atol=1e-5)


def test_nothing_has_no_level() -> None:
    sound = SoundStatistics()
    sound.add(np.zeros(0, np.float32))
    assert sound.loudest_level == -math.inf
    assert sound.normalise(np.zeros(0, np.float32)).size == 0


@given(st.integers(1, 5000), seeds, cuts, st.sampled_from([8000, 16_000, 22_050, 48_000]))
@settings(max_examples=40)
def test_resampled_pieces_are_the_resampled_whole(count: int, seed: int, places: list[int], rate: int) -> None:
    whole = noise(count, seed)
    resampler = Resampler(16_000)
    pieces = [resampler.push(piece, rate) for piece in np.split(whole, sorted(places))]
    found = np.concatenate([*pieces, resampler.finish()])
    assert np.array_equal(found, resample(whole, rate, 16_000))


def test_the_rate_may_change() -> None:
    resampler = Resampler(16_000)
    tones = {rate: np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32) for rate in (48_000, 16_000)}
    pieces = [resampler.push(tones[rate], rate) for rate in (48_000, 16_000, 48_000)] + [resampler.finish()]
    joined = np.concatenate(pieces)
    assert len(joined) == 3 * 16_000
    assert np.abs(joined.reshape(3, -1)[:, 400:-400] - tones[16_000][400:-400]).max() == pytest.approx(0, abs=1e-3)
