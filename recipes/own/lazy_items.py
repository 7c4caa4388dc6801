"""Sounds and pictures of a folder, read when a batch asks for them.

What cannot be read, though its header was fine, is noted, and the next item that can be takes its place: the same one
whenever it is asked for, so that a resumed run sees what the first one saw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar, overload

import numpy as np
from torch import Tensor

from data2vec_core.processing.audio_errors import EmptyAudioError
from data2vec_core.processing.audio_io import stream_audio
from data2vec_core.processing.image_io import load_image
from data2vec_core.processing.samples import MODEL_RATE, Waveform
from recipes.own.folders import Account, Folder, reason_for
from recipes.sight import as_tensor

Item = TypeVar("Item")

KEPT_BYTES = 1 << 28
"""Of pictures, in memory."""


class NothingLeftError(RuntimeError):
    """No file of a folder can be read any more."""


class _Items:
    """Items by number, one a file."""

    def __init__(self, folder: Folder) -> None:
        self.failed = Account()
        """What could not be read, so far."""
        self._folder = folder
        self._spoiled: set[int] = set()

    def __len__(self) -> int:
        return len(self._folder.entries)

    def _first_readable(self, index: int, read: Callable[[int], Item]) -> Item:
        """What `read` gives of an item, or of the next that it can read.

        Raises:
            NothingLeftError: there is none.
        """
        for step in range(len(self)):
            place = (index + step) % len(self)
            if place in self._spoiled:
                continue
            try:
                return read(place)
            except (ValueError, OSError) as error:
                self._spoiled.add(place)
                self.failed.add(reason_for(error), self._folder.entries[place].name)
        raise NothingLeftError(f"none of the {len(self)} files can be read any more: {self.failed}")


class Sounds(_Items):
    """Sound files, of which parts are read: a long recording never as a whole."""

    def __init__(self, folder: Folder) -> None:
        super().__init__(folder)
        self.lengths: Sequence[int] = [int(entry.size * MODEL_RATE) for entry in folder.entries]
        """Samples of each at 16 kHz, by the headers."""

    def read(self, clip: int, start: int, count: int) -> Waveform:
        """`count` samples at 16 kHz of one file from sample `start`; fewer where its header promised too much, or where
        another file takes its place."""

        def part(place: int) -> Waveform:
            begin = max(0, min(start, self.lengths[place] - count))
            path = self._folder.path(self._folder.entries[place])
            pieces = list(stream_audio(path, start=begin / MODEL_RATE, seconds=count / MODEL_RATE))
            if not any(len(piece) for piece in pieces):
                raise EmptyAudioError("The sound ends before its header says.")
            return np.concatenate(pieces)[:count]

        return self._first_readable(clip, part)


class Pictures(_Items, Sequence[Tensor]):
    """Pictures squeezed to squares, uint8 (3, side, side); as many of those read last stay in memory as `KEPT_BYTES`
    allow."""

    def __init__(self, folder: Folder, side: int) -> None:
        super().__init__(folder)
        self._side = side
        self._read = lru_cache(maxsize=max(1, KEPT_BYTES // (3 * side * side)))(self._squeezed)

    def _squeezed(self, place: int) -> Tensor:
        return as_tensor([load_image(self._folder.path(self._folder.entries[place]))], self._side)[0]

    @overload
    def __getitem__(self, index: int) -> Tensor: ...
    @overload
    def __getitem__(self, index: slice) -> list[Tensor]: ...
    def __getitem__(self, index: int | slice) -> Tensor | list[Tensor]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"picture {index} of {len(self)}")
        return self._first_readable(index, self._read)
