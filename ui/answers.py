"""What the public endpoints answer, as JSON."""

from __future__ import annotations

from typing import TypedDict

from gradio.data_classes import FileData


class WordTime(TypedDict):
    """One word; seconds from the start, confidence 0 to 1."""

    word: str
    start: float
    end: float
    confidence: float


class TranscriptAnswer(TypedDict):
    """Of `/transcribe`; duration in seconds."""

    text: str
    words: list[WordTime]
    duration: float
    model: str


class LabelAnswer(TypedDict):
    """A class and its probability."""

    label: str
    score: float


class ClassesAnswer(TypedDict, total=False):
    """Of the three classifiers; every class, best first."""

    labels: list[LabelAnswer]
    outside: bool
    """Whether the input is unlike everything that the model was trained on; left out where the model does not say."""
    model: str


class SimilarityAnswer(TypedDict):
    """Of `/compare_speakers`; cosine, -1 to 1, and from where on it counts as one voice."""

    similarity: float
    threshold: float
    same_speaker: bool
    model: str


class TurnAnswer(TypedDict):
    """Speech of one voice, `first` or `second`; seconds from the start."""

    speaker: str
    start: float
    end: float


class ActivityAnswer(TypedDict):
    """Of `/speaker_activity`; by start, and two voices may overlap."""

    segments: list[TurnAnswer]
    model: str


class EntityAnswer(TypedDict):
    """Words of a text that name something; characters from the start, the end exclusive."""

    text: str
    label: str
    start: int
    end: int
    score: float


class TagsAnswer(TypedDict):
    """Of `/tag_tokens`; in the order of the text."""

    entities: list[EntityAnswer]
    model: str


class FoundAnswer(TypedDict):
    """Of `/answer_question`; characters of the passage, the end exclusive."""

    answer: str
    start: int
    end: int
    score: float
    model: str


class ChoiceAnswer(TypedDict):
    """Of `/choose`; index of the best, and every option's probability in the order given."""

    choice: int
    scores: list[float]
    model: str


class FillingAnswer(TypedDict):
    """What may stand behind the masks, its probability, and the text with it in place."""

    token: str
    score: float
    text: str


class FillingsAnswer(TypedDict):
    """Of `/fill_mask`; best first."""

    predictions: list[FillingAnswer]
    model: str


class ContinuationAnswer(TypedDict):
    """Of `/continue_text`; the beginning as it was given, and what was written after it."""

    text: str
    model: str


class ShareAnswer(TypedDict):
    """A class of a picture; fraction of its pixels, 0 to 1."""

    label: str
    id: int
    fraction: float


class SegmentationAnswer(TypedDict):
    """Of `/segment_image`; both files are PNG, at the picture's own size."""

    classes: list[ShareAnswer]
    mask: FileData
    overlay: FileData
    model: str


class ModelAnswer(TypedDict):
    """Of `/list_models`. The score is a fraction, None where nothing was measured here."""

    name: str
    modality: str
    task: str
    bundled: bool
    score: float | None
    metric: str | None
    split: str | None
    title: str
    trained_on: str
    licence: str
