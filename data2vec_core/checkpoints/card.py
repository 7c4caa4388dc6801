"""The card of a checkpoint: what it is, what it was trained on, and how well it did. Kept beside it as `card.json`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, get_args

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.files import CARD_FILE, read_json, write_json

Modality = Literal["audio", "text", "vision"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)
PRETRAINING = "pretraining"
"""Task of a card whose model is an encoder without a head."""


@dataclass(frozen=True)
class Metric:
    """One measured score."""

    name: str
    """Such as `word error rate`, `accuracy` or `mean IoU`."""
    value: float
    """Shares and rates as fractions (0.42, not 42)."""
    split: str
    """What it was measured on: `valid` or `test`."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """Facts about one checkpoint, for the person who chooses it.

    Raises:
        ValueError: `name` or `task` is empty, or `modality` is none of the three.
    """

    name: str
    """The bundled name, such as `an4`."""
    modality: Modality
    task: str
    """What it does: `transcription`, `classification`, `segmentation`, ...; `pretraining` of an encoder alone."""
    title: str = ""
    """A few words for a list: `Spelled names and dates (English)`."""
    description: str = ""
    """A paragraph: what it can and cannot do."""
    trained_on: str = ""
    """The data, with its size: `CMU AN4, 35 minutes of speech`."""
    training_items: int | None = None
    """Labelled clips, texts, pictures, ... of the train split, as they are counted there."""
    baseline: str = ""
    """What a classical model makes of the same data: `accuracy 56.9 % (MFCC, support vector machine)`."""
    advice: str = ""
    """A line for a visitor: what to try, and what it will not do."""
    licence: str = ""
    """Of the weights, as an SPDX name where there is one."""
    parent: str | None = None
    """The checkpoint this one was trained from."""
    backbone: str | None = None
    """A folder relative to this one, or a bundled name, that holds the encoder's tensors; None: they are here."""
    metrics: tuple[Metric, ...] = ()
    """The main score first."""
    minutes: float | None = None
    """Training time."""
    date: str | None = None
    """Of training, as YYYY-MM-DD."""
    parameters: int | None = None
    """Number of parameters of the whole model, a shared backbone included."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Anything else worth keeping (recipe, step, seed), JSON-ready. Fields of the file that this class does not have
    land here too."""

    def __post_init__(self) -> None:
        if self.modality not in MODALITIES:
            raise ValueError(f"Card.modality={self.modality!r}: expected one of {MODALITIES}")
        for name in ("name", "task"):
            if not isinstance(value := getattr(self, name), str) or not value:
                raise ValueError(f"Card.{name}={value!r}: expected a word or two")

    @property
    def is_encoder(self) -> bool:
        """Whether the model is an encoder without a head, which has no answers."""
        return self.task == PRETRAINING

    def metric(self, name: str, split: str = "test") -> float | None:
        """Value of one score; None when the card does not state it."""
        return next((m.value for m in self.metrics if (m.name, m.split) == (name, split)), None)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict; fields that say nothing are left out."""
        values = dataclasses.asdict(self)
        return {name: value for name, value in values.items() if value not in (None, "", (), {})}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build from the dict of a `card.json`.

        Raises:
            ValueError: a field is missing or has a value that breaks a rule.
        """
        names = {f.name for f in dataclasses.fields(cls)}
        known: dict[str, Any] = {name: value for name, value in values.items() if name in names}
        unknown = {name: value for name, value in values.items() if name not in names}
        if unknown:
            known["extra"] = {**known.get("extra", {}), **unknown}
        try:
            known["metrics"] = tuple(Metric(**metric) for metric in known.get("metrics", ()))
            return cls(**known)
        except TypeError as error:
            raise ValueError(f"not a card: {error}") from None

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read the card of a checkpoint folder.

        Raises:
            CheckpointError: there is none, or it cannot be understood.
        """
        path = Path(folder) / CARD_FILE
        try:
            return cls.from_dict(read_json(path))
        except ValueError as error:
            raise CheckpointError(f"{path} cannot be understood: {error}") from None

    def save(self, folder: str | Path) -> None:
        """Write `card.json` into an existing folder."""
        write_json(Path(folder) / CARD_FILE, self.to_dict())
