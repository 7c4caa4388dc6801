"""The models that the app knows by name: the bundled ones, the public checkpoints, and what visitors bring."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from data2vec_core.checkpoints.bundled import BUNDLED_FOLDER, bundled_models
from data2vec_core.checkpoints.card import PRETRAINING, Card, Metric, Modality
from ui.settings import PREFIX, SettingsError


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A model that the app knows by name."""

    card: Card
    folder: Path | None = None
    """Of a bundled model, or of one that a visitor brought; None for a checkpoint of the hub, which is downloaded on
    first use."""
    is_added: bool = False
    """Whether a visitor brought it."""

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
        return self.folder is not None and not self.is_added


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


def known_models(bundled_folder: Path | None = None, names: Collection[str] = ()) -> tuple[ModelEntry, ...]:
    """The bundled models of a folder (the project's own by default), then the public ones.

    Args:
        names: of those to leave it at; all when empty.

    Raises:
        SettingsError: a name that no model has.
    """
    bundled = (
        ModelEntry(card=model.card, folder=model.folder) for model in bundled_models(bundled_folder or BUNDLED_FOLDER)
    )
    models = (*bundled, *PUBLIC_MODELS)
    if unknown := set(names) - {model.name for model in models}:
        there_are = ", ".join(model.name for model in models)
        raise SettingsError(f"{PREFIX}MODELS names {', '.join(sorted(unknown))}, which is no model here: {there_are}")
    return tuple(model for model in models if not names or model.name in names)
