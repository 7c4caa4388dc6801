"""Results as files."""

from __future__ import annotations

import csv
from pathlib import Path

from gradio.utils import get_upload_folder

from data2vec_core.tasks.results import Activity, Classification, LabelScore, Turn
from ui.downloads import lines_csv, turns_rttm
from ui.runs import ClassifiedLines
from ui.service import Answer


def test_classified_lines_are_a_table_that_spreadsheets_open() -> None:
    def one(label: str, is_outside: bool | None) -> Classification:
        return Classification(model="m", labels=(LabelScore(label=label, score=0.75),), outside=is_outside)

    lines = ('say "hello", 你好', "=1+1", "not read yet")
    result = ClassifiedLines(classifications=(one("good", None), one("bad", True)), model="m")
    path = Path(lines_csv(Answer(result, {"lines": lines}, None)))
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [
            ["text", "label", "score", "outside"],
            ['say "hello", 你好', "good", "0.7500", ""],
            ["=1+1", "bad", "0.7500", "True"],
        ]


def test_turns_are_rttm_in_the_apps_own_cache() -> None:
    spoken = (Turn(speaker="first", start=0.5, end=2), Turn(speaker="second", start=1.5, end=3))
    path = Path(turns_rttm(Answer(Activity(model="m", segments=spoken, duration=4.0), {}, None)))
    assert path.is_relative_to(Path(get_upload_folder()).resolve())
    fields = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    assert [(line[1], float(line[3]), float(line[4]), line[7]) for line in fields] == [
        ("recording", 0.5, 1.5, "first"),
        ("recording", 1.5, 1.5, "second"),
    ]
