"""The visible texts: every key is there, and every key is used."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path

import pytest

from analysis.figures.statement import KINDS
from data2vec_core.checkpoints.card import MODALITIES
from data2vec_core.runtime_choice import RUNTIMES
from ui.catalogue import TOOLS
from ui.fields import HINTS, key_of
from ui.inputs import SeveralInput
from ui.inside import VIEWS as INSIDE_VIEWS
from ui.inside.selection import VIEWS, inside_examples
from ui.options import RuntimeInput
from ui.words import LOCALES, STANDARD, in_language, load_words, say, speaking, spoken, understood

UI = LOCALES.parent
PANELS = {name: tool for name, tool in TOOLS.items() if tool.part_of is None}
TABS = set(PANELS) - {"classify_lines", "classify_images"}
"""Tools in a tab of their own."""
ROLES = ("intro", "button", "empty")
"""Of the texts that every panel looks up by the name of its tool."""


def keys_of_panels() -> set[str]:
    """What is looked up by the names of a tool and its inputs."""
    keys = {f"{tool}.{role}" for tool in PANELS for role in ROLES} | {f"{tool}.tab" for tool in TABS}
    for tool in PANELS.values():
        for one in tool.inputs:
            key = key_of(one, tool.name)
            kind = one.of if isinstance(one, SeveralInput) else one
            options = RUNTIMES if isinstance(kind, RuntimeInput) else getattr(kind, "options", ())  # installed or not
            keys |= {
                key,
                *([f"{key}_hint"] if type(kind) in HINTS else []),
                *([f"{key}_more"] if kind is not one else []),
                *(f"{key}_{option}" for option in options),
            }
    return keys | keys_of_the_inside()


def keys_of_the_inside() -> set[str]:
    """What is looked up by the names of modalities, roles, shipped sounds and views."""
    sounds = {one.name for one in inside_examples("audio")}
    return {
        *(f"inside.{name}" for name in (*MODALITIES, *VIEWS)),
        *(f"inside.own_{modality}" for modality in MODALITIES),
        "inside.own_text_hint",
        *(f"inside.example_{name}" for name in sounds),
        *(f"{view.name}.tab" for view in INSIDE_VIEWS),
        *(f"figure.{kind}" for kind in KINDS),
    }


def keys_in_the_code() -> set[str]:
    code = "\n".join(path.read_text(encoding="utf-8") for path in UI.rglob("*.py"))
    literal = set(re.findall(r"""["']([a-z_]+\.(?!js["'])[a-z_][a-z0-9_]*)["']""", code))  # "tour.js" is a file
    return literal | keys_of_panels()


def test_every_text_is_used_and_every_key_exists() -> None:
    words = set(load_words("en"))
    assert words - keys_in_the_code() == set()
    used = {key for key in keys_in_the_code() if key.split(".")[0] in {word.split(".")[0] for word in words}}
    assert used <= words


@pytest.mark.parametrize("path", sorted(LOCALES.glob("*.json")), ids=lambda path: path.stem)
def test_every_language_has_the_same_keys_and_placeholders(path: Path) -> None:
    english, other = load_words("en"), load_words(path.stem)
    assert english.keys() == other.keys()
    for key, text in english.items():
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", other[key])), key


def test_a_missing_value_is_an_error() -> None:
    assert say("sound.limit", seconds=30, megabytes=25) == "Up to 30 s and 25 MB."
    with pytest.raises(KeyError):
        say("sound.limit", seconds=30)


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [
        (None, "", "en"),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        (None, "zh-Hans", "zh-CN"),
        (None, "de,en;q=0.5,zh;q=0.4", "en"),
        (None, "en;q=0.3,zh;q=0.9", "zh-CN"),
        (None, "zh;q=0,en", "en"),
        (None, "fr;q=high, *", "en"),
        ("zh", "en", "zh-CN"),
        ("EN-gb", "zh", "en"),
        ("tlh", "zh", "zh-CN"),
    ],
)
def test_the_language_asked_for_goes_before_those_the_browser_speaks(
    asked: str | None, accepted: str, language: str
) -> None:
    assert understood(asked, accepted) == language


def test_a_handler_speaks_the_language_of_its_page() -> None:
    def several() -> Generator[str]:
        try:
            yield spoken()
            yield spoken()
        finally:
            closed.append(spoken())

    closed: list[str] = []
    with speaking("zh-CN"):
        handler, generator = in_language(spoken), in_language(several)
    assert spoken() == STANDARD
    assert handler() == "zh-CN"
    steps = generator()
    assert [next(steps), spoken(), next(steps)] == ["zh-CN", STANDARD, "zh-CN"]
    steps.close()
    assert len(closed) == 1
