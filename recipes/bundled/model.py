"""What there is to know of a bundled model with a head: how it is taught, and how it is scored."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data2vec_core.checkpoints.card import Card, Metric
from recipes.finetuning.examples import Example
from recipes.finetuning.learning import FineTuning
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.packs import Split

Tuning = Callable[[Start, FinePlan, Sequence[Any], Sequence[Any]], FineTuning[Any]]
"""From where to start, the plan, and the train and valid examples, to what `learn` takes."""
Evaluation = Callable[[str | Path, Path, Split], list[Metric]]
"""From a model (name or folder), the folder of the packs and a split, to its scores: asked through its task, as the app
asks it, raw input in, answer out."""


@dataclass(frozen=True, kw_only=True)
class Sitting:
    """One fine-tuning among several."""

    plan: FinePlan
    tuning: Tuning
    until: int | None = None
    """Step at which it was ended, before its plan was fulfilled; None: it was not."""


@dataclass(frozen=True, kw_only=True)
class BundledModel:
    """One bundled model with a head."""

    card: Card
    """Facts known beforehand; scores, minutes and date follow. Its parent is where the fine-tuning starts."""
    plan: FinePlan
    examples: Callable[[Path, Split], Sequence[Example[Any, Any]]]
    """Of a split of the packs in a folder."""
    tuning: Tuning
    evaluate: Evaluation
    further: tuple[Sitting, ...] = ()
    """Fine-tunings after the first, each from where the one before ended."""
    until: int | None = None
    """Of the first; see `Sitting`."""
    stratum: Callable[[Example[Any, Any]], Hashable] = lambda example: example.target
    """What has to be represented when only a share of the train examples is used; see `few_of`."""
    finish: Callable[[Path, Path], None] = lambda folder, data: None  # noqa: ARG005
    """Chooses on valid what the task needs beside the weights (a threshold, say), and writes it into the folder of the
    finished model; gets that folder and the one of the packs."""

    @property
    def sittings(self) -> tuple[Sitting, ...]:
        """All fine-tunings, in order."""
        return (Sitting(plan=self.plan, tuning=self.tuning, until=self.until), *self.further)

    def folders(self, run: Path) -> list[Path]:
        """Where each of them is in the folder of a run: there, or in folders 1, 2, ... of it when there are several."""
        sittings = self.sittings
        return [run] if len(sittings) == 1 else [run / str(number) for number, _ in enumerate(sittings, 1)]
