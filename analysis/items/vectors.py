"""What the bundled models make of the data packs' test items: one vector an item and layer, and the labels.

The items themselves are not here. Each vector is the mean over the real positions of one item, after each layer; layer
0 is the input of the first block. Numbers are rounded to 16 values between the least and the greatest of each layer and
dimension, which moves them by about a tenth of their spread and makes the files small.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from analysis.items.manifest import ITEMS_FOLDER, ItemsError, Manifest, Origin

VECTORS_FOLDER: Final = ITEMS_FOLDER / "vectors"
VALUES: Final = 16
"""That a rounded number may take."""

Role = Literal["student", "teacher"]


@dataclass(frozen=True)
class Rounded:
    """Vectors of few different numbers."""

    codes: NDArray[np.uint8]
    """(layers, items, dim), from 0 to `VALUES` - 1."""
    least: NDArray[np.float32]
    """(layers, dim): what code 0 stands for."""
    step: NDArray[np.float32]
    """(layers, dim): what lies between two codes; 0 where the items do not differ."""

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> Rounded:
        """Round (layers, items, dim) vectors.

        Raises:
            ValueError: another shape, no items, or a number that is not finite.
        """
        if vectors.ndim != 3 or not vectors.shape[1]:
            raise ValueError(f"vectors: expected (layers, items, dim) with at least one item, got {vectors.shape}")
        if not np.isfinite(vectors).all():
            raise ValueError("vectors: expected finite numbers")
        least = vectors.min(axis=1)
        step = (vectors.max(axis=1) - least) / np.float32(VALUES - 1)
        codes = np.rint((vectors - least[:, None]) / np.where(step > 0, step, 1)[:, None])
        return cls(codes.astype(np.uint8), least.astype(np.float32), step.astype(np.float32))

    def restore(self) -> NDArray[np.float32]:
        """(layers, items, dim), each number within half a step of the original."""
        return self.least[:, None] + self.codes * self.step[:, None]


@dataclass(frozen=True)
class Run:
    """One model that was shown the items of a pack."""

    model: str
    """Bundled name."""
    role: Role
    modality: str
    """`audio`, `text` or `vision`."""
    shown: str
    """What of an item: `sound`, `text`, `picture`, or another name where an item has several."""
    layers: int
    dim: int
    weights: str
    """Digest of the weights that it was: changes when they do."""
    error: float
    """Root mean square of what rounding changed, in standard deviations over the items."""

    @property
    def key(self) -> str:
        """What its arrays are called in the file."""
        return f"{self.model}.{self.role}.{self.shown}"


@dataclass(frozen=True)
class PackVectors:
    """The items of one pack as several models represent them."""

    pack: str
    labels: Mapping[str, tuple[str, ...]]
    """Of each item, in the order of the vectors, by what they tell: `{"speaker": ("an4_fcaw", ...), ...}`."""
    runs: tuple[Run, ...]
    path: Path
    origin: Origin

    def __len__(self) -> int:
        return len(next(iter(self.labels.values())))

    def run(self, model: str, role: Role = "student", shown: str | None = None) -> Run:
        """The run of a model.

        Args:
            shown: what of an item it was shown; None: whatever that model was shown first.

        Raises:
            ItemsError: there is no such run; the message lists those there are.
        """
        for run in self.runs:
            if (run.model, run.role) == (model, role) and shown in (None, run.shown):
                return run
        there = ", ".join(run.key for run in self.runs)
        raise ItemsError(f"{self.pack}: no vectors of {model}.{role}{f'.{shown}' if shown else ''}, there are {there}")

    def vectors(self, run: Run) -> NDArray[np.float32]:
        """(layers, items, dim), read from the file at every call.

        Raises:
            ItemsError: the file lacks them, or has others than the manifest says.
        """
        try:
            with np.load(self.path) as arrays:
                found = Rounded(*(arrays[f"{run.key}/{part}"] for part in ("codes", "least", "step")))
        except (KeyError, OSError, ValueError, zipfile.BadZipFile) as error:
            raise ItemsError(f"{self.path}: no vectors of {run.key} ({error})") from error
        expected = (run.layers, len(self), run.dim)
        if found.codes.shape != expected:
            raise ItemsError(f"{self.path}: {run.key} is {found.codes.shape}, the manifest says {expected}")
        return found.restore()


def vector_packs(folder: Path = VECTORS_FOLDER) -> tuple[PackVectors, ...]:
    """The packs whose items have vectors; no vector is read yet.

    Raises:
        ItemsError: there are none, a file is missing, or the manifest is damaged.
    """
    manifest = Manifest.read(folder)
    try:
        return tuple(
            PackVectors(
                record["pack"],
                {name: tuple(values) for name, values in record["labels"].items()},
                tuple(Run(**run) for run in record["runs"]),
                manifest.path(record["file"]),
                manifest.origin(record["file"]),
            )
            for record in manifest.values["packs"]
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ItemsError(f"{folder}: not a manifest of vectors ({error!r})") from error
