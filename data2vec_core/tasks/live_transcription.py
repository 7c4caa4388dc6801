"""Speech to text while somebody speaks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data2vec_core.processing.resampling import Resampler
from data2vec_core.processing.samples import Waveform, loudest_level, mono_samples
from data2vec_core.processing.sound_statistics import SoundStatistics
from data2vec_core.tasks.results import LiveText
from data2vec_core.tasks.transcription import REACH, Transcriber
from data2vec_core.tasks.windows import FrameScores, Windows

LONGEST_WINDOW = 8.0
"""Seconds of sound that are heard anew with every look, unless told otherwise."""
LONGEST_OVERLAP = 2.0
"""Half of it in seconds is how far the stable text stays behind."""


class LiveTranscriber:
    """Understands sound that comes in chunks, one sound an object; not for several threads at once.

    With every look at the latest seconds, what has enough sound behind it becomes stable and the rest stays
    provisional. Memory, but for the text itself, and the time for a chunk do not grow with what came before. The sound
    is normalised like all that has been heard so far.
    """

    def __init__(self, transcriber: Transcriber, *, windows: Windows | None = None, step: float = 0.5) -> None:
        """
        Args:
            transcriber: says how texts are found; its `max_seconds` plays no part.
            windows: the seconds of a look; the overlap of two counts as for a long clip. When None the transcriber's
                own ones, or shorter.
            step: seconds of new sound from one look to the next, at least. Chunks between give the text as it is.

        Raises:
            ValueError: a negative step, or windows that are too short for the model's frames.
        """
        if not 0 <= step < math.inf:
            raise ValueError(f"step={step}: expected seconds")
        usual = transcriber.windows
        self._transcriber = transcriber
        self._rate = transcriber.extractor.sampling_rate
        self._step = round(step * self._rate)
        self._resampler = Resampler(self._rate)
        self._sound = SoundStatistics(self._rate)
        self._scores = transcriber.windowed_scores(
            self._score,
            windows or Windows(seconds=min(usual.seconds, LONGEST_WINDOW), overlap=min(usual.overlap, LONGEST_OVERLAP)),
        )
        self._search = transcriber.new_search(reach=REACH)
        self._seen = 0  # samples at the last look
        self._is_finished = False
        self._words = ""  # that have ended
        self._word: list[int] = []  # the one after them, as far as it is settled
        self._read = 0  # settled ids that are in these two
        self._pending: tuple[int, ...] = ()

    def feed(self, samples: NDArray[Any], sampling_rate: int) -> LiveText:
        """Take the next chunk.

        Args:
            samples: (samples,) or (samples, channels), PCM or floats, of any length.
            sampling_rate: samples a second; it may change from chunk to chunk.

        Raises:
            AudioError: (a ValueError) the chunk cannot be used; what came before is as it was.
            ValueError: the sound is finished, or the chunk has other axes.
        """
        if self._is_finished:
            raise ValueError("samples: this sound is finished; the next one needs a LiveTranscriber of its own")
        self._hear(self._resampler.push(mono_samples(np.asarray(samples), sampling_rate), sampling_rate))
        if self._sound.samples - self._seen >= self._step and self._has_frames:
            self._seen = self._sound.samples
            settled, provisional = self._scores.peek()
            self._advance(settled)
            ahead = self._search.fork()
            ahead.advance(provisional)
            self._pending = (*ahead.settled, *ahead.best)
        return self._text()

    def finish(self) -> LiveText:
        """The text of the whole sound, all of it stable. May be asked for again."""
        if not self._is_finished:
            self._hear(self._resampler.finish())
            self._is_finished = True
            if self._has_frames:
                self._advance(self._scores.finish())
            self._settle(self._search.best)
            self._pending = ()
        return self._text()

    @property
    def _has_frames(self) -> bool:
        return self._transcriber.frames(self._sound.samples) > 0

    def _hear(self, samples: Waveform) -> None:
        self._sound.add(samples)
        for settled in self._scores.push(samples):
            self._advance(settled)

    def _score(self, samples: Waveform) -> FrameScores:
        """(frames, tokens). A model is not asked where there is nothing to hear: it would write down the noise."""
        transcriber = self._transcriber
        if loudest_level(samples, self._rate) >= transcriber.silence_level:
            return transcriber.log_probabilities(samples, part_of=self._sound)
        shape = (transcriber.frames(len(samples)), transcriber.model.config.vocab_size)
        nothing = np.full(shape, -math.inf, np.float32)
        nothing[:, transcriber.tokenizer.pad_id] = 0.0
        return nothing

    def _advance(self, scores: FrameScores) -> None:
        self._search.advance(scores)
        self._settle(self._search.settled[self._read :])
        self._read = len(self._search.settled)

    def _settle(self, ids: tuple[int, ...] | list[int]) -> None:
        """Write settled ids into the stable text."""
        tokenizer = self._transcriber.tokenizer
        for index in ids:
            if index == tokenizer.vocab.get(tokenizer.word_delimiter_token):
                self._words = self._with(self._word)
                self._word = []
            else:
                self._word.append(index)

    def _with(self, ids: list[int]) -> str:
        """The words that have ended, and some more."""
        return f"{self._words} {self._transcriber.tokenizer.spelled(ids)}".strip()

    def _text(self) -> LiveText:
        stable = self._with(self._word)
        whole = self._with([*self._word, *self._pending])
        return LiveText(
            stable=stable,
            provisional=whole[len(stable) :],
            duration=self._sound.samples / self._rate,
            model=self._transcriber.model_name,
        )
