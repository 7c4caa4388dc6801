"""Things as pictures, words and speech: emoji of the Noto font, their Unicode names, and espeak-ng that says these."""

from __future__ import annotations

import subprocess
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from analysis.items.manifest import Origin
from analysis.items.things import THINGS_FOLDER, Thing
from data2vec_core.processing.audio_io import load_audio
from recipes.items.packages import debian_file, debian_version, program
from recipes.items.writing import clear, trim, write_manifest, write_recording

#: Of each kind as many, whose Unicode names are nouns that a dictionary has.
CATEGORIES: Final = {
    "mammal": "🐄🐅🐆🐇🐈🐎🐐🐑🐒🐕🐖🐘🐁",
    "bird": "🐓🐔🐦🐧🦃🦅🦆🦉🦚🦜🦢🦩🦤",
    "water animal": "🐊🐋🐙🐟🐡🐢🐬🦀🦈🦐🦑🦞🦭",
    "small animal": "🐜🐝🐞🦋🦗🦟🪰🪳🪲🐌🕷🦂🐍",
    "fruit": "🍇🍈🍉🍊🍋🍌🍍🍎🍐🍑🍒🍓🥥",
    "vegetable": "🍅🥑🍆🥔🥕🥒🥦🧄🧅🍄🫒🥜🌰",
    "food": "🍞🥐🥨🍔🌮🥚🍿🍩🍪🍬🥞🥪🥧",
    "plant": "🌱🌲🌴🌵🌷🌸🌹🌺🌻🌼🌿🍁💐",
    "nature": "🌈☁❄☃🌙☄🔥💧🌊🌋🌠🌀🪐",
    "vehicle": "🚀🚁🚌🚑🚕🚗🚜🚲🛴⛵🛶🚢✈",
    "music": "🎷🎸🎹🎺🎻🪕🥁🪗🪘🎤🔔📯🎧",
    "tool": "🔨🪓🔧🪛⚙🧲🪜✏⚓🔑🔒🪣🧹",
    "clothes": "👑🎩👓👔👕👖👗🧣🧤🧥🧦💍👜",
    "sport": "⚽⚾🏈🏉🎳🥊⛸🏐🥏🪁🛹🛷🥎",
    "building": "🏠🏥🏦🏨🏫🏭🏰⛪🕌⛲⛺🏟🛖",
    "household": "🪑🛏🚪🪟🛁🚽🕯📺📷🪞🪥🥄🎈",
}


@dataclass(frozen=True)
class Speaker:
    """A voice of espeak-ng."""

    name: str
    voice: str
    """Language and variant, as its option -v takes them."""
    speed: int
    """Words a minute."""


SPEAKERS: Final = (
    Speaker("american", "en-us+m3", 140),
    Speaker("british", "en-gb+f2", 150),
    Speaker("scottish", "en-gb-scotland+m7", 145),
)
SIDE: Final = 80
"""Of a thing in the atlas, in pixels."""
ATLAS_FILE: Final = "pictures.webp"
LICENCE_FILE: Final = "OFL.txt"
_FONT_PACKAGE, _FONT = "fonts-noto-color-emoji", "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
_FONT_LICENCE = "/usr/share/doc/fonts-noto-color-emoji/copyright"
_FONT_SIZE = 109  # the only one: its glyphs are bitmaps
_GLYPH = (136, 128)  # width and height of each


def all_things() -> list[Thing]:
    """The things of `CATEGORIES`, category by category."""
    return [_thing(character, category) for category, line in CATEGORIES.items() for character in line]


def _thing(character: str, category: str) -> Thing:
    name = unicodedata.name(character).lower()
    return Thing(id=name.replace(" ", "-"), character=character, name=name, category=category)


def make_things(folder: Path = THINGS_FOLDER) -> None:
    """Write the set into `folder`.

    Raises:
        ValueError: a package that it is made from is missing.
    """
    things = all_things()
    columns = len(next(iter(CATEGORIES.values())))  # a row for each category
    files = {speaker.name: f"{speaker.name}.ogg" for speaker in SPEAKERS}
    font, espeak = debian_version(_FONT_PACKAGE), debian_version("espeak-ng")
    clear(folder, [ATLAS_FILE, LICENCE_FILE, *files.values()])
    draw_atlas(things, columns).save(folder / ATLAS_FILE, quality=85, method=6)
    notice = debian_file(_FONT_PACKAGE, _FONT_LICENCE).read_text(encoding="utf-8")
    (folder / LICENCE_FILE).write_text(font_licence(notice), encoding="utf-8")
    voices = [
        {
            **asdict(speaker),
            "file": files[speaker.name],
            "spans": write_recording(folder / files[speaker.name], say(things, speaker)),
        }
        for speaker in SPEAKERS
    ]
    origins = [
        Origin(
            ATLAS_FILE,
            f"Noto Color Emoji, Copyright 2013-2017 Google Inc. and Arjen Nienhuis (Debian package {_FONT_PACKAGE} "
            f"{font})",
            "OFL-1.1",
            f"{len(things)} glyphs drawn at {_FONT_SIZE} pixels, reduced to {SIDE} by {SIDE}, put into one picture",
        ),
        Origin(LICENCE_FILE, f"Debian package {_FONT_PACKAGE} {font}", "OFL-1.1", "its copyright notice and licence"),
        *(
            Origin(
                files[speaker.name],
                f"made for this project with espeak-ng (Debian package espeak-ng {espeak}), voice {speaker.voice}, "
                f"{speaker.speed} words a minute",
                "Apache-2.0 as far as it is ours to give (the GPL-3.0-or-later of espeak-ng is that of the program, "
                "which is not part of this project)",
                "resampled to 16 kHz, silence cut off at the ends, made equally loud",
            )
            for speaker in SPEAKERS
        ),
    ]
    atlas = {"file": ATLAS_FILE, "side": SIDE, "columns": columns}
    values = {"atlas": atlas, "voices": voices, "things": [asdict(thing) for thing in things]}
    write_manifest(folder, origins, values)


def draw_atlas(things: list[Thing], columns: int) -> Image.Image:
    """RGBA picture of all things, row by row.

    Raises:
        ValueError: the font is missing, or lacks one of them.
    """
    font = ImageFont.truetype(debian_file(_FONT_PACKAGE, _FONT), _FONT_SIZE)
    atlas = Image.new("RGBA", (columns * SIDE, -(-len(things) // columns) * SIDE))
    for place, thing in enumerate(things):
        glyph = Image.new("RGBA", (_GLYPH[0], _GLYPH[0]))
        top = (_GLYPH[0] - _GLYPH[1]) // 2
        ImageDraw.Draw(glyph).text((0, top), thing.character, font=font, anchor="lt", embedded_color=True)
        if not glyph.getbbox():
            raise ValueError(f"{_FONT}: draws nothing for {thing.name}")
        row, column = divmod(place, columns)
        # Colours of transparent pixels must not bleed in: Pillow resizes RGBA with alpha taken into account.
        atlas.paste(glyph.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (column * SIDE, row * SIDE))
    return atlas


def say(things: list[Thing], speaker: Speaker) -> Iterator[NDArray[np.float32]]:
    """(samples,) at 16 kHz of each name.

    Raises:
        ValueError: espeak-ng is missing.
    """
    command = [program("espeak-ng", "espeak-ng"), "-v", speaker.voice, "-s", str(speaker.speed)]
    with TemporaryDirectory() as scratch:
        spoken = Path(scratch) / "spoken.wav"  # what it writes to a pipe has a header without a length
        for thing in things:
            subprocess.run([*command, "-w", spoken, thing.name], capture_output=True, check=True)
            yield trim(load_audio(spoken))


def font_licence(notice: str) -> str:
    """The part of Debian's copyright notice of the font that concerns the font: whose it is, and its licence.

    Raises:
        ValueError: the notice has no such part.
    """
    holders, _, licence = notice.partition("\nFiles:     fonts/*\n")[2].partition("\nLicense:   SIL-1.1\n\n")
    text = notice.partition("\nLicense:   SIL-1.1\n This")[2]
    if not licence or not text:
        raise ValueError(f"{_FONT_LICENCE}: expected a notice on fonts/* under SIL-1.1")
    lines = [line.strip() for line in f"This{text}".splitlines()]
    names = [line.strip() for line in holders.removeprefix("Copyright:").splitlines()]
    return "\n".join(["Copyright " + ", ".join(names), "", *("" if line == "." else line for line in lines)]) + "\n"
