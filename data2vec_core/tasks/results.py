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
    outside: bool | None = None
    """Whether the input is unlike everything that the model was trained on, so that no class need be right; None where
    the checkpoint does not say."""

    def to_json(self) -> dict[str, Any]:
        """`outside` only where it is known."""
        values = super().to_json()
        if self.outside is None:
            del values["outside"]
        return values


@dataclass(frozen=True, kw_only=True)
class Entity:
    """Words of a text that name something."""

    text: str
    """As written: the text from `start` to `end`."""
    label: str
    """What they name: `city`, `artist`, ..."""
    start: int
    """First character in the whole text."""
    end: int
    """Exclusive."""
    score: float
    """Geometric mean of the probabilities of its words' tags, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class TaggedText(Result):
    """What a text names."""

    entities: tuple[Entity, ...]
    """In the order of the text; no two overlap."""


@dataclass(frozen=True, kw_only=True)
class Filling:
    """What may stand behind the masks of a text."""

    token: str
    """Without spaces around; where a text has several masks, one for each, with spaces between."""
    score: float
    """Its probability, 0 to 1; of several, that of all together."""
    text: str
    """The text with it in place."""


@dataclass(frozen=True, kw_only=True)
class FilledText(Result):
    """Of a text with masks."""

    predictions: tuple[Filling, ...]
    """Best first."""


@dataclass(frozen=True, kw_only=True)
class Continuation(Result):
    """Of the beginning of a text."""

    text: str
    """The beginning, as it was given, and what was written after it."""


@dataclass(frozen=True, kw_only=True)
class Answer(Result):
    """To a question about a passage."""

    answer: str
    """As written: the passage from `start` to `end`."""
    start: int
    """First character in the passage."""
    end: int
    """Exclusive."""
    score: float
    """Probability of its start times that of its end, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Choice(Result):
    """Among options."""

    choice: int
    """Index of the best."""
    scores: tuple[float, ...]
    """Probability of every option, in the order given; they sum to 1."""


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


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A stretch of speech of one speaker."""

    speaker: str
    """`first` or `second`, in the order in which they are heard."""
    start: float
    """Seconds from the start of the clip."""
    end: float
    """Seconds."""


@dataclass(frozen=True, kw_only=True)
class Activity(Result):
    """Who speaks when in a clip."""

    segments: tuple[Turn, ...]
    """By start; those of two speakers may overlap."""
    duration: float
    """Length of the clip in seconds."""


@dataclass(frozen=True, kw_only=True)
class Verification(Result):
    """Whether two clips are of one voice."""

    similarity: float
    """Cosine of the two clips' vectors, -1 to 1."""
    threshold: float
    """From which on they count as one voice."""
    same_speaker: bool
