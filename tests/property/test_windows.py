"""Windows meet frame by frame: what holds for sound of any length, cut in any way."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data2vec_core import Data2VecAudioForCTC
from data2vec_core.audio.lengths import frame_count
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.ctc import CTCTokenizer
from data2vec_core.tasks.transcription import Transcriber
from data2vec_core.tasks.windows import WindowedScores, Windows
from tests.clips import TINY

RATE, HOP = 16_000, 80
FRAME = HOP / RATE
NEIGHBOURS = 4
"""How many frames to either side the tiny model's positional convolutions reach."""
ROUNDING = 2e-5
"""Sums of other lengths are rounded otherwise."""

seeds = st.integers(0, 1000)
cuts = st.lists(st.integers(0, 9000), max_size=5)


def number_frames(samples: np.ndarray) -> np.ndarray:
    """(frames, 1): scores of samples that count up tell which frame each is, as the convolutions see it."""
    return samples[: frame_count(len(samples), TINY) * HOP : HOP, None] / HOP


def windowed(score: object, windows: Windows) -> WindowedScores:
    return WindowedScores(
        score,  # type: ignore[arg-type]
        windows=windows,
        rate=RATE,
        hop=HOP,
        frames=partial(frame_count, config=TINY),
    )


@given(st.integers(TINY.receptive_field, 9000), st.integers(3, 60), st.integers(0, 15), cuts)
def test_every_frame_comes_once_and_in_order(count: int, length: int, edge: int, places: list[int]) -> None:
    windows = Windows(seconds=max(length, 4 * edge) * FRAME, overlap=2 * edge * FRAME)
    lengths: list[int] = []

    def score(samples: np.ndarray) -> np.ndarray:
        lengths.append(len(samples))
        scores = number_frames(samples)
        is_first, is_last = samples[0] == 0, samples[-1] == count - 1
        if edge and not is_first:
            scores[:edge] = np.nan  # frames that would need what lies before the window
        if edge and not is_last:
            scores[-edge:] = np.nan
        return scores

    pieces = np.split(np.arange(count, dtype=np.float32), sorted(places))
    found = np.concatenate(list(windowed(score, windows).all_of(pieces)))
    assert found[:, 0].tolist() == list(range(frame_count(count, TINY)))
    assert max(lengths) <= windows.samples(RATE, HOP)
    if count <= windows.samples(RATE, HOP):
        assert lengths == [count], "what fits into a window is heard once and whole"


@given(st.integers(TINY.receptive_field, 9000), st.integers(40, 80), st.integers(0, 10), cuts)
def test_a_look_gives_what_is_settled_and_shows_the_rest(count: int, length: int, edge: int, places: list[int]) -> None:
    scores = windowed(number_frames, Windows(seconds=length * FRAME, overlap=2 * edge * FRAME))
    given_frames: list[float] = []
    heard = 0
    for piece in np.split(np.arange(count, dtype=np.float32), sorted(places)):
        given_frames += [frame for part in scores.push(piece) for frame in part[:, 0]]
        heard += len(piece)
        if (frames := frame_count(heard, TINY)) > 0:
            settled, provisional = scores.peek()
            given_frames += settled[:, 0].tolist()
            assert [*given_frames, *provisional[:, 0]] == list(range(frames))
            assert len(provisional) <= edge
    given_frames += scores.finish()[:, 0].tolist()
    assert given_frames == list(range(frame_count(count, TINY)))


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "adapter"])
def neighbourly(request: pytest.FixtureRequest) -> Transcriber:
    """A model whose frames know of some neighbours only: its attention adds nothing."""
    torch.manual_seed(0)
    adapted = {"add_adapter": True, "num_adapter_layers": 1} if request.param else {}
    model = Data2VecAudioForCTC(TINY.replace(**adapted))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
            if ".attention.output." in name:
                parameter.zero_()
    return Transcriber(model, SpeechFeatureExtractor(), CTCTokenizer.of_characters())


@given(st.integers(2000, 40_000), st.integers(40, 120), st.integers(6, 10), seeds)
@settings(max_examples=40)
def test_joined_scores_are_those_of_one_pass(
    neighbourly: Transcriber, count: int, length: int, edge: int, seed: int
) -> None:
    """As far as a model looks no further than the edge, which public ones do in everything but their attention."""
    assert edge > NEIGHBOURS
    random = np.random.default_rng(seed)
    samples = (random.standard_normal(count) * np.linspace(0.01, 0.3, count)).astype(np.float32)
    cut = Transcriber(
        neighbourly.model,
        neighbourly.extractor,
        neighbourly.tokenizer,
        windows=Windows(seconds=length * FRAME, overlap=2 * edge * FRAME),
    )
    whole, joined = (task.emissions(samples, sampling_rate=RATE) for task in (neighbourly, cut))
    assert joined.log_probabilities.shape == whole.log_probabilities.shape
    np.testing.assert_allclose(joined.log_probabilities, whole.log_probabilities, atol=ROUNDING, rtol=ROUNDING)


@pytest.mark.parametrize(
    ("seconds", "overlap"), [(1.0, 0.6), (1.0, -0.1), (float("nan"), 0.0), (0.0, 0.0), (2 * FRAME, FRAME)]
)
def test_windows_that_hold_nothing_are_refused(seconds: float, overlap: float) -> None:
    with pytest.raises(ValueError, match=r"Windows\.seconds"):
        windowed(number_frames, Windows(seconds=seconds, overlap=overlap))
