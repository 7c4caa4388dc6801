"""The examples that panels open with: whole, and answered rightly by the bundled models where that can be said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ui.catalogue import TOOLS, ToolName
from ui.examples import EXAMPLES_FOLDER, INPUTS_FILE, Example, shipped_examples
from ui.inputs import PictureInput, PicturesInput, SeveralInput, SoundInput
from ui.service import Service
from ui.settings import Settings

PANELS = [name for name, tool in TOOLS.items() if tool.part_of is None]
EVERY = [(tool, example) for tool in PANELS for example in shipped_examples(tool)]


def read(name: str) -> Any:
    return json.loads((EXAMPLES_FOLDER / name).read_text(encoding="utf-8"))


def test_every_tool_has_examples_and_no_two_have_the_same_name() -> None:
    assert set(read(INPUTS_FILE)) == set(PANELS)
    for tool in PANELS:
        labels = [example.label for example in shipped_examples(tool)]
        assert labels
        assert len(set(labels)) == len(labels)


def test_a_project_without_assets_has_no_examples(tmp_path: Path) -> None:
    assert shipped_examples("choose", tmp_path) == []


@pytest.mark.parametrize(("tool", "example"), EVERY, ids=lambda value: getattr(value, "label", value)[:30])
def test_an_example_can_be_read_and_its_files_are_listed(tool: ToolName, example: Example) -> None:
    assert TOOLS[tool].read(example.inputs, Settings())
    listed = {record["file"] for record in read("examples.json")}
    listed |= {f"photographs/{record['file']}" for record in read("photographs/manifest.json")["files"]}
    for one in TOOLS[tool].inputs:
        kind = one.of if isinstance(one, SeveralInput) else one
        if isinstance(kind, (SoundInput, PictureInput, PicturesInput)):
            value = example.inputs[one.name]
            paths = [Path(path) for path in (value if isinstance(value, list) else [value])]
            assert {path.relative_to(EXAMPLES_FOLDER).as_posix() for path in paths} <= listed


def said(result: Any) -> Any:
    """The gist of a result, as examples state what is right."""
    for field in ("same_speaker", "answer", "choice"):
        if hasattr(result, field):
            return getattr(result, field)
    return result.labels[0].label


@pytest.fixture(scope="module")
def service() -> Service:
    return Service(Settings(threads=1))


@pytest.mark.parametrize(
    ("tool", "example"),
    [(tool, example) for tool, example in EVERY if example.answer is not None],
    ids=lambda value: getattr(value, "label", value)[:30],
)
def test_the_bundled_models_are_shown_where_they_are_right(tool: ToolName, example: Example, service: Service) -> None:
    if not service.knows(TOOLS[tool].default_model):
        pytest.skip(f"{TOOLS[tool].default_model} is not here")
    result = service.ask(tool, example.inputs).result
    assert said(result) == example.answer
    assert not getattr(result, "outside", False)
