"""A model that reads its text off the sound: a way to know what a transcript has to say, and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from data2vec_core import Data2VecAudioForCTC
from data2vec_core.audio.lengths import frame_count
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.ctc import CTCTokenizer
from data2vec_core.tasks.transcription import Transcriber
from tests.clips import TINY

RATE, HOP = 16_000, 80
FRAME = HOP / RATE
"""Seconds."""
LETTERS = CTCTokenizer.of_characters()
_STEP = 0.02


def sound_of(ids: Sequence[int]) -> np.ndarray:
    """(samples,) in which every frame has the loudness of its id, and a few samples more for the last frame."""
    levels = np.repeat(np.asarray(ids, np.float32), HOP) * _STEP
    return np.concatenate([levels, np.zeros(TINY.receptive_field - HOP, np.float32)])


class ReadingModel(Data2VecAudioForCTC):
    """Scores the id that a frame's loudness stands for, and makes nonsense of frames near the edges of what it hears.

    Args:
        blurred: so many frames at either edge say `Z`.
    """

    def __init__(self, blurred: int = 0) -> None:
        super().__init__(TINY.replace(vocab_size=len(LETTERS)))
        self.blurred = blurred
        self.longest = 0
        """Samples of the longest clip it was given."""

    def forward(self, input_values: torch.Tensor, *_args: object, **_options: object) -> Any:
        count = input_values.shape[1]
        self.longest = max(self.longest, count)
        frames = frame_count(count, self.config)
        ids = (input_values[0, HOP // 2 :: HOP][:frames] / _STEP).round().long().clamp(0, len(LETTERS) - 1)
        ids[: self.blurred] = ids[frames - self.blurred :] = LETTERS.vocab["Z"]
        logits = 40 * torch.nn.functional.one_hot(ids, len(LETTERS)).float()
        return type("Output", (), {"logits": logits[None]})()


def reader(blurred: int = 0, **options: Any) -> Transcriber:
    """A transcriber with that model; it hears samples as they are."""
    extractor = SpeechFeatureExtractor(do_normalize=False)
    return Transcriber(ReadingModel(blurred), extractor, LETTERS, model_name="reader", **options)


def random_speech(frames: int, seed: int) -> list[int]:
    """(frames,) ids: letters, word boundaries and blanks, each for one to six frames."""
    random = np.random.default_rng(seed)
    choices = [LETTERS.vocab[token] for token in ("<pad>", "<pad>", "|", "|", *"ABCDEFGHIJ")]
    return np.repeat(random.choice(choices, frames), random.integers(1, 7, frames))[:frames].tolist()
