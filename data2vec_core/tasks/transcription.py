"""Speech to text, with the time and confidence of every word."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from data2vec_core.audio.heads import Data2VecAudioForCTC
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.audio_io import AudioSource, SilentAudioError, loudest_level
from data2vec_core.processing.ctc import CTCTokenizer
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
        model_name: str | None = None,
    ) -> None:
        """
        Args:
            max_seconds: longer clips are refused before they are decoded.
            silence_level: clips whose loudest 20 ms stay below it are refused, in dB of full scale.
        """
        super().__init__(model, extractor, max_seconds=max_seconds, model_name=model_name)
        self.tokenizer = tokenizer
        self.silence_level = silence_level

    @classmethod
    def from_pretrained(
        cls,
        folder_or_name: str | Path,
        *,
        max_seconds: float | None = None,
        silence_level: float = SILENCE_LEVEL,
        **open_options: Any,
    ) -> Self:
        model = cls.load_model(folder_or_name, **open_options)
        return cls(
            model,
            SpeechFeatureExtractor.from_pretrained(folder_or_name, **open_options),
            CTCTokenizer.from_pretrained(folder_or_name, **open_options),
            max_seconds=max_seconds,
            silence_level=silence_level,
        )

    def __call__(self, source: AudioSource, *, sampling_rate: int | None = None) -> Transcript:
        """Transcribe a clip by the best character of every frame.

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
        [decoding] = self.tokenizer.decode_logits(self._logits(samples)[None], skip_special_tokens=True)
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

    @property
    def seconds_per_frame(self) -> float:
        """From the start of one frame to that of the next."""
        config = self.model.config
        strides = config.inputs_to_logits_ratio
        if config.add_adapter:
            strides *= config.adapter_stride**config.num_adapter_layers
        return strides / self.extractor.sampling_rate
