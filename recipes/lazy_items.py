"""Sounds and pictures of a folder as sequences that read an item when it is asked for, and keep the last few.

What cannot be read, though its header was fine, is noted, and the next item that can be takes its place: the same one
whenever it is asked for, so that a resumed run sees what the first one saw.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from typing import Generic, TypeVar, overload

import numpy as np
from PIL import Image

from data2vec_core.processing.audio_io import (
    MODEL_RATE,
    AudioTooShortError,
    EmptyAudioError,
    Waveform,
    loudest_level,
    stream_audio,
)
from data2vec_core.processing.image_io import load_image
from recipes.folders import Account, Folder, reason_for

Item = TypeVar("Item")

PIECE_SECONDS = 30.0
"""Longer sounds are cut into equal pieces of at most this length."""
KEPT_SOUNDS, KEPT_PICTURES = 64, 4096
"""Items kept in memory: at most about 120 MB of sounds, and as much of pictures with sides of 100 pixels."""


class LazyItems(Sequence[Item], Generic[Item]):
    """Items by number, read when asked for.

    Args:
        count: how many there are.
        kept: how many of those read last stay in memory.
    """

    def __init__(self, count: int, kept: int) -> None:
        self.failed = Account()
        """What could not be read, so far."""
        self._count = count
        self._spoiled: set[int] = set()
        self._read = lru_cache(maxsize=kept)(self.read)

    @abstractmethod
    def read(self, index: int) -> Item:
        """Read one item.

        Raises:
            ValueError, OSError: it cannot be read.
        """

    @abstractmethod
    def name(self, index: int) -> str:
        """Of an item, for an account."""

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        """One item, or the next that can be read in its place; of a slice, a list.

        Raises:
            IndexError: there are not so many.
            ValueError: none of them can be read.
        """
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(f"item {index} of {self._count}")
        for step in range(self._count):
            place = (index + step) % self._count
            if place in self._spoiled:
                continue
            try:
                return self._read(place)
            except (ValueError, OSError) as error:
                self._spoiled.add(place)
                self.failed.add(reason_for(error), self.name(place))
        raise ValueError(f"none of the {self._count} items can be read: {self.failed}")


class Sounds(LazyItems[Waveform]):
    """The sounds of a folder as (samples,) at 16 kHz, long ones in pieces.

    Args:
        min_samples: shorter sounds are left out, and so are silent ones, of which nothing can be learnt.
    """

    def __init__(self, folder: Folder, *, min_samples: int = 1, kept: int = KEPT_SOUNDS) -> None:
        self._folder, self._min_samples = folder, min_samples
        self._pieces = [
            (entry, piece, count)
            for entry in folder.entries
            for count in [max(1, math.ceil(entry.size / PIECE_SECONDS))]
            for piece in range(count)
        ]
        super().__init__(len(self._pieces), kept)

    @property
    def lengths(self) -> list[int]:
        """Samples of every item, by the headers of the files."""
        return [math.floor(entry.size / count * MODEL_RATE) for entry, _, count in self._pieces]

    def name(self, index: int) -> str:
        return self._pieces[index][0].name

    def read(self, index: int) -> Waveform:
        entry, piece, count = self._pieces[index]
        seconds = entry.size / count
        part = None if piece == count - 1 else seconds  # headers round
        samples = np.concatenate(
            [*stream_audio(self._folder.path(entry), start=piece * seconds, seconds=part), np.zeros(0, np.float32)]
        )
        if len(samples) < self._min_samples:
            raise AudioTooShortError(f"The sound is too short: {len(samples)} samples.")
        if loudest_level(samples) == -math.inf:
            raise EmptyAudioError("The sound is silent.")
        return samples


class Pictures(LazyItems[Image.Image]):
    """The pictures of a folder in RGB.

    Args:
        side: pictures whose shorter side is longer are made smaller, to this; no view needs more.
    """

    def __init__(self, folder: Folder, *, side: int, kept: int = KEPT_PICTURES) -> None:
        super().__init__(len(folder.entries), kept)
        self._folder, self._side = folder, side

    def name(self, index: int) -> str:
        return self._folder.entries[index].name

    def read(self, index: int) -> Image.Image:
        image = load_image(self._folder.path(self._folder.entries[index]))
        scale = self._side / min(image.size)
        if scale >= 1:
            return image
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
