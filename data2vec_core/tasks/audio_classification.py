"""A class for a whole sound clip."""

from __future__ import annotations

from data2vec_core.audio.heads import Data2VecAudioForSequenceClassification
from data2vec_core.processing.audio_io import AudioSource
from data2vec_core.tasks.classifying import Classifier
from data2vec_core.tasks.listening import ListeningTask
from data2vec_core.tasks.results import Classification


class AudioClassifier(
    Classifier[Data2VecAudioForSequenceClassification], ListeningTask[Data2VecAudioForSequenceClassification]
):
    """Says which class a clip belongs to. Silence is classified like any sound: it may be a class of its own."""

    name = "classify_audio"
    model_class = Data2VecAudioForSequenceClassification

    def __call__(self, source: AudioSource, *, sampling_rate: int | None = None) -> Classification:
        """Classify a clip.

        Args:
            source: what `load_audio` takes: a path, bytes, an open file, an array, or a (rate, array) pair.
            sampling_rate: of an array, in samples a second.

        Raises:
            AudioError: (a ValueError) not a sound, empty, too short or too long.
        """
        trace = self._trace()
        logits = self._logits(self._hear(source, sampling_rate), trace)
        statistics = self._statistics(trace)
        return self._classification(self._probabilities_of(logits), None if statistics is None else statistics[0])
