"""One's own labelled data: a table, or folders whose names say what lies in them; which part is learnt from, and which
is held apart to choose by.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar

import numpy as np

from recipes.own.folders import Account
from recipes.own.tables import SUFFIXES, Row, TableError, is_table, read_table

Part = Literal["train", "valid"]
Item = TypeVar("Item")

SPLIT_COLUMN: Final = "split"
SPEAKER_COLUMN: Final = "speaker"
PARTS: Final[dict[str, Part | None]] = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "test": None,
}
"""What a `split` column says, or a folder or table is called, and what is done with it; None: it is left alone."""
HELD_APART: Final = 0.1
"""Share of the examples, where the data does not say."""
TEST_PART = "of a test part"
"""Why rows are left out; they are for reporting, which training leaves to others."""
METADATA: Final = "metadata"
"""Name of a table that says what lies in its folder."""

FolderReader = Callable[[Path, Account], list[Row]]
"""From a folder without a table to a row for each of its files, file names whole; what is left out is noted."""


@dataclass(frozen=True)
class Found:
    """Rows of one's data, as far as it says itself what they are for."""

    rows: tuple[tuple[Row, Part | None], ...]
    """Each with its part; None: nothing says."""
    left_alone: int
    """Rows of a test part that were read."""


def find_rows(
    data: Path,
    *,
    columns: Sequence[str],
    files: Sequence[str],
    read_folder: FolderReader | None,
    skipped: Account,
    single: tuple[str, ...] = (),
) -> Found:
    """The rows of a table, of a folder with one (or with `train` and `valid`), or of a folder of files.

    Args:
        columns: that a table must have.
        files: those of them that name files, which are looked for from the table's folder.
        read_folder: what else a folder may be; None: it needs a table.
        skipped: is told what is left out.
        single: ends of the names of files that `read_folder` takes alone.

    Raises:
        ValueError: a sentence that says what is missing and what to do.
    """
    if data.is_file():
        if read_folder is not None and data.name.lower().endswith(single):
            return _parted(read_folder(data, skipped))
        return _of_table(data, None, columns, files)
    if not data.is_dir():
        raise ValueError(f"there is no folder or table {data}")
    tables = sorted(child for child in data.iterdir() if is_table(child) and not child.name.startswith("."))
    if tables:
        return _of_tables(data, tables, columns, files)
    if read_folder is None:
        raise ValueError(f"{data} has no table; give one of {', '.join(SUFFIXES)} with the columns {_listed(columns)}")
    folders = sorted(child for child in data.iterdir() if child.is_dir() and not child.name.startswith("."))
    names = {child.name for child in folders}
    if "train" not in names or not names <= PARTS.keys():  # trains may be a class beside cars
        return _parted(read_folder(data, skipped))
    parts = {child: PARTS[child.name] for child in folders}
    rows: list[tuple[Row, Part | None]] = []
    has_valid = any(part == "valid" for part in parts.values())
    for folder, part in parts.items():
        if part is not None:
            rows += [(row, part if has_valid else None) for row in read_folder(folder, skipped)]
    return Found(tuple(rows), 0)


def _of_tables(data: Path, tables: list[Path], columns: Sequence[str], files: Sequence[str]) -> Found:
    """The table called `metadata`, those called `train` and so on, or the only one."""
    stems = {table: table.name.partition(".")[0] for table in tables}
    if own := [table for table in tables if stems[table] == METADATA]:
        tables = own
    elif "train" in map(PARTS.get, stems.values()):
        parts = {table: PARTS[stem] for table, stem in stems.items() if stem in PARTS}
        has_valid = "valid" in parts.values()
        found = [
            _of_table(table, part if has_valid else None, columns, files)
            for table, part in parts.items()
            if part is not None
        ]
        return Found(tuple(row for each in found for row in each.rows), sum(each.left_alone for each in found))
    if len(tables) > 1:
        raise ValueError(
            f"{data} has several tables ({', '.join(table.name for table in tables)}); name the one that counts "
            "metadata, or two train and valid, or give its path"
        )
    return _of_table(tables[0], None, columns, files)


def _of_table(path: Path, part: Part | None, columns: Sequence[str], files: Sequence[str]) -> Found:
    rows = read_table(path)
    names = {name for row in rows for name in row.values}
    if missing := [name for name in columns if name not in names]:
        raise TableError(
            f"{path} has no column {_listed(missing)}; it has {_listed(sorted(names))}, and needs {_listed(columns)}"
        )
    for row in rows:
        row.values.update({name: str(path.parent / str(row.values[name])) for name in files if name in row.values})
    return Found(tuple((row, part) for row in rows), 0) if part is not None else _parted(rows)


def _parted(rows: Sequence[Row]) -> Found:
    """Rows with the parts that their column `split` names, where there is one."""
    if not any(SPLIT_COLUMN in row.values for row in rows):
        return Found(tuple((row, None) for row in rows), 0)
    parted: list[tuple[Row, Part]] = []
    for row in rows:
        said = str(row.values.get(SPLIT_COLUMN, "")).strip().lower()
        if said not in PARTS:
            raise TableError(f"{row.place}: split is {said!r}; it has to be one of {', '.join(PARTS)}")
        if (own := PARTS[said]) is not None:
            parted.append((row, own))
    has_valid = any(own == "valid" for _, own in parted)
    return Found(tuple((row, own if has_valid else None) for row, own in parted), len(rows) - len(parted))


def hold_apart(
    items: Sequence[Item],
    *,
    stratum: Callable[[Item], Hashable],
    group: Callable[[Item], Hashable | None],
    least: int = 1,
    seed: int = 0,
) -> tuple[list[Item], list[Item]]:
    """Train and valid items, each in their order: a random `HELD_APART` of every stratum, at least one of those that
    have two; where all items have one of several groups (a speaker, say), whole groups until there is so much.

    Args:
        least: groups to be held apart.

    Raises:
        ValueError: there are too few groups.
    """
    random = np.random.default_rng(seed)
    groups = [group(item) for item in items]
    held: set[int] = set()
    if None not in groups and (len(set(groups)) > 1 or least > 1):
        sizes = Counter(groups)
        names = sorted(sizes, key=str)
        if len(names) <= least:
            raise ValueError(
                f"there are {len(names)} speakers, and {least + 1} are needed, so that {least} can be held apart; add "
                f"more, or a column {SPLIT_COLUMN}"
            )
        chosen: set[Hashable] = set()
        for name in (names[index] for index in random.permutation(len(names))[:-1]):  # one at least is learnt from
            if len(chosen) >= least and sum(sizes[own] for own in chosen) >= HELD_APART * len(items):
                break
            chosen.add(name)
        held.update(index for index, own in enumerate(groups) if own in chosen)
    else:
        strata: dict[Hashable, list[int]] = defaultdict(list)
        for index, item in enumerate(items):
            strata[stratum(item)].append(index)
        for indices in strata.values():
            count = max(round(HELD_APART * len(indices)), 1) if len(indices) > 1 else 0
            held.update(random.permutation(indices)[:count].tolist())
    train = [item for index, item in enumerate(items) if index not in held]
    return train, [items[index] for index in sorted(held)]


def check_labels(train: Sequence[str], valid: Sequence[str]) -> list[str]:
    """All labels, sorted.

    Args:
        train: the label of every example.
        valid: likewise.

    Raises:
        ValueError: fewer than two labels, one with a single example, or one that is not learnt.
    """
    learnt, asked = Counter(train), Counter(valid)
    both = learnt + asked
    labels = sorted(both)
    if len(labels) < 2:
        raise ValueError(f"there is one label only ({labels[0]}); two at least are needed to tell apart")
    if alone := [label for label in labels if both[label] == 1]:
        raise ValueError(
            f"one example only of {_listed(alone)}; add more, for a label is learnt from one and checked by another, "
            "or take it out"
        )
    if unknown := [label for label in labels if label not in learnt]:
        raise ValueError(f"no example to learn from of {_listed(unknown)}; move some of its examples to train")
    return labels


def _listed(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
