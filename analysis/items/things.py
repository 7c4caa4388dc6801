"""The same things three times over: as a picture, as a word, and as speech."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from analysis.items.manifest import ITEMS_FOLDER, ItemsError, Manifest, Recording

THINGS_FOLDER: Final = ITEMS_FOLDER / "things"


@dataclass(frozen=True)
class Thing:
    """What all three encoders may be shown."""

    id: str
    """Its name with hyphens, such as `lady-beetle`."""
    character: str
    """One emoji."""
    name: str
    """The character's name in Unicode, in small letters: what is read, and what is said."""
    category: str
    """One of as many kinds of things, all of one size."""


@dataclass(frozen=True)
class Voice:
    """Who says the names."""

    name: str
    file: str
    """A recording of all names one after another."""
    spans: tuple[tuple[int, int], ...]
    """Of each thing, in their order: (start, number of samples) in the recording."""


@dataclass(frozen=True)
class Things:
    """The whole set."""

    manifest: Manifest
    things: tuple[Thing, ...]
    voices: tuple[Voice, ...]
    atlas_file: str
    """Transparent picture of all things, row by row, in their order."""
    side: int
    """Of one thing in it, in pixels."""
    columns: int
    """Things in a row of it."""

    @classmethod
    def open(cls, folder: Path = THINGS_FOLDER) -> Things:
        """The things in `folder`; pictures and sounds are read when they are asked for.

        Raises:
            ItemsError: there are none, or their manifest is damaged.
        """
        manifest = Manifest.read(folder)
        try:
            atlas = manifest.values["atlas"]
            return cls(
                manifest,
                tuple(Thing(**record) for record in manifest.values["things"]),
                tuple(
                    Voice(voice["name"], voice["file"], tuple((start, count) for start, count in voice["spans"]))
                    for voice in manifest.values["voices"]
                ),
                atlas_file=atlas["file"],
                side=atlas["side"],
                columns=atlas["columns"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ItemsError(f"{folder}: not a manifest of things ({error!r})") from error

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """Each once, in the order of the things."""
        return tuple(dict.fromkeys(thing.category for thing in self.things))

    @property
    def atlas_path(self) -> Path:
        """For a page that shows parts of one picture instead of loading hundreds; see `box`.

        Raises:
            ItemsError: it is missing.
        """
        return self.manifest.path(self.atlas_file)

    def box(self, thing: Thing) -> tuple[int, int, int, int]:
        """(left, top, right, bottom) of a thing in the atlas, in pixels."""
        row, column = divmod(self._place(thing), self.columns)
        return column * self.side, row * self.side, (column + 1) * self.side, (row + 1) * self.side

    def picture(self, thing: Thing, ground: str = "white") -> Image.Image:
        """RGB, `side` by `side`.

        Args:
            ground: colour behind it, as Pillow names colours.
        """
        cut = self._atlas.crop(self.box(thing))
        picture = Image.new("RGB", cut.size, ground)
        picture.paste(cut, mask=cut.getchannel("A"))
        return picture

    def speech(self, thing: Thing, voice: str) -> NDArray[np.float32]:
        """(samples,) at 16 kHz: the name as a voice says it.

        Raises:
            ItemsError: no voice of that name, or its file is missing.
        """
        if voice not in self._recordings:
            raise ItemsError(f"voice={voice!r}: there are {', '.join(self._recordings)}")
        spans = next(one.spans for one in self.voices if one.name == voice)
        return self._recordings[voice].cut(spans[self._place(thing)])

    def _place(self, thing: Thing) -> int:
        try:
            return self._places[thing]
        except KeyError:
            raise ItemsError(f"thing={thing!r} is not of this set") from None

    @cached_property
    def _places(self) -> dict[Thing, int]:
        return {thing: place for place, thing in enumerate(self.things)}

    @cached_property
    def _recordings(self) -> dict[str, Recording]:
        return {voice.name: Recording(self.manifest.path(voice.file)) for voice in self.voices}

    @cached_property
    def _atlas(self) -> Image.Image:
        with Image.open(self.atlas_path) as atlas:
            return atlas.convert("RGBA")
