"""Speech to text while somebody speaks: what is stable stays, and at the end all is as in the whole clip."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from data2vec_core.processing.audio_errors import BrokenSamplesError, NotAudioError
from data2vec_core.processing.lexicon import Lexicon
from data2vec_core.tasks import Transcriber
from data2vec_core.tasks.live_transcription import LiveTranscriber
from data2vec_core.tasks.results import LiveText
from data2vec_core.tasks.windows import Windows
from tests.tasks.spoken import FRAME, RATE, ReadingModel, random_speech, reader, sound_of

EXAMPLES = Path(__file__).resolve().parents[2] / "assets" / "examples"
SHORT = Windows(seconds=100 * FRAME, overlap=20 * FRAME)


def listen(live: LiveTranscriber, samples: np.ndarray, sizes: list[int], rate: int = RATE) -> list[LiveText]:
    """The text after every chunk, whose sizes are used in turn, and that of the end."""
    heard, at, texts = len(samples), 0, []
    for turn in range(heard):
        if at >= heard:
            break
        size = sizes[turn % len(sizes)]
        texts.append(live.feed(samples[at : at + size], rate))
        at += size
    return [*texts, live.finish()]


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    st.integers(50, 600),
    st.integers(0, 1000),
    st.lists(st.integers(1, 30_000), min_size=1, max_size=4),
    st.sampled_from([None, 4]),
)
def test_what_is_stable_stays_and_the_end_is_the_whole(
    frames: int, seed: int, sizes: list[int], beam: int | None
) -> None:
    samples = sound_of(random_speech(frames, seed))
    transcriber = reader(beam=beam)
    sizes = [max(size, len(samples) // 40) for size in sizes]
    texts = listen(LiveTranscriber(transcriber, windows=SHORT, step=0.0), samples, sizes)
    for text, after in zip(texts, texts[1:], strict=False):
        assert after.stable.startswith(text.stable)
        assert text.duration <= after.duration
    assert texts[-1].stable == transcriber(samples, sampling_rate=RATE).text
    assert texts[-1].provisional == ""
    assert texts[-1].duration == pytest.approx(len(samples) / RATE)
    assert isinstance(transcriber.model, ReadingModel)


def test_the_end_is_provisional() -> None:
    ids = random_speech(400, seed=2)
    live = LiveTranscriber(reader(), windows=SHORT, step=0.0)
    text = live.feed(sound_of(ids), RATE)
    assert text.provisional
    assert text.stable + text.provisional == reader()(sound_of(ids), sampling_rate=RATE).text
    assert text.stable == reader()(sound_of(ids[:-10]), sampling_rate=RATE).text


def test_real_speech_in_half_seconds() -> None:
    transcriber = Transcriber.from_pretrained("an4", beam=8, lexicon=True)
    digits, rate = soundfile.read(EXAMPLES / "digits.wav", dtype="int16")
    texts = listen(LiveTranscriber(transcriber), digits, [rate // 2], rate)
    assert texts[0].stable == ""
    assert texts[-1].stable == transcriber(EXAMPLES / "digits.wav").text
    assert any(text.provisional for text in texts)
    assert (
        LiveTranscriber(Transcriber.from_pretrained("an4", lexicon=Lexicon({"ONE": 1}), beam=2)).finish().stable == ""
    )


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000])
def test_any_rate_and_two_channels(rate: int, checkpoints: dict[str, Path]) -> None:
    transcriber = Transcriber.from_pretrained(checkpoints["transcribe"])
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (rate, 2))
    chunks = np.rint(noise * 32_767).astype(np.int16)
    texts = listen(LiveTranscriber(transcriber, step=0.1), chunks, [rate // 7], rate)
    assert texts[-1].duration == pytest.approx(1, abs=1e-3)
    assert texts[-1].stable


def test_chunks_shorter_than_a_step_wait() -> None:
    transcriber = reader()
    live = LiveTranscriber(transcriber, step=0.5)
    samples = sound_of(random_speech(200, seed=0))
    texts = [live.feed(chunk, RATE) for chunk in np.split(samples[:16_000], 10)]
    assert [bool(text.stable + text.provisional) for text in texts] == [False] * 4 + [True] * 6
    assert texts[4].provisional == texts[8].provisional != texts[9].provisional


def test_silence_is_not_asked_about() -> None:
    transcriber = reader()
    live = LiveTranscriber(transcriber, windows=SHORT, step=0.0)
    for _ in range(4):
        assert live.feed(np.zeros(RATE, np.float32), RATE).provisional == ""
    assert isinstance(transcriber.model, ReadingModel)
    assert transcriber.model.longest == 0
    live.feed(sound_of(random_speech(200, seed=0)), RATE)
    assert transcriber.model.longest == 100 * FRAME * RATE
    assert live.finish().stable == reader()(sound_of(random_speech(200, seed=0)), sampling_rate=RATE).text


def test_what_is_no_chunk_leaves_everything_as_it_was() -> None:
    live = LiveTranscriber(reader(), windows=SHORT, step=0.0)
    samples = sound_of(random_speech(200, seed=0))
    before = live.feed(samples, RATE)
    for chunk, rate, error in (
        (np.array([0.1, np.nan]), RATE, BrokenSamplesError),
        (np.zeros(10), 3, NotAudioError),
        (np.zeros((2, 2, 2)), RATE, ValueError),
        (np.zeros((2, 16_000)), RATE, ValueError),
    ):
        with pytest.raises(error):
            live.feed(chunk, rate)
    assert live.feed(np.zeros(0, np.int16), RATE) == before
    assert live.finish() == live.finish()
    with pytest.raises(ValueError, match="finished"):
        live.feed(samples, RATE)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="step=-1"):
        LiveTranscriber(reader(), step=-1)
    with pytest.raises(ValueError, match=r"Windows\.seconds"):
        LiveTranscriber(reader(), windows=Windows(seconds=FRAME, overlap=0))


def test_memory_does_not_grow() -> None:
    live = LiveTranscriber(reader(), windows=Windows(seconds=2, overlap=0.4))
    samples = sound_of(random_speech(2000, seed=0))  # 10 s
    live.feed(samples, RATE)
    tracemalloc.start()
    try:
        for _ in range(30):
            for chunk in np.array_split(samples, 10):
                live.feed(chunk, RATE)
        now, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert now < 2e6, "text apart"
    assert most < 10e6, "five minutes of samples are 19 MB"
