"""A fine-tuning on one's own labelled data, from the first look at it to what `learn` takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data2vec_core.processing.any import modality_of
from recipes.finetuning.examples import Example
from recipes.finetuning.learning import FineTuning
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.own.folders import Account, reason_for
from recipes.own.labelled import SPEAKER_COLUMN, TEST_PART, Part, find_rows, hold_apart
from recipes.own.run_folder import claim
from recipes.own.tables import Row, WrongRowError
from recipes.own.tasks import OWN_TASKS
from recipes.own.tasks.task import OwnTask, Say

SETTINGS_FILE = "finetune.json"
"""In the run's folder: what may not change when it goes on."""
RATE_SMALL, RATE_LARGE = 5e-4, 5e-5
"""Learning rates of encoders as wide as the bundled ones, and of those as wide as the published."""
WIDE = 512
"""From this width on an encoder is large."""
SCORES = 20
"""Times that a run is scored."""
NAMED = 3
"""Wrong rows that a sentence names."""


@dataclass(frozen=True, kw_only=True)
class FineWishes:
    """What the person at the command line asks for; None leaves it to the kind of task."""

    task: str
    data: Path
    out: Path
    start: str | None = None
    steps: int | None = None
    batch: int | None = None
    rate: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name}={value}: at least 1")
        if self.rate is not None and not 0 < self.rate < 1:
            raise ValueError(f"rate={self.rate}: above 0 and below 1")
        if self.seed < 0:
            raise ValueError(f"seed={self.seed}: at least 0")

    def kept(self) -> dict[str, Any]:
        """What may not change when a run goes on."""
        names = ("task", "start", "steps", "batch", "rate", "seed")
        return {**{name: getattr(self, name) for name in names}, "data": str(self.data.resolve())}


@dataclass(frozen=True)
class FineRun:
    """A task, and what `learn` takes of it."""

    task: OwnTask
    tuning: FineTuning[Any]


@dataclass(frozen=True)
class _Item:
    """A usable row."""

    example: Example[Any, Any]
    part: Part | None
    row: Row


def prepare(wishes: FineWishes, say: Say) -> FineRun:
    """Look at the data, and make of it what is to be learnt.

    Args:
        say: is told, line by line, what there is and what is done with it.

    Raises:
        ValueError, CheckpointError: a sentence for the person at the command line.
    """
    kind = OWN_TASKS[wishes.task]
    checkpoint = wishes.start or kind.modality
    if (found := modality_of(checkpoint)) != kind.modality:
        raise ValueError(f"--from {checkpoint} is a model of {found}, and {kind.name} needs one of {kind.modality}")
    task = kind(checkpoint, say)
    task.begin(wishes.data)
    skipped = Account()
    items = _items(task, wishes.data, skipped)
    if skipped.total:
        say(f"skipped: {skipped}")
    train, valid = _parts(task, wishes, items, say)
    task.check(train, valid)
    steps, batch = wishes.steps or kind.steps, wishes.batch or kind.batch
    rate = wishes.rate or (RATE_LARGE if task.config.get("hidden_size", 768) >= WIDE else RATE_SMALL)
    plan = FinePlan(
        schedule=task.schedule(rate, steps),
        fixed=kind.fixed,
        layer_decay=0.85,
        average=0.99,
        score_every=max(1, steps // SCORES),
        seed=wishes.seed,
    )
    tuning = task.tuning(Start(checkpoint), plan, train, valid, batch)
    claim(wishes.out, {**wishes.kept(), "examples": [len(train), len(valid)]}, SETTINGS_FILE)
    say(f"begins with {checkpoint}; steps: {steps:,} of {batch:,} {kind.unit}, peak rate {rate:g}")
    return FineRun(task, tuning)


def _items(task: OwnTask, data: Path, skipped: Account) -> list[_Item]:
    """What can be used.

    Raises:
        ValueError: no such data, rows that say what cannot be, or nothing that can be used.
    """
    found = find_rows(
        data,
        columns=task.columns,
        files=task.files,
        read_folder=task.read_folder,
        skipped=skipped,
        single=task.single,
    )
    if found.left_alone:
        skipped.counts[TEST_PART] += found.left_alone
        skipped.examples[TEST_PART] = [data.name]
    items, wrong = [], []
    for row, part in tqdm(found.rows, desc="reading", unit="example", disable=None, leave=False):
        try:
            items.append(_Item(task.example(row), part, row))
        except WrongRowError as error:
            wrong.append(f"{row.place}: {error}")
        except (ValueError, OSError) as error:
            skipped.add(reason_for(error), row.place)
    if wrong:
        more = f" (and {len(wrong) - NAMED} more rows)" if len(wrong) > NAMED else ""
        raise ValueError(f"{'; '.join(wrong[:NAMED])}{more}; correct or remove what is wrong")
    return items


def _parts(
    task: OwnTask, wishes: FineWishes, items: Sequence[_Item], say: Say
) -> tuple[list[Example[Any, Any]], list[Example[Any, Any]]]:
    """What is learnt from, and what is chosen by."""
    if not items:
        raise ValueError(f"{wishes.data} has nothing that {task.name} can be taught with: {task.formats}")
    if is_held := all(item.part is None for item in items):
        train, valid = hold_apart(
            items,
            stratum=lambda item: item.example.target if task.has_labels else 0,
            group=lambda item: item.row.values.get(SPEAKER_COLUMN),
            least=task.held_groups,
            seed=wishes.seed,
        )
    else:
        train = [item for item in items if item.part == "train"]
        valid = [item for item in items if item.part == "valid"]
    for name, part in (("train", train), ("valid", valid)):
        if not part:
            raise ValueError(
                f"{wishes.data} has no example for {name} that can be used; two at least are needed in all"
            )
    how = f"held apart by seed {wishes.seed}" if is_held else "as the data says"
    say(f"{wishes.data}: {len(train):,} examples to learn from, {len(valid):,} to choose by ({how})")
    if task.has_labels:
        counts = Counter(item.example.target for item in train)
        say("labels: " + ", ".join(f"{label} ({count:,})" for label, count in sorted(counts.items())))
    return [item.example for item in train], [item.example for item in valid]
