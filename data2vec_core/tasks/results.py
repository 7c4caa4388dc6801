"""What tasks return: frozen dataclasses that turn into JSON."""

from __future__ import annotations

import base64
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
class Alternative:
    """A text that a clip may say."""

    text: str
    log_probability: float
    """Natural logarithm of its share of all texts, as far as the search has followed its alignments."""


@dataclass(frozen=True, kw_only=True)
class Transcript(Result):
    """Of a speech clip."""

    text: str
    words: tuple[Word, ...]
    duration: float
    """Length of the clip in seconds."""
    alternatives: tuple[Alternative, ...] = ()
    """The best texts as the search ranks them, the first of which is `text`; empty unless they were asked for."""

    def to_json(self) -> dict[str, Any]:
        """`alternatives` only where there are some."""
        values = super().to_json()
        if not self.alternatives:
            del values["alternatives"]
        return values


@dataclass(frozen=True, kw_only=True)
class LiveText(Result):
    """What has been understood of speech that goes on. Its whole text is `stable + provisional`."""

    stable: str
    """Will not change any more: later texts begin with it."""
    provisional: str
    """May change with what comes next."""
    duration: float
    """Seconds heard so far."""


@dataclass(frozen=True, kw_only=True)
class Emissions(Result):
    """What a CTC model makes of every frame of a clip, before any text is read from it."""

    log_probabilities: NDArray[np.float32]
    """(frames, tokens), natural logarithms."""
    tokens: tuple[str, ...]
    """By id."""
    blank: int
    """Id of the token that stands for no character."""
    seconds_per_frame: float
    """From the start of one frame to that of the next."""
    duration: float
    """Length of the clip in seconds."""

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """(frames, tokens); every frame sums to 1."""
        return np.exp(self.log_probabilities)

    @property
    def best_path(self) -> NDArray[np.intp]:
        """(frames,): the most probable token of every frame."""
        return self.log_probabilities.argmax(axis=1)

    def quantised(self, floor: float = -10.0) -> NDArray[np.uint8]:
        """(frames, tokens): log probabilities in 255 equal steps from `floor`, or less, at 0 up to 0 at 255.

        Raises:
            ValueError: the floor is not below 0.
        """
        if not floor < 0:
            raise ValueError(f"floor={floor}: expected a log probability below 0")
        steps = np.rint(255 * (1 - self.log_probabilities.clip(min=floor, max=0.0) / floor))
        return steps.astype(np.uint8)

    def to_json(self) -> dict[str, Any]:
        """Quantised with the usual floor, in base64, row by row."""
        floor = -10.0
        return {
            "log_probabilities": base64.b64encode(self.quantised(floor).tobytes()).decode(),
            "floor": floor,
            "shape": list(self.log_probabilities.shape),
            "tokens": list(self.tokens),
            "blank": self.blank,
            "best_path": self.best_path.tolist(),
            "seconds_per_frame": self.seconds_per_frame,
            "duration": self.duration,
            "model": self.model,
        }


@dataclass(frozen=True, kw_only=True)
class AlignedSpan:
    """A character or a word of a given text, and the frames that spell it."""

    text: str
    start_frame: int
    end_frame: int
    """Exclusive. Models of this kind write a character in a few frames and leave the rest to the blank: it marks an
    instant rather than how long the sound was."""
    start: float
    """Seconds from the start of the clip."""
    end: float
    """Seconds."""
    score: float
    """Geometric mean of the probabilities of its frames, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Alignment(Result):
    """Where in a clip a given text is said."""

    text: str
    """As the model spells it."""
    characters: tuple[AlignedSpan, ...]
    """In order; the space between two words counts as one."""
    words: tuple[AlignedSpan, ...]
    path: tuple[int, ...]
    """(frames,): the token that every frame takes."""
    log_probability: float
    """Of the path, summed over all frames."""


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
