"""Where the sets of items lie, and how the manifest of a set is read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

ITEMS_FOLDER: Final = Path(__file__).resolve().parents[2] / "assets" / "examples"
MANIFEST_FILE: Final = "manifest.json"
RATE: Final = 16_000
"""Samples a second of every recording."""


class ItemsError(ValueError):
    """A set of items is not there, or its files do not fit together."""


@dataclass(frozen=True)
class Origin:
    """Where a file comes from, and what may be done with it."""

    file: str
    """Path within the set's folder."""
    source: str
    licence: str
    """SPDX identifier, with a remark where one is needed."""
    changes: str
    """What was done to the original."""


@dataclass(frozen=True)
class Manifest:
    """What a set says of itself."""

    folder: Path
    files: tuple[Origin, ...]
    """Every file of the set but the manifest."""
    values: dict[str, Any]
    """The rest of it, whose meaning depends on the set."""

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest of the set in `folder`.

        Raises:
            ItemsError: it is missing or damaged.
        """
        path = folder / MANIFEST_FILE
        if not path.is_file():
            raise ItemsError(f"no items in {folder}: `python -m recipes.items {folder.name}` makes them")
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            files = tuple(Origin(**record) for record in values.pop("files"))
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ItemsError(f"{path}: not a manifest of items ({error})") from error
        return cls(folder, files, values)

    def path(self, file: str) -> Path:
        """Where a file of the set lies.

        Raises:
            ItemsError: it is missing.
        """
        path = self.folder / file
        if not path.is_file():
            raise ItemsError(f"{path} is missing: `python -m recipes.items {self.folder.name}` makes it")
        return path

    def origin(self, file: str) -> Origin:
        """Source and licence of a file of the set.

        Raises:
            ItemsError: the manifest does not name it.
        """
        for origin in self.files:
            if origin.file == file:
                return origin
        raise ItemsError(f"{self.folder / MANIFEST_FILE} says nothing of {file}")


@dataclass(frozen=True)
class Recording:
    """A sound file that holds many short pieces one after another."""

    path: Path

    @cached_property
    def samples(self) -> NDArray[np.float32]:
        """(samples,) at 16 kHz, within -1 and 1; decoded once.

        Raises:
            ItemsError: the file has another rate, or several channels.
        """
        import soundfile

        samples, rate = soundfile.read(self.path, dtype="float32")
        if rate != RATE or samples.ndim != 1:
            raise ItemsError(f"{self.path}: expected one channel at {RATE} Hz, got {samples.shape} at {rate} Hz")
        return samples.clip(-1, 1)  # lossy coding overshoots a little

    def cut(self, span: Sequence[int]) -> NDArray[np.float32]:
        """The piece of a (start, number of samples) pair.

        Raises:
            ItemsError: the file ends before it does.
        """
        start, count = span
        if not 0 <= start <= start + count <= len(self.samples):
            raise ItemsError(f"{self.path}: no samples {start} to {start + count}, it has {len(self.samples)}")
        return self.samples[start : start + count]
