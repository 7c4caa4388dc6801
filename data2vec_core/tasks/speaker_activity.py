"""Who speaks when: two voices, the first that is heard and the second."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from data2vec_core.audio.heads import Data2VecAudioForAudioFrameClassification
from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.files import read_json, write_json
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.audio_io import AudioSource
from data2vec_core.tasks.listening import ListeningTask
from data2vec_core.tasks.results import Activity, Turn

ACTIVITY_FILE = "activity.json"
"""How a checkpoint's frames become turns, beside its weights."""
CLASSES = ("none", "first", "second", "both")
"""Labels of the frames, in the order of their ids."""
SPEAKERS = ("first", "second")


@dataclass(frozen=True, kw_only=True)
class Smoothing:
    """How scores of frames become turns. Chosen on the valid split, and kept as `activity.json`.

    Raises:
        ValueError: the window is no odd number of frames, or a duration is negative.
    """

    window: int = 1
    """Frames of the median filter over the probabilities; odd."""
    shortest_turn: int = 0
    """Frames: turns that are shorter are dropped."""
    longest_gap: int = 0
    """Frames: gaps within a speaker's turns that are no longer are closed."""

    def __post_init__(self) -> None:
        if self.window < 1 or self.window % 2 == 0:
            raise ValueError(f"Smoothing.window={self.window}: expected an odd number of frames")
        for name in ("shortest_turn", "longest_gap"):
            if getattr(self, name) < 0:
                raise ValueError(f"Smoothing.{name}={getattr(self, name)}: at least 0 frames")

    def speaking(self, probabilities: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """(frames, classes) probabilities of `CLASSES` -> (frames, 2): whether the first and the second speak."""
        best = _median(probabilities, self.window).argmax(axis=1)  # (frames,)
        speaking = np.stack([(best == 1) | (best == 3), (best == 2) | (best == 3)], axis=1)
        for voice in speaking.T:
            for start, end in _runs(~voice):
                if start > 0 and end < len(voice) and end - start <= self.longest_gap:
                    voice[start:end] = True
            for start, end in _runs(voice):
                if end - start < self.shortest_turn:
                    voice[start:end] = False
        return speaking

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read `activity.json` of a checkpoint folder.

        Raises:
            CheckpointError: there is none, or it cannot be understood.
        """
        try:
            return cls(**read_json(Path(folder) / ACTIVITY_FILE))
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{Path(folder) / ACTIVITY_FILE} cannot be understood: {error}") from None

    def save(self, folder: str | Path) -> None:
        """Write `activity.json` into an existing folder."""
        write_json(Path(folder) / ACTIVITY_FILE, asdict(self))


class SpeakerActivity(ListeningTask[Data2VecAudioForAudioFrameClassification]):
    """Finds the turns of up to two speakers, also where they overlap."""

    name = "speaker_activity"
    model_class = Data2VecAudioForAudioFrameClassification

    def __init__(
        self,
        model: Data2VecAudioForAudioFrameClassification,
        extractor: SpeechFeatureExtractor,
        smoothing: Smoothing,
        *,
        max_seconds: float | None = None,
        model_name: str | None = None,
    ) -> None:
        super().__init__(model, extractor, max_seconds=max_seconds, model_name=model_name)
        if tuple(model.config.labels) != CLASSES:
            raise CheckpointError(
                f"{self.model_name} tells {', '.join(model.config.labels)} apart, and speaker activity needs "
                f"{', '.join(CLASSES)}"
            )
        self.smoothing = smoothing

    @classmethod
    def settings_beside(cls, folder: Path) -> dict[str, Any]:
        return {"smoothing": Smoothing.load(folder)}

    def __call__(self, source: AudioSource, *, sampling_rate: int | None = None) -> Activity:
        """Find the turns in a clip; whoever is heard first is called the first.

        Args:
            source: what `load_audio` takes: a path, bytes, an open file, an array, or a (rate, array) pair.
            sampling_rate: of an array, in samples a second.

        Raises:
            AudioError: (a ValueError) not a sound, empty, too short or too long.
        """
        samples = self._hear(source, sampling_rate)
        speaking = self.smoothing.speaking(self._logits(samples).float().softmax(dim=-1).cpu().numpy())
        duration = len(samples) / self.extractor.sampling_rate
        hop = self.model.config.inputs_to_logits_ratio / self.extractor.sampling_rate
        voices = sorted((runs for voice in speaking.T if (runs := _runs(voice))), key=lambda runs: runs[0][0])
        turns = [
            Turn(speaker=speaker, start=start * hop, end=min(end * hop, duration))
            for speaker, runs in zip(SPEAKERS, voices, strict=False)
            for start, end in runs
        ]
        turns.sort(key=lambda turn: (turn.start, turn.speaker))
        return Activity(segments=tuple(turns), duration=duration, model=self.model_name)


def _runs(is_on: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(items,) -> first and end, exclusive, of every stretch that is on."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_on, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _median(values: NDArray[np.floating[Any]], window: int) -> NDArray[np.floating[Any]]:
    """(items, channels): each the median of so many items around it, the first and last repeated beyond the ends."""
    padded = np.pad(values, ((window // 2, window // 2), (0, 0)), mode="edge")
    filtered: NDArray[np.floating[Any]] = np.median(
        np.lib.stride_tricks.sliding_window_view(padded, window, 0), axis=-1
    )
    return filtered
