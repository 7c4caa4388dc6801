"""What a kind of task has to say of its own data: columns, folders, examples, and how they are learnt."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from data2vec_core.checkpoints.card import Modality
from data2vec_core.checkpoints.source import open_checkpoint
from data2vec_core.pretraining.schedule import Schedule, WarmupCosine
from recipes.finetuning.examples import Example
from recipes.finetuning.learning import FineTuning
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.own.folders import Account, scan
from recipes.own.labelled import FolderReader
from recipes.own.tables import Row

NO_CLASS = "in no class's folder"
Say = Callable[[str], object]


class OwnTask(ABC):
    """Base of the kinds of task.

    Args:
        checkpoint: where the fine-tuning starts.
        say: is told what there is to know of a run, line by line.

    Raises:
        CheckpointError, ValueError: it cannot be read, or this task has no use for it.
    """

    name: ClassVar[str]
    modality: ClassVar[Modality]
    formats: ClassVar[str]
    """A sentence on what the data may be, for the help."""
    columns: ClassVar[tuple[str, ...]]
    """Of a table."""
    files: ClassVar[tuple[str, ...]] = ()
    """Those of them that name files."""
    answerer: ClassVar[str]
    """Class of `data2vec_core.tasks` that answers with the model."""
    single: ClassVar[tuple[str, ...]] = ()
    """Ends of the names of files that are data alone."""
    batch: ClassVar[int]
    """Default, in units of `unit`."""
    unit: ClassVar[str]
    steps: ClassVar[int] = 1000
    """Default."""
    fixed: ClassVar[tuple[str, ...]] = ()
    """Parameters that stay as they are; see `Plan.fixed`."""
    has_labels: ClassVar[bool] = False
    """Whether the target of an example is one of several labels."""

    held_groups: ClassVar[int] = 1
    """Speakers (or what else the column `speaker` names) that are held apart, at least."""

    def __init__(self, checkpoint: str, say: Say) -> None:
        self.checkpoint = checkpoint
        self.say = say
        self.config: dict[str, Any] = open_checkpoint(checkpoint).read_config()

    def begin(self, data: Path) -> None:  # noqa: B027 (most need nothing)
        """Look at what lies beside the examples."""

    @property
    def read_folder(self) -> FolderReader | None:
        """What a folder without a table may be; None: nothing."""
        return None

    @abstractmethod
    def example(self, row: Row) -> Example[Any, Any]:
        """What a row says.

        Raises:
            WrongRowError: what cannot be.
            ValueError, OSError: a file cannot be used; `reason_for` gives the reason.
        """

    def check(  # noqa: B027 (most need nothing)
        self, train: Sequence[Example[Any, Any]], valid: Sequence[Example[Any, Any]]
    ) -> None:
        """Whether the examples together are of use.

        Raises:
            ValueError: a sentence on what is wrong and what to do.
        """

    @abstractmethod
    def tuning(
        self,
        start: Start,
        plan: FinePlan,
        train: Sequence[Example[Any, Any]],
        valid: Sequence[Example[Any, Any]],
        batch: int,
    ) -> FineTuning[Any]:
        """What `learn` takes."""

    def finish(self, tuning: FineTuning[Any], folder: Path) -> None:  # noqa: B027 (most need nothing)
        """Choose on the valid examples what is needed to answer beside the weights, and write it into their folder."""

    def schedule(self, rate: float, steps: int) -> Schedule:
        """Of the learning rate."""
        return WarmupCosine(peak=rate, total=steps, warmup=max(1, steps // 10))

    @classmethod
    def how_to_use(cls, out: Path) -> str:
        """Lines of Python that load what was learnt."""
        name = cls.answerer
        return (
            f'{out} is ready:\n    from data2vec_core.tasks import {name}\n    answer = {name}.from_pretrained("{out}")'
        )


def rows_by_class(folder: Path, skipped: Account, modality: Modality, column: str, label: str = "label") -> list[Row]:
    """A row for every file in a folder of folders, each of which is called as the class of what lies in it.

    Args:
        skipped: is told what is left out.
        column: that gets the file.
        label: column that gets the class.

    Raises:
        ValueError: there are no such folders, or one is empty.
    """
    classes = sorted(child.name for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    if not classes:
        raise ValueError(
            f"{folder} has neither a table nor folders; put the files of each class in a folder of its name"
        )
    rows = []
    found = scan(folder, modality)
    skipped.include(found.skipped)
    for entry in found.entries:
        name, slash, _ = entry.name.partition("/")
        if slash:
            rows.append(Row({column: str(folder / entry.name), label: name}, entry.name))
        else:
            skipped.add(NO_CLASS, entry.name)
    filled = {row.values[label] for row in rows}
    if empty := [name for name in classes if name not in filled]:
        raise ValueError(f"nothing in {folder / empty[0]} can be used; fill the folder or remove it")
    return rows
