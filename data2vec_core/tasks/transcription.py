"""Speech to text, with the time and confidence of every word."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from data2vec_core.audio.heads import Data2VecAudioForCTC
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.audio_io import AudioSource, SilentAudioError, loudest_level
from data2vec_core.processing.ctc import CTCDecoding, CTCTokenizer
from data2vec_core.processing.ctc_alignment import best_alignment
from data2vec_core.processing.ctc_beam import Words, prefix_beam_search
from data2vec_core.processing.lexicon import Lexicon
from data2vec_core.tasks.listening import ListeningTask
from data2vec_core.tasks.results import Transcript, Word

SILENCE_LEVEL = -60.0
"""A clip whose loudest 20 ms stay below this, in dB of full scale, holds nothing to transcribe."""


class Transcriber(ListeningTask[Data2VecAudioForCTC]):
    """Writes down what is said in a clip."""

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
        model_name: str | None = None,
    ) -> None:
        """
        Args:
            max_seconds: longer clips are refused before they are decoded.
            silence_level: clips whose loudest 20 ms stay below it are refused, in dB of full scale.
            beam: places of a prefix beam search for the most probable text; None: the best character of every frame.
            lexicon: the only words that the search may write, with their weights.

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
        **open_options: Any,
    ) -> Self:
        """As `ListeningTask.from_pretrained`, with these besides.

        Args:
            silence_level: clips whose loudest 20 ms stay below it are refused, in dB of full scale.
            beam: places of a prefix beam search for the most probable text; None: the best character of every frame.
            lexicon: the only words that the search may write; True: those that the checkpoint brings.

        Raises:
            CheckpointError: also when the checkpoint brings no lexicon and shall.
            ValueError: a beam without places, or a lexicon without a beam.
        """
        model = cls.load_model(folder_or_name, **open_options)
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
        )

    def __call__(self, source: AudioSource, *, sampling_rate: int | None = None) -> Transcript:
        """Transcribe a clip.

        Args:
            source: what `load_audio` takes: a path, bytes, an open file, an array, or a (rate, array) pair.
            sampling_rate: of an array, in samples a second.

        Raises:
            AudioError: (a ValueError) not a sound, empty, silent, too short or too long.
        """
        samples = self._hear(source, sampling_rate)
        rate = self.extractor.sampling_rate
        if loudest_level(samples, rate) < self.silence_level:
            raise SilentAudioError("The sound is silent: there is nothing to transcribe.")
        decoding = self._decode(self._logits(samples))
        words = []
        for span in decoding.words:
            start, end = span.seconds(self.seconds_per_frame)
            words.append(Word(word=span.text, start=start, end=end, confidence=span.confidence or 0.0))
        return Transcript(
            text=" ".join(word.word for word in words),
            words=tuple(words),
            duration=len(samples) / rate,
            model=self.model_name,
        )

    def _decode(self, logits: Tensor) -> CTCDecoding:
        """(frames, vocab) scores to text with times: those of the best text's best alignment, when a beam finds it."""
        if self.beam is None:
            [decoding] = self.tokenizer.decode_logits(logits[None], skip_special_tokens=True)
            return decoding
        blank = self.tokenizer.pad_id
        log_probabilities = logits.float().log_softmax(dim=-1)
        for token in self.tokenizer.special_tokens & self.tokenizer.vocab.keys():
            log_probabilities[:, self.tokenizer.vocab[token]] = -math.inf
        scores = log_probabilities.double().cpu().numpy()
        best, *_ = prefix_beam_search(scores, blank=blank, width=self.beam, words=self.words)
        path = best_alignment(scores, best.ids, blank=blank)
        return self.tokenizer.decode(path, log_probabilities=scores[range(len(path)), path].tolist())

    @property
    def seconds_per_frame(self) -> float:
        """From the start of one frame to that of the next."""
        config = self.model.config
        strides = config.inputs_to_logits_ratio
        if config.add_adapter:
            strides *= config.adapter_stride**config.num_adapter_layers
        return strides / self.extractor.sampling_rate
