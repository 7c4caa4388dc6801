"""Tables of one's own labelled data: a row an example, from CSV, TSV, JSON Lines or Parquet."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from recipes.own.text_files import TextFileError, open_text

SUFFIXES: Final = (".csv", ".tsv", ".jsonl", ".parquet", ".conll", ".csv.gz", ".tsv.gz", ".jsonl.gz")
"""Of the tables that are read."""
LONGEST_CELL: Final = 1 << 24
"""Characters."""


class TableError(ValueError):
    """A table cannot be used; the message says why and what to do."""


class WrongRowError(ValueError):
    """A row says what cannot be; the message says what, and not where."""


@dataclass(frozen=True, slots=True)
class Row:
    """One example as it stands in a table, or as it follows from where a file lies."""

    values: dict[str, Any]
    """By column; a cell without content is left out."""
    place: str
    """Where it stands: `calls.csv, line 7`."""

    def text(self, column: str) -> str:
        """A cell as text, without the space around it.

        Raises:
            WrongRowError: there is nothing in it.
        """
        value = str(self.values.get(column, "")).strip()
        if not value:
            raise WrongRowError(f"nothing in the column {column}")
        return value

    def file(self, column: str) -> Path:
        """A cell as the path of a file.

        Raises:
            WrongRowError: there is nothing in it, or no such file.
        """
        if not (path := Path(self.text(column))).is_file():
            raise WrongRowError(f"there is no file {path}")
        return path

    def list_of(self, column: str, separator: str | None = None) -> list[str]:
        """A cell as a list of texts: one of the file's own, a JSON list, or text cut at a separator.

        Args:
            separator: between the texts of a list; None: white space.

        Raises:
            WrongRowError: there is nothing in it, or no list.
        """
        value: Any = self.values.get(column)
        if isinstance(value, str):
            if not value.lstrip().startswith("["):
                return [part.strip() for part in self.text(column).split(separator)]
            try:
                value = json.loads(value)
            except json.JSONDecodeError:
                raise WrongRowError(f"the column {column} begins as a JSON list and is none") from None
        if not isinstance(value, Sequence) or not value:
            raise WrongRowError(f"no list in the column {column}")
        return [str(part) for part in value]


def is_table(path: Path) -> bool:
    """Whether a file is one of the tables that are read, by its name."""
    return path.name.lower().endswith(SUFFIXES)


def read_table(path: Path) -> list[Row]:
    """The rows of a table, in order.

    CSV and TSV begin with the names of the columns; UTF-8, a byte order mark does not count. CoNLL files have a word
    and last its tag on every line, and an empty one after every sentence; they give the columns `tokens` and `tags`.
    Parquet needs pyarrow.

    Raises:
        TableError: no such table, it cannot be read, or it has no rows.
    """
    if not path.is_file():
        raise TableError(f"there is no table {path}")
    if not is_table(path):
        raise TableError(f"{path} is no table that can be read; give one of {', '.join(SUFFIXES)}")
    kind = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    try:
        rows = list(_parquet(path) if kind == "parquet" else _lines(path, kind))
    except (TextFileError, OSError) as error:
        raise TableError(f"{path} cannot be read: {error}") from None
    if not rows:
        raise TableError(f"{path} has no rows")
    return rows


def _lines(path: Path, kind: str) -> Iterator[Row]:
    with open_text(path) as file:
        match kind:
            case "jsonl":
                numbered = _json_lines(path, file)
            case "conll":
                numbered = _sentences(path, file)
            case _:
                numbered = _separated(path, file, "\t" if kind == "tsv" else ",")
        for number, values in numbered:
            kept = {name: value for name, value in values.items() if value not in (None, "")}
            if kept:
                yield Row(kept, f"{path.name}, line {number}")


def _separated(path: Path, file: TextIO, delimiter: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and cells of each row."""
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(_decoded(path, file), delimiter=delimiter, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        if len(set(names)) < len(names):
            raise TableError(f"{path}: two columns have one name; the first line gives {', '.join(names)}")
        for cells in reader:
            if len(cells) > len(names):
                raise TableError(
                    f"{path}, line {reader.line_num}: {len(cells)} cells, and the first line names {len(names)}; "
                    "put quotes around what has a separator in it"
                )
            yield reader.line_num, dict(zip(names, cells, strict=False))
    except csv.Error as error:
        raise TableError(f"{path}, line {reader.line_num}: {error}") from None


def _json_lines(path: Path, file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(_decoded(path, file), 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except json.JSONDecodeError as error:
            raise TableError(f"{path}, line {number}: no JSON ({error.msg}); every line is one object") from None
        if not isinstance(values, dict):
            raise TableError(f"{path}, line {number}: every line is one JSON object, with a name for each value")
        yield number, values


def _sentences(path: Path, file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    tokens: list[str] = []
    tags: list[str] = []
    number = 0
    for number, line in enumerate(_decoded(path, file), 1):
        cells = line.split()
        if len(cells) > 1 and cells[0] != "-DOCSTART-":
            tokens.append(cells[0])
            tags.append(cells[-1])
        elif len(cells) == 1 and cells[0] != "-DOCSTART-":
            raise TableError(f"{path}, line {number}: a word without a tag; every line is a word and its tag")
        elif tokens:
            yield number - len(tokens), {"tokens": tokens, "tags": tags}
            tokens, tags = [], []
    if tokens:
        yield number - len(tokens) + 1, {"tokens": tokens, "tags": tags}


def _decoded(path: Path, lines: Iterable[str]) -> Iterator[str]:
    """Lines, with what is wrong with their bytes as a sentence."""
    try:
        yield from lines
    except UnicodeDecodeError as error:
        raise TableError(f"{path} is not UTF-8 text ({error.reason}); save it as UTF-8") from None
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise TableError(f"{path} is compressed and damaged") from None


def _parquet(path: Path) -> Iterator[Row]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise TableError(f"{path}: Parquet needs pyarrow (python -m pip install pyarrow), or save it as CSV") from None
    try:
        table = parquet.read_table(path)
    except ArrowException as error:
        raise TableError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from None
    for number, values in enumerate(table.to_pylist(), 1):
        kept = {name: value for name, value in values.items() if value not in (None, "")}
        if kept:
            yield Row(kept, f"{path.name}, row {number}")
