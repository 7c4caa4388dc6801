"""The checkpoints that come with the project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data2vec_core.checkpoints.card import Card
from data2vec_core.checkpoints.files import CARD_FILE

BUNDLED_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "models"


@dataclass(frozen=True)
class BundledModel:
    """A bundled checkpoint; `from_pretrained(model.name)` loads it."""

    name: str
    folder: Path
    card: Card


def bundled_models(root: Path = BUNDLED_FOLDER) -> list[BundledModel]:
    """The bundled checkpoints that have a card, by name; empty when the project is installed without its assets.

    Raises:
        CheckpointError: a card cannot be understood.
    """
    cards = sorted(root.glob(f"*/{CARD_FILE}"))
    return [BundledModel(path.parent.name, path.parent, Card.load(path.parent)) for path in cards]
