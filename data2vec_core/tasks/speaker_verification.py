"""Whether two clips are of one voice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from data2vec_core.audio.xvector import Data2VecAudioForXVector
from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.files import read_json, write_json
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.audio_errors import AudioTooShortError
from data2vec_core.processing.audio_io import AudioSource
from data2vec_core.tasks.listening import ListeningTask
from data2vec_core.tasks.results import Verification

VERIFICATION_FILE = "verification.json"
"""Where a checkpoint keeps its threshold."""


class SpeakerVerifier(ListeningTask[Data2VecAudioForXVector]):
    """Compares voices by the cosine of their vectors. It hears a voice, not a word, and no lie: whoever sounds alike
    passes."""

    name = "compare_speakers"
    model_class = Data2VecAudioForXVector
    spare_parts = ("objective.",)

    def __init__(
        self,
        model: Data2VecAudioForXVector,
        extractor: SpeechFeatureExtractor,
        threshold: float,
        *,
        max_seconds: float | None = None,
        model_name: str | None = None,
    ) -> None:
        """
        Args:
            threshold: the cosine from which on two clips count as one voice.
        """
        super().__init__(model, extractor, max_seconds=max_seconds, model_name=model_name)
        self.threshold = threshold

    @classmethod
    def settings_beside(cls, folder: Path) -> dict[str, Any]:
        return {"threshold": load_threshold(folder)}

    def __call__(self, first: AudioSource, second: AudioSource, *, sampling_rate: int | None = None) -> Verification:
        """Compare two clips.

        Args:
            first: what `load_audio` takes: a path, bytes, an open file, an array, or a (rate, array) pair.
            second: the same.
            sampling_rate: of arrays, in samples a second.

        Raises:
            AudioError: (a ValueError) not a sound, empty, too short or too long.
        """
        return self.compare(*(self.embed(source, sampling_rate=sampling_rate) for source in (first, second)))

    def compare(self, first: NDArray[np.float32], second: NDArray[np.float32]) -> Verification:
        """Compare two vectors of `embed` or `embed_voice`, (x-vector dim,) of length 1 each."""
        similarity = float(first @ second)
        return Verification(
            similarity=similarity,
            threshold=self.threshold,
            same_speaker=similarity >= self.threshold,
            model=self.model_name,
        )

    def embed(self, source: AudioSource, *, sampling_rate: int | None = None) -> NDArray[np.float32]:
        """The vector of a clip: (x-vector dim,) of length 1.

        Raises:
            AudioError: (a ValueError) not a sound, empty, too short or too long.
        """
        samples = self._hear(source, sampling_rate)
        if len(samples) < self.shortest:
            raise AudioTooShortError(
                f"The sound is too short: {len(samples) / self.extractor.sampling_rate:.2f} s, and at least "
                f"{self.shortest / self.extractor.sampling_rate:.2f} s are needed to know a voice."
            )
        batch = self.extractor(np.ascontiguousarray(samples))
        with torch.inference_mode():
            output = self.model(batch["input_values"].to(self.model.device, self.model.dtype))
        vector: NDArray[np.float32] = output.embeddings[0].float().cpu().numpy()
        return _unit(vector)

    def embed_voice(self, sources: Sequence[AudioSource], *, sampling_rate: int | None = None) -> NDArray[np.float32]:
        """The mean of the vectors of several clips of one voice, which tells it more surely: of length 1, too.

        Raises:
            AudioError: (a ValueError) one of them cannot be used.
            ValueError: there are none.
        """
        if not sources:
            raise ValueError("sources: expected at least one clip, got none")
        vectors = [self.embed(source, sampling_rate=sampling_rate) for source in sources]
        return _unit(np.mean(vectors, axis=0))

    @property
    def shortest(self) -> int:
        """Samples that the time-delay layers need, for one frame to be left."""
        config = self.model.config
        widths = zip(config.tdnn_kernel, config.tdnn_dilation, strict=True)
        frames = 1 + sum((kernel - 1) * dilation for kernel, dilation in widths)
        return config.receptive_field + (frames - 1) * config.inputs_to_logits_ratio


def load_threshold(folder: str | Path) -> float:
    """The threshold in `verification.json` of a checkpoint folder.

    Raises:
        CheckpointError: there is no such file, or no number in it.
    """
    path = Path(folder) / VERIFICATION_FILE
    threshold = read_json(path).get("threshold")
    if not isinstance(threshold, float):
        raise CheckpointError(f"{path} should hold a number as `threshold`, got {threshold!r}")
    return threshold


def save_threshold(folder: str | Path, threshold: float, **facts: Any) -> None:
    """Write `verification.json` into an existing folder, with facts about how the threshold was chosen."""
    write_json(Path(folder) / VERIFICATION_FILE, {"threshold": threshold, **facts})


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
