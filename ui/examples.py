"""The inputs that come with the project, for a visitor who has none at hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ui.catalogue import TOOLS, ToolName
from ui.inputs import Input, PictureInput, PicturesInput, SeveralInput, SoundInput

EXAMPLES_FOLDER = Path(__file__).resolve().parents[1] / "assets" / "examples"
INPUTS_FILE = "inputs.json"
"""Tool -> its examples, the one that its panel opens with first. Sounds and pictures are named by their files beside
it."""


@dataclass(frozen=True)
class Example:
    """Inputs of one tool."""

    label: str
    """A few words for a button; no two of one tool have the same."""
    inputs: Mapping[str, Any]
    """By name, as a visitor would give them; settings may be left out."""
    answer: Any = None
    """What is right, in the words of the result, where that can be said."""


def shipped_examples(tool: ToolName, folder: Path = EXAMPLES_FOLDER) -> list[Example]:
    """The examples of a tool; none where the project has no assets."""
    path = folder / INPUTS_FILE
    if not path.is_file():
        return []
    records = json.loads(path.read_text(encoding="utf-8")).get(tool, [])
    kinds = {one.name: one for one in TOOLS[tool].inputs}
    examples = []
    for record in records:
        inputs = {name: _placed(kinds[name], value, folder) for name, value in record["inputs"].items()}
        first = inputs[TOOLS[tool].inputs[0].name]
        examples.append(Example(record.get("label", first), inputs, record.get("answer")))
    return examples


def _placed(kind: Input, value: Any, folder: Path) -> Any:
    """A value with its files where they are."""
    if isinstance(kind, SeveralInput):
        return [_placed(kind.of, each, folder) for each in value]
    if isinstance(kind, PicturesInput):
        return [str(folder / each) for each in value]
    return str(folder / value) if isinstance(kind, (SoundInput, PictureInput)) else value
