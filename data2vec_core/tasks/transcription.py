"""Speech of any length to text, with the time and confidence of every word."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from data2vec_core.audio.heads import Data2VecAudioForCTC
from data2vec_core.audio.lengths import frame_count
from data2vec_core.checkpoints.source import open_checkpoint
from data2vec_core.linear_choice import LinearChoice
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.audio_errors import SilentAudioError
from data2vec_core.processing.audio_io import AudioSource, OpenedAudio, open_audio
from data2vec_core.processing.ctc import CTCDecoding, CTCSpan, CTCTokenizer
from data2vec_core.processing.ctc_alignment import best_alignment
from data2vec_core.processing.ctc_beam import BestPath, PrefixBeam, Words
from data2vec_core.processing.lexicon import Lexicon
from data2vec_core.processing.samples import Waveform
from data2vec_core.processing.sound_statistics import SoundStatistics
from data2vec_core.tasks.listening import ListeningTask
from data2vec_core.tasks.progress import Progress, stretch, unwatched
from data2vec_core.tasks.results import AlignedSpan, Alignment, Alternative, Emissions, Transcript, Word
from data2vec_core.tasks.windows import FrameScores, WindowedScores, Windows

SILENCE_LEVEL = -60.0
"""A clip whose loudest 20 ms stay below this, in dB of full scale, holds nothing to transcribe."""
REACH = 30
"""Characters at the end of a text that a search in sound of several windows keeps open: two or three words."""
_HEARING = 0.6  # share of the work, where a search follows
_SEARCHED_AT_ONCE = 250  # frames


class Transcriber(ListeningTask[Data2VecAudioForCTC]):
    """Writes down what is said in a clip.

    A clip that fits into one window is heard whole. A longer one is read and heard window by window, in memory that
    grows by no more than the scores of its frames (4 bytes a token: 23 MB for an hour of 32 tokens); all windows are
    normalised like the whole clip, so that their scores are those of one pass up to what lies beyond a window, and only
    then is the text read from them.
    """

    name = "transcribe"
    model_class = Data2VecAudioForCTC

    def __init__(
        self,
        model: Data2VecAudioForCTC,
        extractor: SpeechFeatureExtractor,
        tokenizer: CTCTokenizer,
        *,
        max_seconds: float | None = None,
        silence_level: float = SILENCE_LEVEL,
        beam: int | None = None,
        lexicon: Lexicon | None = None,
        windows: Windows | None = None,
        model_name: str | None = None,
    ) -> None:
        """
        Args:
            max_seconds: longer clips are refused before they are decoded.
            silence_level: clips whose loudest 20 ms stay below it are refused, in dB of full scale.
            beam: places of a prefix beam search for the most probable text; None: the best character of every frame.
            lexicon: the only words that the search may write, with their weights.
            windows: how long clips are cut; 30 s that overlap by 4 s when None.

        Raises:
            ValueError: a beam without places, a lexicon without a beam, or a word that the tokenizer cannot spell.
        """
        super().__init__(model, extractor, max_seconds=max_seconds, model_name=model_name)
        if beam is not None and beam < 1:
            raise ValueError(f"beam={beam}: a beam needs at least 1 place")
        if beam is None and lexicon is not None:
            raise ValueError("lexicon: only a beam search can keep to words; give it a beam, too")
        self.tokenizer = tokenizer
        self.silence_level = silence_level
        self.beam = beam
        self.windows = windows or Windows()
        self.words = None
        if lexicon is not None:
            boundary = tokenizer.vocab[tokenizer.word_delimiter_token]
            self.words = Words(spellings=lexicon.tree(tokenizer), boundary=boundary)

    @classmethod
    def from_pretrained(
        cls,
        folder_or_name: str | Path,
        *,
        max_seconds: float | None = None,
        silence_level: float = SILENCE_LEVEL,
        beam: int | None = None,
        lexicon: Lexicon | bool = False,
        windows: Windows | None = None,
        linear: LinearChoice = "plain",
        **open_options: Any,
    ) -> Self:
        """As `ListeningTask.from_pretrained`, with these besides.

        Args:
            silence_level: clips whose loudest 20 ms stay below it are refused, in dB of full scale.
            beam: places of a prefix beam search for the most probable text; None: the best character of every frame.
            lexicon: the only words that the search may write; True: those that the checkpoint brings.
            windows: how long clips are cut; as the checkpoint says, or 30 s that overlap by 4 s, when None.

        Raises:
            CheckpointError: also when the checkpoint brings no lexicon and shall.
            ValueError: a beam without places, or a lexicon without a beam.
        """
        model = cls.load_model(folder_or_name, linear=linear, **open_options)
        if isinstance(lexicon, bool):
            words = Lexicon.from_pretrained(folder_or_name, **open_options) if lexicon else None
        else:
            words = lexicon
        return cls(
            model,
            SpeechFeatureExtractor.from_pretrained(folder_or_name, **open_options),
            CTCTokenizer.from_pretrained(folder_or_name, **open_options),
            max_seconds=max_seconds,
            silence_level=silence_level,
            beam=beam,
            lexicon=words,
            windows=windows or Windows.beside(open_checkpoint(folder_or_name, **open_options).folder),
        )

    def with_search(self, beam: int | None, lexicon: Lexicon | None = None) -> Transcriber:
        """The same with another search, on the same model.

        Raises:
            ValueError: as when a transcriber is made.
        """
        return Transcriber(
            self.model,
            self.extractor,
            self.tokenizer,
            max_seconds=self.max_seconds,
            silence_level=self.silence_level,
            beam=beam,
            lexicon=lexicon,
            windows=self.windows,
            model_name=self.model_name,
        )

    def __call__(
        self,
        source: AudioSource,
        *,
        sampling_rate: int | None = None,
        alternatives: int = 0,
        progress: Progress = unwatched,
    ) -> Transcript:
        """Transcribe a clip.

        Args:
            source: what `load_audio` takes: a path, bytes, an open file, an array, or a (rate, array) pair.
            sampling_rate: of an array, in samples a second.
            alternatives: how many of the best texts to name, at most; see `decode`.
            progress: is told how far the work is.

        Raises:
            AudioError: (a ValueError) not a sound, empty, silent, too short or too long.
            ValueError: alternatives without a beam search, or a negative number of them.
        """
        self._check_alternatives(alternatives)
        hearing = 1.0 if self.beam is None else _HEARING
        emissions = self.emissions(source, sampling_rate=sampling_rate, progress=stretch(progress, 0.0, hearing))
        return self.decode(emissions, alternatives=alternatives, progress=stretch(progress, hearing, 1.0))

    def emissions(
        self, source: AudioSource, *, sampling_rate: int | None = None, progress: Progress = unwatched
    ) -> Emissions:
        """What the model makes of every frame of a clip. Takes and raises what a call does."""
        rate = self.extractor.sampling_rate
        reading = open_audio(source, sampling_rate=sampling_rate, target_rate=rate, max_seconds=self.max_seconds)
        with reading as opened:
            sound = self._measure(opened, progress)
            duration = sound.samples / rate
            whole = sound if self._is_cut(duration) else None
            scores = self.windowed_scores(lambda samples: self.log_probabilities(samples, part_of=whole), self.windows)
            # one array from the start: many small ones that stay would leave holes between those that come and go
            joined: FrameScores = np.empty((self.frames(sound.samples), self.model.config.vocab_size), np.float32)
            done = 0
            for part in scores.all_of(opened):
                joined[done : done + len(part)] = part
                done += len(part)
                progress(done / len(joined))
        names = {index: token for token, index in self.tokenizer.vocab.items()}
        return Emissions(
            log_probabilities=joined[:done],
            tokens=tuple(names.get(index, self.tokenizer.unk_token) for index in range(joined.shape[1])),
            blank=self.tokenizer.pad_id,
            seconds_per_frame=self.seconds_per_frame,
            duration=duration,
            model=self.model_name,
        )

    def decode(self, emissions: Emissions, *, alternatives: int = 0, progress: Progress = unwatched) -> Transcript:
        """Read the text from what the model made of a clip.

        Args:
            alternatives: how many of the best texts to name, at most. A clip of several windows has none: its whole
                texts would differ in a word here and there.
            progress: is told how far the work is.

        Raises:
            ValueError: alternatives without a beam search, or a negative number of them.
        """
        self._check_alternatives(alternatives)
        texts: list[Alternative] = []
        path = emissions.best_path
        if self.beam is not None:
            ids, texts = self._search(emissions, progress)
            path = np.array(best_alignment(emissions.log_probabilities, ids, blank=emissions.blank), dtype=np.intp)
        words = []
        for span in self._spans(emissions, path).words:
            start, end = span.seconds(emissions.seconds_per_frame)
            words.append(Word(word=span.text, start=start, end=end, confidence=span.confidence or 0.0))
        progress(1.0)
        return Transcript(
            text=" ".join(word.word for word in words),
            words=tuple(words),
            duration=emissions.duration,
            alternatives=tuple(texts[:alternatives]),
            model=self.model_name,
        )

    def align(self, emissions: Emissions, text: str) -> Alignment:
        """Where in a clip a text is said.

        Args:
            emissions: of the clip.
            text: what is said, in any case.

        Raises:
            TextError: (a ValueError) the text is empty, or has characters that the model does not write.
            AlignmentError: (a ValueError) the text does not fit the sound.
        """
        ids = self.tokenizer.spell(text)
        path = np.array(best_alignment(emissions.log_probabilities, ids, blank=emissions.blank), dtype=np.intp)
        spans = self._spans(emissions, path)

        def placed(span: CTCSpan) -> AlignedSpan:
            start, end = span.seconds(emissions.seconds_per_frame)
            score = span.confidence or 0.0
            return AlignedSpan(
                text=span.text, start_frame=span.start, end_frame=span.end, start=start, end=end, score=score
            )

        return Alignment(
            text=spans.text,
            characters=tuple(map(placed, spans.characters)),
            words=tuple(map(placed, spans.words)),
            path=tuple(path.tolist()),
            log_probability=sum(_along(emissions, path)),
            model=self.model_name,
        )

    def log_probabilities(self, samples: Waveform, *, part_of: SoundStatistics | None = None) -> FrameScores:
        """(samples,) at the model's rate -> (frames, tokens), in one pass.

        Args:
            part_of: the sound that they are a part of, and are normalised like; None: they are all there is.
        """
        scores: FrameScores = self._logits(samples, part_of=part_of).float().log_softmax(dim=-1).cpu().numpy()
        return scores

    def windowed_scores(self, score: Callable[[Waveform], FrameScores], windows: Windows) -> WindowedScores:
        """For a sound that comes in pieces, with the frames of this model.

        Args:
            score: as `log_probabilities`.

        Raises:
            ValueError: the windows are too short for these frames.
        """
        rate = self.extractor.sampling_rate
        return WindowedScores(score, windows=windows, rate=rate, hop=self._hop, frames=self.frames)

    def new_search(self, *, reach: int | None = None) -> PrefixBeam | BestPath:
        """What finds the text in frames that come one after the other; see `PrefixBeam` for the reach."""
        blank, forbidden = self.tokenizer.pad_id, self.tokenizer.special_ids
        if self.beam is None:
            return BestPath(blank=blank, forbidden=forbidden)
        return PrefixBeam(blank=blank, width=self.beam, words=self.words, forbidden=forbidden, reach=reach)

    def frames(self, samples: int) -> int:
        """How many frames a clip at the model's rate becomes."""
        return frame_count(samples, self.model.config, after_adapter=True)

    @property
    def seconds_per_frame(self) -> float:
        """From the start of one frame to that of the next."""
        return self._hop / self.extractor.sampling_rate

    @property
    def _hop(self) -> int:
        """Samples from the start of one frame to that of the next."""
        config = self.model.config
        adapted: int = config.adapter_stride**config.num_adapter_layers if config.add_adapter else 1
        return config.inputs_to_logits_ratio * adapted

    def _is_cut(self, duration: float) -> bool:
        """Whether a clip of so many seconds is more than one window."""
        rate = self.extractor.sampling_rate
        return round(duration * rate) > self.windows.samples(rate, self._hop)

    def _check_alternatives(self, alternatives: int) -> None:
        if alternatives < 0:
            raise ValueError(f"alternatives={alternatives}: expected a number of texts")
        if alternatives and self.beam is None:
            raise ValueError("alternatives: only a beam search finds several texts; give the transcriber a beam")

    def _measure(self, opened: OpenedAudio, progress: Progress) -> SoundStatistics:
        """Go through the sound once, before anything is made of it.

        Raises:
            AudioError: (a ValueError) it cannot be used.
        """
        sound = SoundStatistics(self.extractor.sampling_rate)
        for piece in opened:
            sound.add(piece)
            progress(0.0)
        self._require_a_frame(sound.samples)
        if sound.loudest_level < self.silence_level:
            raise SilentAudioError("The sound is silent: there is nothing to transcribe.")
        return sound

    def _search(self, emissions: Emissions, progress: Progress) -> tuple[tuple[int, ...], list[Alternative]]:
        """Ids of the best text; and the best texts, unless the clip is more than one window."""
        is_cut = self._is_cut(emissions.duration)
        search = self.new_search(reach=REACH if is_cut else None)
        assert isinstance(search, PrefixBeam)
        frames = len(emissions.log_probabilities)
        for start in range(0, frames, _SEARCHED_AT_ONCE):
            search.advance(emissions.log_probabilities[start : start + _SEARCHED_AT_ONCE])
            progress(start / frames)
        shares: dict[str, float] = {}  # a text with a space more or less is the same
        for hypothesis in () if is_cut else search.hypotheses():
            text = self.tokenizer.spelled((*search.settled, *hypothesis.ids))
            shares[text] = float(np.logaddexp(shares.get(text, -math.inf), hypothesis.log_probability))
        alternatives = [Alternative(text=text, log_probability=share) for text, share in shares.items()]
        return (*search.settled, *search.best), alternatives

    def _spans(self, emissions: Emissions, path: NDArray[np.intp]) -> CTCDecoding:
        """The characters and words of a path, (frames,) ids."""
        return self.tokenizer.decode(path.tolist(), log_probabilities=_along(emissions, path), skip_special_tokens=True)


def _along(emissions: Emissions, path: NDArray[np.intp]) -> list[float]:
    """(frames,) log probabilities of a path."""
    scores: list[float] = emissions.log_probabilities[np.arange(len(path)), path].tolist()
    return scores
