"""The tokens of a folder of texts on disk, so that training holds none of them in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from tqdm import tqdm

from data2vec_core.checkpoints.files import replacing
from data2vec_core.processing.text import TextTokenizer
from recipes.backbones.text import Row, rows_of
from recipes.own.folders import Account, Folder, reason_for
from recipes.own.text_files import holds_paragraphs, read_paragraphs, read_pieces


def folder_texts(folder: Folder, failed: Account) -> Iterator[str]:
    """All texts of a folder, long documents in pieces; a bar shows on a terminal.

    Args:
        failed: is told of files that cannot be read, though the scan found nothing wrong with them.
    """
    for entry in tqdm(folder.entries, desc="reading texts", unit="file", disable=None, leave=False):
        read = read_paragraphs if holds_paragraphs(entry.name) else read_pieces
        try:
            for _, text in read(folder.path(entry)):
                yield text
        except (ValueError, OSError) as error:
            failed.add(reason_for(error), entry.name)


class TokenRows(Sequence[Row]):
    """The rows of a folder's texts, kept in two files: `tokens-*.bin` has the ids as 32-bit integers one after the
    other, `rows-*.npy` where each row ends. Their names tell the folder's content, so that another one is read anew.

    Args:
        place: folder of the two files.
    """

    def __init__(self, folder: Folder, place: Path) -> None:
        self._folder = folder
        content = folder.fingerprint()
        self._tokens_file, self._ends_file = place / f"tokens-{content}.bin", place / f"rows-{content}.npy"
        self._tokens: Any = np.zeros(0, np.int32)
        self._ends = np.zeros(0, np.int64)

    @property
    def is_written(self) -> bool:
        """Whether both files are whole."""
        return self._ends_file.is_file()  # the last to be written

    def write(self, tokenizer: TextTokenizer, longest: int, failed: Account) -> None:
        """Read all texts, and write the two files.

        Args:
            longest: tokens of a row, special ones included.
            failed: is told of files that cannot be read.
        """
        ends, end = [], 0
        with replacing(self._tokens_file) as temporary, temporary.open("wb") as file:
            for text in folder_texts(self._folder, failed):
                for row in rows_of(tokenizer, [text], longest=longest):
                    file.write(row.tobytes())
                    ends.append(end := end + len(row))
        with replacing(self._ends_file) as temporary, temporary.open("wb") as file:
            np.save(file, np.asarray(ends, np.int64))

    def open(self) -> None:
        """Begin to read; before, there are no rows."""
        self._ends = np.load(self._ends_file)
        if len(self._ends):  # an empty file cannot be mapped
            self._tokens = np.memmap(self._tokens_file, np.int32, "r")

    @property
    def tokens(self) -> int:
        """In all rows, special ones included."""
        return len(self._tokens)

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        start = self._ends[index - 1] if index else 0
        return np.asarray(self._tokens[start : self._ends[index]])
