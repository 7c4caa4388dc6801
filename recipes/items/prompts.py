"""Letters, numbers and dates as Debian's Asterisk prompts have them: the domain of `an4`, in a studio voice."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from string import ascii_lowercase
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analysis.items.manifest import RATE, Origin
from analysis.items.prompts import PROMPTS_FOLDER, Prompt
from recipes.items.packages import debian_file, debian_version, program
from recipes.items.writing import clear, trim, write_manifest, write_recording

RECORDING_FILE: Final = "prompts.ogg"
_PACKAGE = "asterisk-core-sounds-en-g722"
_SOUNDS = "/usr/share/asterisk/sounds/en_US_f_Allison"

_UNITS = ["ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE", "TEN", "ELEVEN", "TWELVE"]
_TEENS = ["THIRTEEN", "FOURTEEN", "FIFTEEN", "SIXTEEN", "SEVENTEEN", "EIGHTEEN", "NINETEEN"]
_TENS = ["TWENTY", "THIRTY", "FORTY", "FIFTY", "SIXTY", "SEVENTY", "EIGHTY", "NINETY"]
_FIRST_ORDINALS = [
    "FIRST",
    "SECOND",
    "THIRD",
    "FOURTH",
    "FIFTH",
    "SIXTH",
    "SEVENTH",
    "EIGHTH",
    "NINTH",
    "TENTH",
    "ELEVENTH",
    "TWELFTH",
]
_MONTHS = [
    "JANUARY",
    "FEBRUARY",
    "MARCH",
    "APRIL",
    "MAY",
    "JUNE",
    "JULY",
    "AUGUST",
    "SEPTEMBER",
    "OCTOBER",
    "NOVEMBER",
    "DECEMBER",
]
_DAYS = ["SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY"]

#: What the AN4 corpus never says, neither in train nor in valid nor in test.
NOT_IN_AN4: Final = frozenset(
    _DAYS
    + ["TENTH", "THIRTEENTH", "FOURTEENTH", "SEVENTEENTH", "NINETEENTH"]
    + ["FORTIETH", "FIFTIETH", "SIXTIETH", "SEVENTIETH", "EIGHTIETH", "NINETIETH"]
)


def transcripts() -> Iterator[tuple[str, str, str]]:
    """(file without its ending, kind, transcript) of every prompt."""
    yield from ((f"letters/{letter}", "letter", letter.upper()) for letter in ascii_lowercase)
    yield from ((f"digits/{number}", "number", word) for number, word in enumerate(_UNITS + _TEENS))
    yield from ((f"digits/{10 * tens}", "number", word) for tens, word in enumerate(_TENS, 2))
    yield from ((f"digits/{word.lower()}", "number", word) for word in ("OH", "HUNDRED", "THOUSAND"))
    yield from ((f"digits/h-{number}", "ordinal", word) for number, word in enumerate(_FIRST_ORDINALS, 1))
    yield from ((f"digits/h-{number}", "ordinal", f"{word}TH") for number, word in enumerate(_TEENS, 13))
    yield from ((f"digits/h-{10 * tens}", "ordinal", f"{word[:-1]}IETH") for tens, word in enumerate(_TENS, 2))
    yield from ((f"digits/mon-{number}", "month", word) for number, word in enumerate(_MONTHS))
    yield from ((f"digits/day-{number}", "day", word) for number, word in enumerate(_DAYS))


def make_prompts(folder: Path = PROMPTS_FOLDER) -> None:
    """Write the set into `folder`.

    Raises:
        ValueError: a package that it is made from is missing.
    """
    package = debian_version(_PACKAGE)
    clear(folder, [RECORDING_FILE])
    listed = list(transcripts())
    spans = write_recording(folder / RECORDING_FILE, (_sound(name) for name, _, _ in listed))
    prompts = [
        Prompt(name, kind, transcript, transcript not in NOT_IN_AN4, span)
        for (name, kind, transcript), span in zip(listed, spans, strict=True)
    ]
    origin = Origin(
        RECORDING_FILE,
        f"Allison Smith (http://www.theivrvoice.com), Asterisk core sounds (Debian package {_PACKAGE} {package}), with "
        "financial contributions by Digium, Inc.",
        "CC-BY-SA-3.0",
        "decoded from G.722 at 16 kHz, silence cut off at the ends, made equally loud, put into one file",
    )
    write_manifest(folder, [origin], {"prompts": [asdict(prompt) for prompt in prompts]})


def _sound(name: str) -> NDArray[np.float32]:
    """(samples,) at 16 kHz of a prompt; G.722 files have no header that would tell what they are."""
    path = debian_file(_PACKAGE, f"{_SOUNDS}/{name}.g722")
    decode = [program("ffmpeg", "ffmpeg"), "-v", "error", "-f", "g722", "-i", str(path), "-ar", str(RATE)]
    raw = subprocess.run([*decode, "-f", "f32le", "-"], capture_output=True, check=True).stdout
    return trim(np.frombuffer(raw, np.float32))
