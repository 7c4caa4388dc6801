"""Tables and parts of one's own labelled data: how rows are read, and which are held apart."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from recipes.own.labelled import HELD_APART, check_labels, hold_apart
from recipes.own.tables import Row, TableError, WrongRowError, read_table
from tests.labelled_data import write_csv, write_lines


def nothing(item: object) -> None:  # noqa: ARG001
    """Of no stratum or group."""


class TestTables:
    @pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
    def test_every_kind_gives_the_same_rows(self, kind: str, tmp_path: Path) -> None:
        records = [{"text": 'so "good", they say', "label": "yes"}, {"text": "ein Kuß\nzwei", "label": "no"}]
        path = tmp_path / f"t.{kind}"
        match kind:
            case "jsonl":
                write_lines(path, records)
            case "parquet":
                parquet = pytest.importorskip("pyarrow.parquet")
                parquet.write_table(pytest.importorskip("pyarrow").Table.from_pylist(records), path)
            case _:
                write_csv(path, list(records[0]), [list(r.values()) for r in records], "\t" if kind == "tsv" else ",")
        assert [row.values for row in read_table(path)] == records

    def test_sentences_with_tags(self, tmp_path: Path) -> None:
        path = tmp_path / "news.conll"
        path.write_text("-DOCSTART- O\n\nAda NNP B-person\nsings VB O\n\nin O\nRome B-place\n")
        rows = read_table(path)
        assert [row.values for row in rows] == [
            {"tokens": ["Ada", "sings"], "tags": ["B-person", "O"]},
            {"tokens": ["in", "Rome"], "tags": ["O", "B-place"]},
        ]
        assert [row.place for row in rows] == ["news.conll, line 3", "news.conll, line 6"]

    def test_lists_in_cells(self) -> None:
        row = Row({"json": '["a b", "c"]', "words": " a b  c", "bars": "a b | c", "own": ["a", 1], "bad": "[1"}, "here")
        assert row.list_of("json") == ["a b", "c"]
        assert row.list_of("words") == ["a", "b", "c"]
        assert row.list_of("bars", "|") == ["a b", "c"]
        assert row.list_of("own") == ["a", "1"]
        with pytest.raises(WrongRowError, match="begins as a JSON list"):
            row.list_of("bad")
        with pytest.raises(WrongRowError, match="no list in the column other"):
            row.list_of("other")

    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("t.csv", b"", "has no rows"),
            ("t.csv", b"text,label\n", "has no rows"),
            ("t.csv", b"a,a\n1,2\n", "two columns have one name"),
            ("t.csv", b"a,b\n1,2,3\n", "line 2: 3 cells, and the first line names 2"),
            ("t.csv", b'a,b\n"1,2\n', "line 2: unexpected end of data"),
            ("t.csv", "a\nü\n".encode("latin-1"), "is not UTF-8 text"),
            ("t.jsonl", b'{"a": 1}\n{"a": \n', "line 2: no JSON"),
            ("t.jsonl", b"[1]\n", "line 1: every line is one JSON object"),
            ("t.csv.gz", b"not compressed", "is compressed and damaged"),
            ("t.conll", b"word\n", "line 1: a word without a tag"),
            ("t.parquet", b"no", "cannot be read as Parquet"),
            ("t.xlsx", b"PK", "is no table that can be read"),
        ],
    )
    def test_what_is_no_table_is_a_sentence(self, name: str, content: bytes, said: str, tmp_path: Path) -> None:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(TableError, match=re.escape(said)):
            read_table(tmp_path / name)


class TestParts:
    def test_a_share_of_every_label_is_held_apart(self) -> None:
        items = ["a"] * 50 + ["b"] * 20 + ["c"] * 2
        train, valid = hold_apart(items, stratum=str, group=nothing, seed=3)
        assert [valid.count(label) for label in "abc"] == [round(HELD_APART * 50), round(HELD_APART * 20), 1]
        assert sorted(train + valid) == sorted(items)

    def test_whole_speakers_are_held_apart(self) -> None:
        items = [(speaker, index) for speaker in range(10) for index in range(speaker + 1)]
        train, valid = hold_apart(items, stratum=nothing, group=lambda item: str(item[0]), least=2, seed=1)
        assert not {speaker for speaker, _ in train} & {speaker for speaker, _ in valid}
        assert len({speaker for speaker, _ in valid}) >= 2
        assert len(valid) >= HELD_APART * len(items)
        assert hold_apart(items, stratum=nothing, group=lambda item: str(item[0]), least=2, seed=1)[1] == valid

    def test_where_all_is_of_one_speaker_labels_decide(self) -> None:
        _, valid = hold_apart(["a"] * 20 + ["b"] * 20, stratum=str, group=lambda item: item == "", seed=1)
        assert Counter(valid) == {"a": 2, "b": 2}

    def test_too_few_speakers_are_refused(self) -> None:
        with pytest.raises(ValueError, match="there are 2 speakers, and 3 are needed"):
            hold_apart([1, 2, 2], stratum=nothing, group=lambda item: item, least=2)

    def test_labels_that_cannot_be_learnt(self) -> None:
        with pytest.raises(ValueError, match="one label only"):
            check_labels(["a", "a"], ["a"])
        with pytest.raises(ValueError, match="one example only of c;"):
            check_labels(["a", "b", "c"], ["a", "b"])
        with pytest.raises(ValueError, match="no example to learn from of c;"):
            check_labels(["a", "b", "b"], ["a", "c", "c"])
        assert check_labels(["b", "a"], ["a", "b"]) == ["a", "b"]
