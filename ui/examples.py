"""The inputs that come with the project, for a visitor who has none at hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ui.catalogue import TOOLS, ToolName

EXAMPLES_FOLDER = Path(__file__).resolve().parents[1] / "assets" / "examples"


@dataclass(frozen=True)
class Example:
    """One input of one tool."""

    label: str
    """A few words for a button."""
    source: str
    """A path or a text: what the tool takes."""


def shipped_examples(tool: ToolName, folder: Path = EXAMPLES_FOLDER) -> list[Example]:
    """The examples of a tool, the one that its panel opens with first; none where the project has no assets."""
    index = folder / "examples.json"
    if not index.is_file():
        return []
    task = TOOLS[tool].example_task
    records = [record for record in _read(index) if task in record["tasks"]]
    if TOOLS[tool].modality == "text":
        texts = [entry["text"] for record in records for entry in _read(folder / record["file"])[task]]
        return [Example(text, text) for text in texts]
    return [
        Example((record.get("text") or record.get("label", "")).strip("_").lower(), str(folder / record["file"]))
        for record in records
    ]


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
