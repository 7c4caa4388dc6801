"""A folder of one's own sounds, texts or pictures: which files can be used, and an honest account of the others.

Only headers are read, so that a folder of a million files costs no more than opening each; texts are decoded once, for
they have no header. The order is that of the names, folder by folder, and the same on every machine.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tqdm import tqdm

from data2vec_core.checkpoints.card import Modality
from data2vec_core.processing.audio_errors import AudioTooLongError, AudioTooShortError, EmptyAudioError
from data2vec_core.processing.audio_io import audio_seconds
from data2vec_core.processing.image_io import DEFAULT_MAX_PIXELS, ImageTooLargeError, image_size
from recipes.own.text_files import (
    SUFFIXES,
    NotTextError,
    TextTooLargeError,
    holds_paragraphs,
    read_paragraphs,
    read_pieces,
)

AUDIO_SUFFIXES: Final = (
    ".aif", ".aiff", ".aifc", ".au", ".caf", ".flac", ".mp3", ".nist", ".oga", ".ogg", ".opus", ".rf64", ".snd", ".sph",
    ".voc", ".w64", ".wav", ".wave",
)  # fmt: skip
"""Of sounds with a header that soundfile reads."""
PICTURE_SUFFIXES: Final = (
    ".apng", ".avif", ".bmp", ".gif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".jpx", ".mpo", ".pbm",
    ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
"""Of the formats that `load_image` opens."""

OTHER_KIND, HIDDEN, SEEN = "another kind of file", "hidden", "a folder met before, by a link"
UNREADABLE, EMPTY, NOT_TEXT = "unreadable", "empty", "not UTF-8 text"
TOO_SHORT, TOO_LONG, TOO_SMALL, TOO_LARGE = "too short", "too long", "too small", "too large"
EXAMPLES: Final = 3
"""Names that an account gives with each reason."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a file must and must not be; what belongs to another modality is ignored."""

    min_seconds: float = 0.0
    min_side: int = 1
    """Pixels of the shorter side of a picture."""
    max_pixels: int = DEFAULT_MAX_PIXELS
    """Width times height."""


@dataclass
class Account:
    """What was left out, and why."""

    counts: Counter[str] = field(default_factory=Counter)
    """Files by reason."""
    examples: dict[str, list[str]] = field(default_factory=dict)
    """The first names of each reason."""

    def add(self, reason: str, name: str) -> None:
        """Note one file."""
        self.counts[reason] += 1
        if len(names := self.examples.setdefault(reason, [])) < EXAMPLES:
            names.append(name)

    def include(self, other: Account) -> None:
        """Note what another account has."""
        for reason, count in other.counts.items():
            self.counts[reason] += count
            names = self.examples.setdefault(reason, [])
            names += other.examples[reason][: EXAMPLES - len(names)]

    @property
    def total(self) -> int:
        """Files in all."""
        return self.counts.total()

    def __str__(self) -> str:
        """`3 unreadable (a.wav, b.wav, ...), 1 empty (c.wav)`: the commonest reason first."""
        parts = []
        for reason, count in self.counts.most_common():
            names = ", ".join(self.examples[reason]) + (", ..." if count > len(self.examples[reason]) else "")
            parts.append(f"{count} {reason} ({names})")
        return ", ".join(parts)


class _UnusableError(ValueError):
    """A file that is left out; its message is the reason."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file that can be used."""

    name: str
    """Path relative to the folder, with forward slashes."""
    size: float
    """Seconds of a sound, characters of a text, pixels of a picture."""
    items: int = 1
    """Paragraphs of a file that holds one a line."""
    content_bytes: int = 0
    """Of the file, to notice a change."""


@dataclass(frozen=True)
class Folder:
    """What a scan found."""

    root: Path
    modality: Modality
    entries: tuple[Entry, ...]
    skipped: Account

    def path(self, entry: Entry) -> Path:
        """Where a file lies."""
        return self.root / entry.name

    @property
    def items(self) -> int:
        """Sounds, texts or pictures in all."""
        return sum(entry.items for entry in self.entries)

    @property
    def size(self) -> float:
        """Seconds, characters or pixels in all."""
        return sum(entry.size for entry in self.entries)

    def fingerprint(self) -> str:
        """Changes when files come, go, or change their size."""
        digest = hashlib.sha256()
        for entry in self.entries:
            digest.update(f"{entry.name}\0{entry.content_bytes}\n".encode())
        return digest.hexdigest()[:16]

    def __str__(self) -> str:
        """What is used and what is not, in one or two lines."""
        match self.modality:
            case "audio":
                amount = f", {self.size / 3600:.1f} hours" if self.size >= 3600 else f", {self.size / 60:.1f} minutes"
            case "text":
                amount = f", {self.size:,.0f} characters"
            case _:
                amount = ""
        files = len(self.entries)
        used = f"{self.root}: {self.items:,} {_NOUNS[self.modality]}{amount}, in {files:,} file{'s' * (files != 1)}"
        return f"{used}\nskipped: {self.skipped}" if self.skipped.total else used


_NOUNS: dict[Modality, str] = {"audio": "sounds", "text": "texts", "vision": "pictures"}


def scan(root: str | Path, modality: Modality, *, limits: Limits | None = None, at_least: int = 1) -> Folder:
    """Find what can be used in a folder and all folders below.

    A progress bar shows on a terminal. Links are followed, each folder is entered once.

    Args:
        limits: none but the reader's own when None.
        at_least: fewer items than this are refused.

    Raises:
        ValueError: no such folder, or too few items; the sentence says what was found instead.
    """
    root = Path(root).expanduser()
    if not root.exists():
        raise ValueError(f"there is no folder {root}")
    if not root.is_dir():
        raise ValueError(f"{root} is a file; give the folder that it lies in")
    limits = limits or Limits()
    measure, suffixes = _KINDS[modality]
    skipped, entries = Account(), []
    for name, path in tqdm(_files(root, skipped), desc="looking at files", unit="file", disable=None, leave=False):
        if not name.lower().endswith(suffixes):
            skipped.add(OTHER_KIND, name)
            continue
        try:
            name.encode()  # a name of other bytes could be written into no table
            entries.append(measure(name, path, limits))
        except (ValueError, OSError) as error:
            skipped.add(reason_for(error), name.encode(errors="replace").decode())
    folder = Folder(root, modality, tuple(entries), skipped)
    if folder.items < at_least:
        found = f"{folder.items} of the {at_least} {_NOUNS[modality]} needed" if folder.items else "none"
        why = f"skipped: {skipped}" if skipped.total else "it has no files"
        kinds = ", ".join(sorted(suffixes))
        raise ValueError(f"{root} should hold {_NOUNS[modality]} ({kinds}), and has {found}; {why}")
    return folder


def reason_for(error: Exception) -> str:
    """Why a file is left out, in a word or two, from what its reader raised."""
    match error:
        case _UnusableError():
            return str(error)
        case EmptyAudioError():
            return EMPTY
        case AudioTooShortError():
            return TOO_SHORT
        case AudioTooLongError():
            return TOO_LONG
        case ImageTooLargeError() | TextTooLargeError():
            return TOO_LARGE
        case NotTextError():
            return NOT_TEXT
    return UNREADABLE


def _files(root: Path, skipped: Account) -> Iterator[tuple[str, Path]]:
    """Relative name and path of every file, the files of a folder before its folders, each in the order of names."""
    seen = {_identity(root.stat())}
    folders = [("", root)]
    while folders:
        prefix, folder = folders.pop()
        try:
            with os.scandir(folder) as found:
                children = sorted(found, key=lambda child: child.name)
        except OSError:
            skipped.add(UNREADABLE, prefix)
            continue
        below = []
        for child in children:
            name = prefix + child.name
            if child.name.startswith("."):
                skipped.add(HIDDEN, name)
                continue
            try:
                status = child.stat()
            except OSError:  # a link that leads nowhere
                skipped.add(UNREADABLE, name)
                continue
            if stat.S_ISREG(status.st_mode):
                yield name, Path(child.path)
            elif not stat.S_ISDIR(status.st_mode):
                skipped.add(OTHER_KIND, name)  # opening a pipe could wait for ever
            elif _identity(status) in seen:
                skipped.add(SEEN, name)
            else:
                seen.add(_identity(status))
                below.append((name + "/", Path(child.path)))
        folders += reversed(below)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _sound(name: str, path: Path, limits: Limits) -> Entry:
    seconds = audio_seconds(path)
    if seconds < limits.min_seconds:
        raise _UnusableError(TOO_SHORT)
    return Entry(name, seconds, content_bytes=path.stat().st_size)


def _text(name: str, path: Path, limits: Limits) -> Entry:  # noqa: ARG001
    if holds_paragraphs(path):
        lengths = [len(text) for _, text in read_paragraphs(path)]
        characters, items = sum(lengths), len(lengths)
    else:
        characters, items = sum(len(text.strip()) for _, text in read_pieces(path)), 1
    if not characters:
        raise _UnusableError(EMPTY)
    return Entry(name, characters, items, path.stat().st_size)


def _picture(name: str, path: Path, limits: Limits) -> Entry:
    if (content := path.stat().st_size) == 0:
        raise _UnusableError(EMPTY)
    height, width = image_size(path, max_pixels=limits.max_pixels)
    if min(height, width) < limits.min_side:
        raise _UnusableError(TOO_SMALL)
    return Entry(name, height * width, content_bytes=content)


_Measure = Callable[[str, Path, Limits], Entry]
_KINDS: dict[Modality, tuple[_Measure, tuple[str, ...]]] = {
    "audio": (_sound, AUDIO_SUFFIXES),
    "text": (_text, SUFFIXES),
    "vision": (_picture, PICTURE_SUFFIXES),
}
