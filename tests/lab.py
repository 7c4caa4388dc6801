"""The app with tiny random models in place of the bundled ones, for the tests that run it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from analysis.subject import Subject
from data2vec_core.checkpoints.card import MODALITIES, PRETRAINING, Card, Metric, Modality
from ui.catalogue import TOOLS
from ui.page import build, launch_options
from ui.service import Service
from ui.settings import Settings


def bundle(checkpoints: dict[str, Path], folder: Path) -> Path:
    """Lay out tiny checkpoints under the names of the bundled models, each with a card."""
    for tool in TOOLS.values():
        place = folder / tool.default_model
        if place.is_dir():  # another tool's, too
            continue
        shutil.copytree(checkpoints[tool.task_name], place)
        Card(
            name=tool.default_model,
            modality=tool.modality,
            task=tool.purpose,
            title="Random weights",
            trained_on="nothing at all",
            licence="Apache-2.0",
            metrics=(Metric("accuracy", 0.5, "valid"), Metric("accuracy", 0.25, "test")),
        ).save(place)
    for modality in MODALITIES:
        _bundle_encoder(checkpoints[modality], folder / modality, modality)
    return folder


def _bundle_encoder(checkpoint: Path, place: Path, modality: Modality) -> None:
    """An encoder with a teacher that is not quite the student, and a predictor."""
    shutil.copytree(checkpoint, place, ignore=shutil.ignore_patterns("*.safetensors", "config.json"))
    torch.manual_seed(0)
    model = Subject.from_pretrained(checkpoint).pretraining
    with torch.no_grad():
        for parameter in model.teacher.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(place)
    Card(name=modality, modality=modality, task=PRETRAINING, title="Random weights", licence="Apache-2.0").save(place)


@contextmanager
def running(settings: Settings, service: Service | None = None) -> Iterator[str]:
    """The app on a free port of this machine; gives its address."""
    demo = build(settings, service)
    _, address, _ = demo.launch(
        **launch_options(settings), prevent_thread_lock=True, quiet=True, server_name="127.0.0.1"
    )
    try:
        yield address.rstrip("/")
    finally:
        demo.close()
