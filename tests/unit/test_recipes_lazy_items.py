"""Sounds and pictures that are read when they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from recipes import lazy_items
from recipes.folders import scan
from recipes.lazy_items import Pictures, Sounds


def ramp(seconds: float, rate: int = 16_000) -> np.ndarray:
    return np.linspace(-0.5, 0.5, round(seconds * rate), dtype=np.float32)


def test_long_sounds_come_in_pieces_that_are_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "a.wav", ramp(0.4), 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "b.wav", ramp(2.5), 16_000, subtype="FLOAT")
    monkeypatch.setattr(lazy_items, "PIECE_SECONDS", 1.0)
    sounds = Sounds(scan(tmp_path, "audio"))
    assert len(sounds) == 4
    for index, (start, end) in enumerate([(0, 13_333), (13_333, 26_666), (26_667, 40_000)], start=1):
        assert np.array_equal(sounds[index], ramp(2.5)[start:end])
    assert max(abs(len(sound) - length) for sound, length in zip(sounds, sounds.lengths, strict=True)) <= 1


def test_only_the_last_few_stay_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(4):
        Image.new("RGB", (8, 8), (index, 0, 0)).save(tmp_path / f"{index}.png")
    read: list[str] = []
    load = lazy_items.load_image

    def counted(path: Path) -> Any:
        read.append(path.name)
        return load(path)

    monkeypatch.setattr(lazy_items, "load_image", counted)
    pictures = Pictures(scan(tmp_path, "vision"), side=8, kept=2)
    assert read == []
    for index in (0, 1, 0, 1, 2, 0):
        assert pictures[index].getpixel((0, 0)) == (index, 0, 0)
    assert read == ["0.png", "1.png", "2.png", "0.png"]
    with pytest.raises(IndexError):
        pictures[4]


def test_large_pictures_are_made_smaller_and_small_ones_stay(tmp_path: Path) -> None:
    for name, size in (("a", (300, 150)), ("b", (40, 50)), ("c", (2000, 7))):
        Image.new("L", size, 77).save(tmp_path / f"{name}.png")
    pictures = Pictures(scan(tmp_path, "vision"), side=50)
    assert [picture.size for picture in pictures] == [(100, 50), (40, 50), (2000, 7)]
    assert {picture.mode for picture in pictures} == {"RGB"}


def test_the_next_good_item_takes_the_place_of_a_bad_one(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        soundfile.write(tmp_path / f"{name}.wav", 0.1 * ramp(0.5), 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "b.wav", ramp(0.5) * np.nan, 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "c.wav", np.zeros(9000), 16_000)
    soundfile.write(tmp_path / "d.wav", ramp(0.4), 16_000, subtype="FLOAT")
    sounds = Sounds(scan(tmp_path, "audio"), min_samples=6000)
    assert np.array_equal(sounds[1], ramp(0.4))
    assert np.array_equal(sounds[2], sounds[1])
    assert str(sounds.failed) == "1 unreadable (b.wav), 1 empty (c.wav)"
    assert len(sounds[0]) == 8000
    (tmp_path / "a.wav").unlink()
    (tmp_path / "d.wav").unlink()
    fresh = Sounds(scan_of(sounds), min_samples=6000)
    with pytest.raises(ValueError, match="none of the 4 items can be read: .*3 unreadable"):
        fresh[0]


def scan_of(sounds: Sounds) -> Any:
    """The folder as it was found."""
    return sounds._folder
