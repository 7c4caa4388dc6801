"""Every text that a visitor sees, by key, from the files in `ui/locales/`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

LOCALES = Path(__file__).parent / "locales"


@cache
def load_words(language: str = "en") -> dict[str, str]:
    """All texts of one language."""
    words: dict[str, str] = json.loads((LOCALES / f"{language}.json").read_text(encoding="utf-8"))
    return words


def say(key: str, **values: object) -> str:
    """The text of a key, with its `{placeholders}` filled in.

    Raises:
        KeyError: no such text, or a placeholder without a value.
    """
    return load_words()[key].format(**values)
