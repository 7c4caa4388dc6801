"""Scores of sound of any length: overlapping windows whose edges are dropped, so that they meet frame by frame.

Attention costs the square of a clip's length and has learnt from clips of some seconds. A window starts at a whole
frame of the sound, so the convolutions give the very frames they would give in one pass; frames near the edge of a
window, which miss what lies beyond, are taken from the next one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.files import read_json, write_json
from data2vec_core.processing.samples import Waveform

WINDOWS_FILE = "windows.json"
"""Beside the weights of a checkpoint that has learnt from clips of another length than most."""

FrameScores: TypeAlias = NDArray[np.float32]
"""(frames, classes)"""


@dataclass(frozen=True, kw_only=True)
class Windows:
    """How long sound is cut. What fits into one window is not cut at all.

    Raises:
        ValueError: the windows are too short for their overlap.
    """

    seconds: float = 30.0
    """Length of a window."""
    overlap: float = 4.0
    """Seconds that two windows share; at the middle of it the one takes over from the other."""

    def __post_init__(self) -> None:
        if not 0 <= 2 * self.overlap <= self.seconds:
            raise ValueError(f"Windows.seconds={self.seconds}: at least twice the overlap of {self.overlap} s")

    @classmethod
    def beside(cls, folder: Path) -> Self:
        """Those of a checkpoint: its `windows.json`, or the usual ones where it has none.

        Raises:
            CheckpointError: the file cannot be understood.
        """
        path = folder / WINDOWS_FILE
        if not path.is_file():
            return cls()
        try:
            return cls(**read_json(path))
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{path} cannot be understood: {error}") from None

    def save(self, folder: str | Path) -> None:
        """Write `windows.json` into an existing folder."""
        write_json(Path(folder) / WINDOWS_FILE, asdict(self))

    def samples(self, rate: int, hop: int) -> int:
        """Length of a window of whole frames that come every `hop` samples."""
        return round(self.seconds * rate / hop) * hop

    def edge_frames(self, rate: int, hop: int) -> int:
        """How many frames a window drops where it meets another."""
        return math.ceil(self.overlap / 2 * rate / hop)


class WindowedScores:
    """The scores of a sound that comes in pieces. Memory and the time for a piece do not grow with what came before.

    Args:
        score: a part of the sound (samples,) -> (frames, classes).
        windows: how the sound is cut.
        rate: samples a second.
        hop: samples from the start of one frame to that of the next.
        frames: how many frames some samples become.

    Raises:
        ValueError: the windows are too short for frames of this length.
    """

    def __init__(
        self,
        score: Callable[[Waveform], FrameScores],
        *,
        windows: Windows,
        rate: int,
        hop: int,
        frames: Callable[[int], int],
    ) -> None:
        self._score = score
        self._hop = hop
        self._longest = windows.samples(rate, hop)
        self._edge = windows.edge_frames(rate, hop)
        if frames(self._longest) <= 2 * self._edge:
            raise ValueError(
                f"Windows.seconds={windows.seconds}: too short, with an overlap of {windows.overlap} s, for frames of "
                f"{hop / rate:g} s"
            )
        self._samples = np.zeros(0, np.float32)  # what windows may still need
        self._first = 0  # where that starts in the sound, at a whole frame
        self._given = 0  # frames

    def push(self, samples: Waveform) -> Iterator[FrameScores]:
        """Take the next samples and give the frames, (frames, classes), of all windows that lie within the sound."""
        self._samples = np.concatenate([self._samples, samples])
        while self._end > (start := self._next_start) + self._longest:
            scores = self._window(start, start + self._longest)
            yield self._give(scores[: len(scores) - self._edge])

    def all_of(self, pieces: Iterable[Waveform]) -> Iterator[FrameScores]:
        """All frames of a sound that ends with these pieces, part by part."""
        for piece in pieces:
            yield from self.push(piece)
        yield self.finish()

    def peek(self) -> tuple[FrameScores, FrameScores]:
        """The frames up to now: those that are far enough from the edge, which are given and stay, and the others,
        which will come again with more of the sound behind them."""
        scores = self._window(self._last_start, self._end)
        settled = max(0, len(scores) - self._edge)
        return self._give(scores[:settled]), scores[settled:]

    def finish(self) -> FrameScores:
        """The rest of the frames. The last window is as long as the others, if the sound is."""
        return self._give(self._window(self._last_start, self._end))

    @property
    def _end(self) -> int:
        return self._first + len(self._samples)

    @property
    def _next_start(self) -> int:
        """Of a window whose frames, without the edge, go on where the given ones end."""
        return max(0, self._given - self._edge) * self._hop

    @property
    def _last_start(self) -> int:
        """Of the longest window that ends with the sound."""
        return max(0, math.ceil((self._end - self._longest) / self._hop)) * self._hop

    def _window(self, start: int, end: int) -> FrameScores:
        """The frames of a window that have not been given. No later window starts before this one."""
        self._samples = self._samples[start - self._first :]
        self._first = start
        return self._score(self._samples[: end - start])[self._given - start // self._hop :]

    def _give(self, scores: FrameScores) -> FrameScores:
        self._given += len(scores)
        return scores
