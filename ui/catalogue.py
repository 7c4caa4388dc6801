"""What the app can do, and with which models: the five tools, the bundled models, the public checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from data2vec_core.checkpoints.bundled import BUNDLED_FOLDER, bundled_models
from data2vec_core.checkpoints.card import PRETRAINING, Card, Metric, Modality

ToolName = Literal["transcribe", "classify_audio", "classify_text", "classify_image", "segment_image"]
Task = Callable[[Any], Any]
"""A loaded task of `data2vec_core.tasks`: an input of its modality in, a result out."""


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One thing that a visitor can do with an input."""

    name: ToolName
    """Also that of its endpoint."""
    modality: Modality
    task: str
    """As cards name it."""
    example_task: str
    """As the list of shipped examples names it."""
    default_model: str
    task_class: str
    """In `data2vec_core.tasks`."""

    def fits(self, card: Card) -> bool:
        """Whether a model was made for this tool."""
        return (card.modality, card.task) == (self.modality, self.task)

    def load(self, folder_or_name: str) -> Task:
        """Build the task from a checkpoint."""
        from data2vec_core import tasks  # brings in torch, which the page can open without

        task: Task = getattr(tasks, self.task_class).from_pretrained(folder_or_name)
        return task


TOOLS: dict[ToolName, Tool] = {
    tool.name: tool
    for tool in (
        Tool(
            name="transcribe",
            modality="audio",
            task="transcription",
            example_task="transcription",
            default_model="an4",
            task_class="Transcriber",
        ),
        Tool(
            name="classify_audio",
            modality="audio",
            task="classification",
            example_task="audio-classification",
            default_model="commands",
            task_class="AudioClassifier",
        ),
        Tool(
            name="classify_text",
            modality="text",
            task="classification",
            example_task="text-classification",
            default_model="sst2",
            task_class="TextClassifier",
        ),
        Tool(
            name="classify_image",
            modality="vision",
            task="classification",
            example_task="image-classification",
            default_model="objects",
            task_class="ImageClassifier",
        ),
        Tool(
            name="segment_image",
            modality="vision",
            task="segmentation",
            example_task="segmentation",
            default_model="pets3",
            task_class="ImageSegmenter",
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A model that the app knows by name."""

    card: Card
    folder: Path | None = None
    """Of a bundled model; None for a public checkpoint, which is downloaded on first use."""

    @property
    def name(self) -> str:
        """What to type to get it."""
        return self.card.name

    @property
    def main_metric(self) -> Metric | None:
        """The score to judge it by: the first on a test split, else the first."""
        metrics = self.card.metrics
        return next((metric for metric in metrics if metric.split == "test"), metrics[0] if metrics else None)

    @property
    def is_bundled(self) -> bool:
        """Whether it works without a network."""
        return self.folder is not None


def _public(name: str, modality: Modality, task: str, trained_on: str) -> ModelEntry:
    return ModelEntry(card=Card(name=name, modality=modality, task=task, trained_on=trained_on))


PUBLIC_MODELS: tuple[ModelEntry, ...] = (
    _public(
        "facebook/data2vec-audio-base-960h",
        "audio",
        "transcription",
        "960 hours of LibriSpeech, without labels and then with its transcripts",
    ),
    _public("facebook/data2vec-audio-base", "audio", PRETRAINING, "960 hours of LibriSpeech, without labels"),
    _public("facebook/data2vec-text-base", "text", PRETRAINING, "Books Corpus and English Wikipedia"),
    _public("facebook/data2vec-vision-base", "vision", PRETRAINING, "ImageNet-1K, without labels"),
    _public(
        "facebook/data2vec-vision-base-ft1k",
        "vision",
        "classification",
        "ImageNet-1K, without labels and then with its 1000 classes",
    ),
)
"""The checkpoints that the authors released (Hugging Face hub)."""


def known_models(bundled_folder: Path | None = None) -> tuple[ModelEntry, ...]:
    """The bundled models of a folder (the project's own by default), then the public ones."""
    bundled = (
        ModelEntry(card=model.card, folder=model.folder) for model in bundled_models(bundled_folder or BUNDLED_FOLDER)
    )
    return (*bundled, *PUBLIC_MODELS)
