"""A visitor's own items for the view "Layers": several files, a zip of them, or a text a line. Nothing is kept."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import gradio as gr

from ui.inputs import PictureInput, SoundInput, TextInput, upload_path
from ui.inside.layers_sides import OWN
from ui.inside.strip import FIRST
from ui.settings import Settings
from ui.words import say

if TYPE_CHECKING:
    from analysis.item_sets import ItemSet

FEWEST: Final = 4
"""Items that the debiased estimate needs."""
MOST_SECONDS: Final = 120.0
"""Of all own sounds together."""
_MOST_ENTRIES: Final = 1000
"""Of a zip that are looked at."""
_LONGEST_NAME: Final = 60
_SIDE: Final = 512
"""Pixels of an own picture at most: what any encoder sees is smaller."""
_UNPACKED: Final = 4
"""Times the largest upload that a zip may come to when it is unpacked."""


def own_fields(limits: Settings) -> tuple[gr.File, gr.Textbox, gr.Button]:
    """Where a visitor brings them: files, or lines of text, and the button that takes them."""
    with gr.Accordion(say("layers.own"), open=False, elem_id="layers-own"):
        told = say(
            "layers.own_limits", files=limits.max_pictures, megabytes=limits.max_upload_mb, lines=limits.max_lines
        )
        gr.HTML(f'<p class="small">{told}</p>', elem_classes="html-plain")
        files = gr.File(
            label=say("layers.own_files"),
            file_count="multiple",
            visible=FIRST != "text",
            elem_id="layers-own-files",
            height=160,
        )
        text = gr.Textbox(
            label=say("layers.own_text"), lines=5, max_lines=12, visible=FIRST == "text", elem_id="layers-own-text"
        )
        return files, text, gr.Button(say("layers.own_use"), size="sm", elem_id="layers-own-use")


def own_items(modality: str, files: Any, text: Any, settings: Settings) -> ItemSet:
    """What a visitor has brought, as a set.

    Args:
        files: what the page's file field sends.
        text: of the text field, an item a line.

    Raises:
        ValueError: nothing, too little, too much, or something that cannot be read.
    """
    from analysis.item_sets import ItemSet, quarters

    if modality == "text":
        lines = _lines(text, settings)
        return ItemSet(
            OWN,
            tuple(lines),
            {"length": quarters([len(line) for line in lines])},
            {"text": lambda: lines},
        )
    paths = [path for path in (upload_path(each) for each in files or ()) if path] if isinstance(files, list) else []
    if not paths:
        raise ValueError(say("layers.own_missing"))
    with _unpacked(paths, settings) as found:
        _check(len(found), settings.max_pictures)
        names = tuple(name for name, _, _ in found)
        folders = [folder for _, folder, _ in found]
        labels = {"folder": tuple(folders)} if len(set(folders)) > 1 else {}
        if modality == "vision":
            pictures = []
            for name, _, path in found:
                picture = _read(PictureInput("image"), name, path, settings)
                picture.thumbnail((_SIDE, _SIDE))  # one after another, for many large ones would fill the memory
                pictures.append(picture)
            return ItemSet(OWN, names, labels, {"vision": lambda: pictures})
        sounds = []
        seconds = 0.0
        for name, _, path in found:
            rate, samples = _read(SoundInput("audio"), name, path, settings)
            seconds += len(samples) / rate
            if seconds > MOST_SECONDS:
                raise ValueError(say("layers.own_seconds", limit=round(MOST_SECONDS)))
            sounds.append((samples, rate))
        labels["length"] = quarters([len(samples) / rate for samples, rate in sounds])
        return ItemSet(OWN, names, labels, {"audio": lambda: sounds})


def _lines(text: Any, settings: Settings) -> list[str]:
    if not isinstance(text, str) or not text.strip():
        raise ValueError(say("layers.own_missing"))
    if len(text) > settings.max_passage_characters:
        raise ValueError(say("layers.own_characters", limit=settings.max_passage_characters))
    kind = TextInput("text")
    lines = [kind.read(line.strip(), settings) for line in text.splitlines() if line.strip()]
    _check(len(lines), settings.max_lines)
    return lines


def _check(count: int, most: int) -> None:
    if count < FEWEST:
        raise ValueError(say("layers.own_few", count=count, fewest=FEWEST))
    if count > most:
        raise ValueError(say("layers.own_many", count=count, most=most))


def _read(kind: Any, name: str, path: str, settings: Settings) -> Any:
    """A file, or the sentence that says which one cannot be read, and why."""
    try:
        return kind.read(path, settings)
    except ValueError as error:
        raise ValueError(say("layers.own_file", name=name, problem=str(error))) from error


@contextmanager
def _unpacked(paths: Sequence[str], settings: Settings) -> Iterator[list[tuple[str, str, str]]]:
    """Name, folder and path of every file; those of zips lie under numbers in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as place:
        found: list[tuple[str, str, str]] = []
        room = _UNPACKED * settings.max_upload_mb * 1_000_000
        for path in paths:
            if not zipfile.is_zipfile(path):
                found.append((_shown(Path(path).name), "", path))
                continue
            for name, folder, content in _entries(path, settings):
                room -= len(content)
                if room < 0:
                    raise ValueError(say("layers.own_unpacked", limit=_UNPACKED * settings.max_upload_mb))
                file = Path(place) / f"{len(found)}{PurePosixPath(name).suffix.lower()[:8]}"
                file.write_bytes(content)
                found.append((_shown(name), _shown(folder), str(file)))
                if len(found) > settings.max_pictures:
                    break
        yield found


def _entries(path: str, settings: Settings) -> Iterator[tuple[str, str, bytes]]:
    """Name, folder and content of what a zip holds, each read no further than an upload may be large."""
    most = settings.max_upload_mb * 1_000_000
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist()[:_MOST_ENTRIES]:
                inner = PurePosixPath(entry.filename.replace("\\", "/"))
                is_hidden = any((part[0] == "." and part.strip(".")) or part == "__MACOSX" for part in inner.parts)
                if entry.is_dir() or is_hidden or not inner.name:
                    continue
                if entry.flag_bits & 1:
                    raise ValueError(say("layers.own_locked"))
                with archive.open(entry) as file:
                    content = file.read(most + 1)
                if len(content) > most:
                    raise ValueError(say("layers.own_large", name=_shown(inner.name), limit=settings.max_upload_mb))
                yield inner.name, inner.parent.name, content
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise ValueError(say("layers.own_broken")) from error


def _shown(name: str) -> str:
    """A name of a stranger's as it can be shown: what cannot be seen is left out, and it is not long."""
    seen = "".join(sign for sign in name if sign.isprintable())
    return seen if len(seen) <= _LONGEST_NAME else f"{seen[: _LONGEST_NAME - 1]}…"
