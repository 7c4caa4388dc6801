"""Sounds and pictures that are read when they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from recipes.own import lazy_items
from recipes.own.folders import scan
from recipes.own.lazy_items import NothingLeftError, Pictures, Sounds


def ramp(seconds: float, rate: int = 16_000) -> np.ndarray:
    return np.linspace(-0.5, 0.5, round(seconds * rate), dtype=np.float32)


def test_parts_of_sounds(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", ramp(2.5), 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "b.wav", ramp(1.0, 44_100), 44_100, subtype="FLOAT")
    sounds = Sounds(scan(tmp_path, "audio"))
    assert sounds.lengths == [40_000, 16_000]
    assert np.array_equal(sounds.read(0, 12_345, 16_000), ramp(2.5)[12_345:28_345])
    assert np.array_equal(sounds.read(0, 30_000, 10_000), ramp(2.5)[30_000:])
    part = sounds.read(1, 8000, 4000)
    assert len(part) == 4000
    assert np.allclose(part[100:-100], ramp(1.0)[8100:11_900], atol=1e-3)


def test_only_the_last_few_pictures_stay_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(4):
        Image.new("RGB", (8, 8), (index, 0, 0)).save(tmp_path / f"{index}.png")
    read: list[str] = []
    load = lazy_items.load_image

    def counted(path: Path) -> Any:
        read.append(path.name)
        return load(path)

    monkeypatch.setattr(lazy_items, "load_image", counted)
    monkeypatch.setattr(lazy_items, "KEPT_BYTES", 2 * 3 * 6 * 6)
    pictures = Pictures(scan(tmp_path, "vision"), 6)
    assert len(pictures) == 4
    assert read == []
    for index in (0, 1, 0, 1, 2, 0):
        assert pictures[index].shape == (3, 6, 6)
        assert int(pictures[index][0, 0, 0]) == index
    assert read == ["0.png", "1.png", "2.png", "0.png"]
    assert len(pictures[1:3]) == 2
    with pytest.raises(IndexError):
        pictures[4]


def test_the_next_good_file_takes_the_place_of_a_bad_one(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        Image.new("RGB", (300, 300), (50, ord(name), 0)).save(tmp_path / f"{name}.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "b.png").read_bytes()[:90])
    pictures = Pictures(scan(tmp_path, "vision"), 8)
    assert [int(picture[1, 0, 0]) for picture in pictures] == [ord("a"), ord("c"), ord("c")]
    assert str(pictures.failed) == "1 unreadable (b.png)"


def test_the_same_of_sounds_until_none_is_left(tmp_path: Path) -> None:
    for name, seconds in (("a", 1.0), ("b", 2.0), ("c", 0.5)):
        soundfile.write(tmp_path / f"{name}.wav", ramp(seconds), 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "b.wav", np.full(32_000, np.nan), 16_000, subtype="FLOAT")
    sounds = Sounds(scan(tmp_path, "audio"))
    assert np.array_equal(sounds.read(1, 20_000, 6000), ramp(0.5)[2000:]), "its end, for it is shorter"
    assert len(sounds.read(1, 0, 12_000)) == 8000
    assert str(sounds.failed) == "1 unreadable (b.wav)"
    for name in ("a", "c"):
        (tmp_path / f"{name}.wav").unlink()
    with pytest.raises(NothingLeftError, match=r"none of the 3 files can be read any more: 3 unreadable"):
        sounds.read(0, 0, 100)
