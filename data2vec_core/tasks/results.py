"""What tasks return: frozen dataclasses that turn into JSON."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Result:
    """Base of all task results."""

    model: str
    """The bundled name, folder or hub id that answered."""

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists, strings and numbers."""
        values = dataclasses.asdict(self)  # which leaves tuples as they are
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


@dataclass(frozen=True, kw_only=True)
class Word:
    """One word of a transcript."""

    word: str
    start: float
    """Seconds from the start of the clip."""
    end: float
    """Seconds."""
    confidence: float
    """Geometric mean of the probabilities of its characters' frames, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Transcript(Result):
    """Of a speech clip."""

    text: str
    words: tuple[Word, ...]
    duration: float
    """Length of the clip in seconds."""


@dataclass(frozen=True, kw_only=True)
class LabelScore:
    """A class and its probability."""

    label: str
    score: float


@dataclass(frozen=True, kw_only=True)
class Classification(Result):
    """Of a clip, a text or a picture."""

    labels: tuple[LabelScore, ...]
    """Every class, best first."""


@dataclass(frozen=True, kw_only=True)
class ClassShare:
    """How much of a picture one class covers."""

    label: str
    id: int
    fraction: float
    """Of the picture's pixels, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Segmentation(Result):
    """Of a picture."""

    classes: tuple[ClassShare, ...]
    """The classes that occur, largest first."""
    mask: NDArray[np.uint8]
    """(height, width) class ids, at the picture's own size."""

    def to_json(self) -> dict[str, Any]:
        """Without the mask, which is a picture of its own."""
        return {
            "classes": [dataclasses.asdict(share) for share in self.classes],
            "model": self.model,
        }
