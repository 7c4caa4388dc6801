"""A few dozen photographs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from analysis.items.manifest import ITEMS_FOLDER, ItemsError, Manifest, Origin

PHOTOGRAPHS_FOLDER: Final = ITEMS_FOLDER / "photographs"


@dataclass(frozen=True)
class Photograph:
    """One picture."""

    id: str
    title: str
    """A few words on what it shows."""
    path: Path
    origin: Origin
    """Where it comes from, and its licence, which wants the source named wherever it is shown."""

    def open(self) -> Image.Image:
        """RGB, at most 320 pixels wide and high."""
        with Image.open(self.path) as picture:
            return picture.convert("RGB")


def photographs(folder: Path = PHOTOGRAPHS_FOLDER) -> tuple[Photograph, ...]:
    """The photographs in `folder`, in the order of their manifest.

    Raises:
        ItemsError: there are none, one is missing, or their manifest is damaged.
    """
    manifest = Manifest.read(folder)
    try:
        records = [(record["id"], record["title"], record["file"]) for record in manifest.values["photographs"]]
    except (KeyError, TypeError) as error:
        raise ItemsError(f"{folder}: not a manifest of photographs ({error!r})") from error
    return tuple(Photograph(id, title, manifest.path(file), manifest.origin(file)) for id, title, file in records)
