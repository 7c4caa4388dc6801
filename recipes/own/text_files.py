"""Text files as people have them: `.txt`, one document a file, and `.txt.gz`, one paragraph a line."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TextIO

SUFFIXES: Final = (".txt", ".txt.gz")
PIECE: Final = 1 << 16
"""Characters of a document that are read at a time."""
LONGEST_PARAGRAPH: Final = 1 << 24
"""Characters; a longer line of a compressed file is taken for a bomb."""

_LAST_SPACE = re.compile(r"\s\S*\Z")


class TextFileError(ValueError):
    """A text file cannot be used; the message says why."""


class NotTextError(TextFileError):
    """Not UTF-8, or with characters that no text has."""


class TextTooLargeError(TextFileError):
    """A line without end."""


class DamagedTextError(TextFileError):
    """A compressed file that cannot be unpacked."""


def holds_paragraphs(path: str | Path) -> bool:
    """Whether each line of the file is a text of its own."""
    return str(path).lower().endswith(".gz")


def read_pieces(path: Path, *, characters: int = PIECE) -> Iterator[tuple[int, str]]:
    """A document in pieces, cut before white space where there is some.

    Args:
        characters: most of a piece.

    Yields:
        where the piece starts, in characters of the document (a byte order mark does not count), and the piece.
        Together the pieces are the document, line ends as they are.

    Raises:
        TextFileError: as one of its kinds, when the damage is reached.
        OSError: the file cannot be read.
    """
    with open_text(path) as file:
        start, rest = 0, ""
        while block := _checked(file.read, characters - len(rest)):
            text = rest + block
            last = _LAST_SPACE.search(text) if len(text) == characters else None
            cut = last.start() if last and last.start() else len(text)
            yield start, text[:cut]
            start, rest = start + cut, text[cut:]
        if rest:
            yield start, rest


def read_paragraphs(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a compressed file that are not blank, each with its number counted from 1.

    Raises:
        TextFileError: as one of its kinds, when the damage is reached.
        OSError: the file cannot be read.
    """
    with open_text(path) as file:
        number = 0
        while line := _checked(file.readline, LONGEST_PARAGRAPH):
            if len(line) == LONGEST_PARAGRAPH:
                raise TextTooLargeError(f"A line has {LONGEST_PARAGRAPH} characters or more.")
            number += 1
            if text := line.strip():
                yield number, text


def read_document(path: Path) -> str:
    """All of a `.txt` file at once; raises as `read_pieces` does."""
    return "".join(piece for _, piece in read_pieces(path))


def open_text(path: Path) -> TextIO:
    """A file of UTF-8 text, compressed or not, its line ends as they are."""
    if holds_paragraphs(path):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="\n")
    return path.open(encoding="utf-8-sig", newline="")  # line ends stay, so that offsets are those of the file


def _checked(read: Callable[[int], str], most: int) -> str:
    """What a reading function gives, with the errors of this module."""
    try:
        text = read(most)
    except UnicodeDecodeError as error:
        raise NotTextError(f"The file is not UTF-8 text: {error.reason}.") from None
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise DamagedTextError("The compressed file is damaged.") from None
    if "\0" in text:  # UTF-16 without a mark passes for UTF-8 of this kind
        raise NotTextError("The file is not UTF-8 text: it has NUL characters.")
    return text
