"""Folders of one's own data: what is found, in what order, and what is said of the rest."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from recipes.own.folders import Account, Limits, scan
from recipes.own.text_files import (
    DamagedTextError,
    NotTextError,
    TextTooLargeError,
    read_document,
    read_paragraphs,
    read_pieces,
)


def write_tone(path: Path, seconds: float = 0.5, rate: int = 16_000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.3 * np.sin(np.arange(round(seconds * rate)) / 9), rate)


def write_picture(path: Path, size: tuple[int, int] = (20, 16)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (200, 30, 90)).save(path)


def names(root: Path, modality: str, **options: object) -> list[str]:
    return [entry.name for entry in scan(root, modality, **options).entries]  # type: ignore[arg-type]


class TestScan:
    def test_order_is_that_of_the_names_folder_by_folder(self, tmp_path: Path) -> None:
        for name in ("b/z.wav", "b/a/deep.flac", "a.wav", "c.OGG", "B.wav"):
            write_tone(tmp_path / name)
        assert names(tmp_path, "audio") == ["B.wav", "a.wav", "c.OGG", "b/z.wav", "b/a/deep.flac"]

    def test_sounds_and_the_reasons_against_others(self, tmp_path: Path) -> None:
        write_tone(tmp_path / "good.wav", 2.0)
        write_tone(tmp_path / "good.mp3", 1.0, 8000)
        write_tone(tmp_path / "short.wav", 0.01)
        write_tone(tmp_path / "none.wav", 0.0)
        (tmp_path / "blank.flac").touch()
        (tmp_path / "broken.wav").write_bytes(b"RIFF and then nothing of use")
        (tmp_path / "notes.md").write_text("about the sounds")
        write_tone(tmp_path / ".hidden.wav")
        write_tone(tmp_path / ".cache" / "x.wav")
        folder = scan(tmp_path, "audio", limits=Limits(min_seconds=0.1))
        assert [entry.name for entry in folder.entries] == ["good.mp3", "good.wav"]
        assert folder.size == pytest.approx(3.0, abs=0.2)
        assert folder.skipped.counts == {
            "another kind of file": 1, "hidden": 2, "empty": 2, "too short": 1, "unreadable": 1,
        }  # fmt: skip
        assert folder.skipped.examples["unreadable"] == ["broken.wav"]
        assert "2 sounds, 0.1 minutes, in 2 files\nskipped: 2 " in str(folder)
        assert "1 too short (short.wav)" in str(folder)

    def test_pictures(self, tmp_path: Path) -> None:
        write_picture(tmp_path / "good.png", (40, 30))
        write_picture(tmp_path / "good.jpg")
        write_picture(tmp_path / "thin.png", (40, 3))
        write_picture(tmp_path / "huge.png", (200, 100))
        (tmp_path / "empty.png").touch()
        (tmp_path / "text.jpg").write_text("no picture")
        folder = scan(tmp_path, "vision", limits=Limits(min_side=8, max_pixels=10_000))
        assert [entry.name for entry in folder.entries] == ["good.jpg", "good.png"]
        assert folder.size == 40 * 30 + 20 * 16
        assert folder.skipped.counts == {"too small": 1, "too large": 1, "empty": 1, "unreadable": 1}

    def test_texts(self, tmp_path: Path) -> None:
        (tmp_path / "good.txt").write_text("Ein Satz.\n", encoding="utf-8")
        (tmp_path / "marked.TXT").write_bytes("\ufeffäöü".encode())
        (tmp_path / "latin.txt").write_bytes("Größe".encode("latin-1"))
        (tmp_path / "utf16.txt").write_bytes("plain".encode("utf-16-le"))
        (tmp_path / "blank.txt").write_text(" \n\n")
        (tmp_path / "page.html").write_text("<p>")
        (tmp_path / "lines.txt.gz").write_bytes(gzip.compress(b"one\n\ntwo words\r\n  \nthree"))
        (tmp_path / "cut.txt.gz").write_bytes(gzip.compress(b"one\n" * 1000)[:-12])
        (tmp_path / "none.txt.gz").write_bytes(b"not compressed")
        folder = scan(tmp_path, "text")
        assert [(entry.name, entry.items, entry.size) for entry in folder.entries] == [
            ("good.txt", 1, 9), ("lines.txt.gz", 3, 17), ("marked.TXT", 1, 3),
        ]  # fmt: skip
        assert folder.items == 5
        assert folder.skipped.counts == {
            "not UTF-8 text": 2, "empty": 1, "another kind of file": 1, "unreadable": 2,
        }  # fmt: skip

    def test_links_lead_to_each_folder_once_and_pipes_are_not_opened(self, tmp_path: Path) -> None:
        (tmp_path / "data" / "sub").mkdir(parents=True)
        (tmp_path / "data" / "one.txt").write_text("one")
        (tmp_path / "data" / "sub" / "two.txt").write_text("two")
        (tmp_path / "data" / "sub" / "up").symlink_to(tmp_path / "data")
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "three.txt").write_text("three")
        (tmp_path / "data" / "link").symlink_to(tmp_path / "outside")
        (tmp_path / "data" / "dead.txt").symlink_to(tmp_path / "nowhere.txt")
        os.mkfifo(tmp_path / "data" / "pipe.txt")
        folder = scan(tmp_path / "data", "text")
        assert [entry.name for entry in folder.entries] == ["one.txt", "link/three.txt", "sub/two.txt"]
        assert folder.skipped.counts == {
            "a folder met before, by a link": 1, "unreadable": 1, "another kind of file": 1,
        }  # fmt: skip

    def test_a_name_that_is_not_text_is_left_out_and_named(self, tmp_path: Path) -> None:
        (tmp_path / "good.txt").write_text("x")
        with open(os.fsencode(tmp_path) + b"/bad\xff.txt", "w") as file:
            file.write("x")
        folder = scan(tmp_path, "text")
        assert [entry.name for entry in folder.entries] == ["good.txt"]
        assert folder.skipped.examples == {"unreadable": ["bad?.txt"]}

    def test_wrong_folders_are_refused_with_a_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="there is no folder .*/nowhere"):
            scan(tmp_path / "nowhere", "audio")
        with pytest.raises(ValueError, match=r"should hold sounds \(.aif.*and has none; it has no files"):
            scan(tmp_path, "audio")
        for index in range(5):
            (tmp_path / f"{index}.txt").write_text("x")
        with pytest.raises(ValueError, match=r"a file; give the folder"):
            scan(tmp_path / "0.txt", "text")
        said = r"none; skipped: 5 another kind of file \(0.txt, 1.txt, 2.txt, ...\)"
        with pytest.raises(ValueError, match=said):
            scan(tmp_path, "vision")
        with pytest.raises(ValueError, match="has 5 of the 8 texts needed"):
            scan(tmp_path, "text", at_least=8)
        assert scan(tmp_path, "text", at_least=5).items == 5

    def test_the_fingerprint_notices_new_files_and_new_content(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("one")
        prints = [scan(tmp_path, "text").fingerprint()]
        (tmp_path / "a.txt").write_text("three")
        prints.append(scan(tmp_path, "text").fingerprint())
        (tmp_path / "b.txt").write_text("x")
        prints.append(scan(tmp_path, "text").fingerprint())
        assert len(set(prints)) == 3
        assert scan(tmp_path, "text").fingerprint() == prints[-1]

    def test_an_account_names_the_commonest_reason_first(self) -> None:
        account = Account()
        for reason, name in (("empty", "a"), ("unreadable", "b"), ("unreadable", "c")):
            account.add(reason, name)
        assert str(account) == "2 unreadable (b, c), 1 empty (a)"
        assert account.total == 3


class TestTextFiles:
    def test_pieces_are_the_document_cut_before_spaces(self, tmp_path: Path) -> None:
        path = tmp_path / "long.txt"
        text = "wörter und\r\nzeilen " * 40 + "x" * 300 + " ende \n"
        path.write_text(text, encoding="utf-8", newline="")
        pieces = list(read_pieces(path, characters=100))
        assert "".join(piece for _, piece in pieces) == text
        assert all(text.startswith(piece, start) and len(piece) <= 100 for start, piece in pieces)
        assert sum(piece[0].isspace() for _, piece in pieces) >= 6
        assert read_document(path) == text

    def test_a_byte_order_mark_is_no_character(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_bytes("\ufeffab".encode())
        assert list(read_pieces(tmp_path / "a.txt")) == [(0, "ab")]

    def test_paragraphs_keep_their_line_numbers(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"one\n\n two \r\n\nthree"))
        assert list(read_paragraphs(tmp_path / "a.txt.gz")) == [(1, "one"), (3, "two"), (5, "three")]

    def test_damage_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "a.txt.gz"
        path.write_bytes(gzip.compress(b"one\n" * 1000)[:-12])
        with pytest.raises(DamagedTextError):
            list(read_paragraphs(path))
        path.write_bytes(gzip.compress(b"\xff\xfe"))
        with pytest.raises(NotTextError, match="not UTF-8"):
            list(read_paragraphs(path))
        monkeypatch.setattr("recipes.own.text_files.LONGEST_PARAGRAPH", 50)
        path.write_bytes(gzip.compress(b"x" * 51))
        with pytest.raises(TextTooLargeError, match="50 characters"):
            list(read_paragraphs(path))
