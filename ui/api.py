"""The public endpoints: typed, JSON in and out, the same answers and the same sentences as the page."""

from __future__ import annotations

from typing import Any, TypedDict

import gradio as gr
from gradio.data_classes import FileData

from ui.catalogue import ModelEntry, ToolName
from ui.drawing import draw_segmentation
from ui.errors import explained
from ui.inputs import upload_path
from ui.panel import MODEL_QUEUE
from ui.service import Service


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


class ClassesAnswer(TypedDict):
    """Of the three classifiers; every class, best first."""

    labels: list[LabelAnswer]
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


def add_endpoints(service: Service) -> None:
    """Add the six endpoints to the page that is being built."""

    def ask(tool: ToolName, source: Any, model: str) -> dict[str, Any]:
        answer: dict[str, Any] = service.ask(tool, source, model).result.to_json()
        return answer

    def transcribe(audio: FileData, model: str = "an4") -> TranscriptAnswer:
        """Transcribe a sound file, with the time and confidence of every word.

        Args:
            audio: WAV, FLAC, OGG or MP3, within the host's limits of seconds and megabytes.
            model: a name of /list_models, a hub id, or a local folder where the host allows it.
        """
        return ask("transcribe", upload_path(audio), model)  # type: ignore[return-value]

    def classify_audio(audio: FileData, model: str = "commands") -> ClassesAnswer:
        """Name the classes that a sound may belong to, best first.

        Args:
            audio: WAV, FLAC, OGG or MP3, within the host's limits of seconds and megabytes.
            model: a name of /list_models, a hub id, or a local folder where the host allows it.
        """
        return ask("classify_audio", upload_path(audio), model)  # type: ignore[return-value]

    def classify_text(text: str, model: str = "sst2") -> ClassesAnswer:
        """Name the classes that a text may belong to, best first.

        Args:
            text: within the host's limit of characters.
            model: a name of /list_models, a hub id, or a local folder where the host allows it.
        """
        return ask("classify_text", text, model)  # type: ignore[return-value]

    def classify_image(image: FileData, model: str = "objects") -> ClassesAnswer:
        """Name the classes that a picture may belong to, best first.

        Args:
            image: JPEG, PNG or WebP, within the host's limits of pixels and megabytes.
            model: a name of /list_models, a hub id, or a local folder where the host allows it.
        """
        return ask("classify_image", upload_path(image), model)  # type: ignore[return-value]

    def segment_image(image: FileData, model: str = "pets3") -> SegmentationAnswer:
        """Give every pixel of a picture a class: shares, a PNG of class ids, and a PNG of the photo with its classes.

        Args:
            image: JPEG, PNG or WebP, within the host's limits of pixels and megabytes.
            model: a name of /list_models, a hub id, or a local folder where the host allows it.
        """
        answer = service.ask("segment_image", upload_path(image), model)
        drawing = draw_segmentation(answer)
        files = {"mask": _served(drawing.mask), "overlay": _served(drawing.overlay)}
        return answer.result.to_json() | files

    def list_models() -> list[ModelAnswer]:
        """List the bundled models and the public checkpoints, with what is known about each."""
        return [_described(entry) for entry in service.models]

    limit = service.settings.parallel_runs
    for endpoint in (transcribe, classify_audio, classify_text, classify_image, segment_image):
        gr.api(explained(endpoint), api_name=endpoint.__name__, concurrency_id=MODEL_QUEUE, concurrency_limit=limit)
    gr.api(explained(list_models), api_name="list_models")


def _served(path: str) -> dict[str, Any]:
    """A file of the app's cache as an answer that clients download."""
    return FileData(path=path, mime_type="image/png").model_dump()


def _described(entry: ModelEntry) -> ModelAnswer:
    metric = entry.main_metric
    return {
        "name": entry.name,
        "modality": entry.card.modality,
        "task": entry.card.task,
        "bundled": entry.is_bundled,
        "score": metric.value if metric else None,
        "metric": metric.name if metric else None,
        "split": metric.split if metric else None,
        "title": entry.card.title,
        "trained_on": entry.card.trained_on,
        "licence": entry.card.licence,
    }
