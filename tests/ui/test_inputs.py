"""Reading what a visitor gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gradio.utils import get_upload_folder
from PIL import Image

from data2vec_core.processing.text_errors import EmptyTextError, MaskCountError, TextTooLongError
from ui.inputs import Input, LinesInput, PictureInput, SeveralInput, SoundInput, TextInput, upload_path
from ui.options import NumberInput, SeedInput
from ui.refusals import refusals_in_words
from ui.settings import Settings
from ui.words import say

SOUND, PICTURE, TEXT = SoundInput("audio"), PictureInput("image"), TextInput("text")
OPTIONS = SeveralInput("choices", of=TextInput("choice"), fewest=2, most=3, miscounted="choose.miscounted")


def refusal(one: Input, value: Any, settings: Settings) -> str:
    """The sentence with which an input is refused."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        one.read(value, settings)
    return str(caught.value)


def test_a_sound_is_decoded(files: Callable[[str], str], settings: Settings) -> None:
    sound = SOUND.read(files("sound.wav"), settings)
    assert isinstance(sound, tuple)
    rate, samples = sound
    assert rate == 16_000
    assert samples.shape == (16_000,)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("long.wav", "sound.too_long"),
        ("empty.wav", "sound.empty"),
        ("no_sound.wav", "sound.unreadable"),
        ("picture.png", "sound.unreadable"),
    ],
)
def test_a_sound_is_refused_in_words(name: str, key: str, files: Callable[[str], str], settings: Settings) -> None:
    assert refusal(SOUND, files(name), settings) == say(key, seconds="20")


@pytest.mark.parametrize(
    ("name", "key"), [("large.png", "picture.too_large"), ("no_picture.png", "picture.unreadable")]
)
def test_a_picture_is_refused_in_words(name: str, key: str, files: Callable[[str], str], settings: Settings) -> None:
    assert refusal(PICTURE, files(name), settings) == say(key, megapixels="0.5")


def test_a_picture_that_breaks_off_is_refused(files: Callable[[str], str], settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "half.png"
    path.write_bytes(Path(files("picture.png")).read_bytes()[:2000])
    assert "damaged" in refusal(PICTURE, str(path), settings)


@pytest.mark.parametrize("suffix", ["webp", "gif", "bmp", "tiff", "jpg"])
def test_pictures_of_other_formats_are_read(
    suffix: str, files: Callable[[str], str], settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / f"picture.{suffix}"
    Image.open(files("picture.png")).save(path)
    assert PICTURE.read(str(path), settings).size == (60, 40)


def test_text_is_trimmed_and_measured(settings: Settings) -> None:
    assert TEXT.read("  fine \n", settings) == "fine"
    assert "it has 2001 characters, and at most 2000" in refusal(TEXT, "x" * 2001, settings)


def test_half_a_character_counts_as_an_unknown_one(settings: Settings) -> None:
    assert TEXT.read("a\ud800b", settings) == "a\ufffdb"


def test_text_whose_characters_are_counted_is_left_as_it_is(settings: Settings) -> None:
    assert TextInput("text", keeps_space=True).read("  fine \n", settings) == "  fine \n"


def test_a_passage_may_be_longer(settings: Settings) -> None:
    passage = TextInput("context", is_passage=True)
    assert len(passage.read("x" * 20_000, settings)) == 20_000
    assert "at most 20000" in refusal(passage, "x" * 20_001, settings)


@pytest.mark.parametrize("nothing", ["", "  \n", None, 5, ["a"]])
def test_no_text_is_refused(nothing: Any, settings: Settings) -> None:
    assert refusal(TEXT, nothing, settings) == say("text.missing")
    assert refusal(LinesInput("lines"), nothing, settings) == say("text.missing")


@pytest.mark.parametrize("one", [SOUND, PICTURE], ids=lambda one: one.name)
def test_no_file_is_refused(one: Input, settings: Settings) -> None:
    assert refusal(one, None, settings).startswith("There is no")


def test_lines_are_read_one_by_one_without_the_empty_ones(settings: Settings) -> None:
    lines = LinesInput("lines")
    assert lines.read("\n a \r\n\n b\n", settings) == ("a", "b")
    assert refusal(lines, "x\n" * 201, settings) == say("lines.too_many", lines=201, limit=200)
    assert "it has 2001 characters" in refusal(lines, "x\n" + "y" * 2001, settings)
    assert "at most 800000" in refusal(lines, "\n" * 800_001, settings)  # before it is taken apart


def test_a_list_has_so_many_things_and_no_more(settings: Settings) -> None:
    assert OPTIONS.read(["a", " b "], settings) == ("a", "b")
    sentence = say("choose.miscounted", fewest=2, most=3)
    for wrong in (None, "ab", {"a": 1}, [], ["a"], ["a"] * 4):
        assert refusal(OPTIONS, wrong, settings) == sentence
    assert refusal(OPTIONS, ["a", " "], settings) == say("text.missing")


def test_numbers_keep_to_their_scale(settings: Settings) -> None:
    whole = NumberInput("top_k", standard=5, least=1, most=20, step=1)
    assert (whole.default, whole.read(7.0, settings)) == (5, 7)
    for wrong in (0, 21, 2.5, "5", None, True, float("nan"), float("inf"), [5]):
        assert refusal(whole, wrong, settings) == "top_k has to be a whole number from 1 to 20."
    share = NumberInput("top_p", standard=0.9, least=0.05, most=1, step=0.05)
    assert share.read(1, settings) == 1
    assert refusal(share, 0, settings) == "top_p has to be a number from 0.05 to 1."


def test_a_seed_is_taken_or_drawn(settings: Settings) -> None:
    seed = SeedInput("seed")
    assert seed.read(0, settings) == 0
    assert 0 <= seed.read(None, settings) < 10_000
    assert "whole number" in refusal(seed, -1, settings)


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (EmptyTextError("x"), "text.missing"),
        (MaskCountError("x"), "text.no_mask"),
        (TextTooLongError("x"), "text.too_many_tokens"),
    ],
)
def test_what_the_library_refuses_is_refused_in_words(error: Exception, key: str, settings: Settings) -> None:
    with pytest.raises(ValueError) as caught, refusals_in_words(settings):  # noqa: PT011 - all of it is compared
        raise error
    assert str(caught.value) == say(key)


def test_only_uploads_are_files() -> None:
    inside = str(Path(get_upload_folder()) / "abc" / "sound.wav")
    assert upload_path({"path": inside}) == inside
    assert upload_path(None) is None
    several = SeveralInput("audio_a", of=SOUND, fewest=1, most=4, miscounted="compare_speakers.miscounted")
    assert several.received([{"path": inside}]) == [inside]
    outside = [
        {"path": "a\0b"},
        {"path": "a/" * 5000},
        {"path": "/etc/hostname"},
        {"path": f"{get_upload_folder()}/../x"},
        {"path": None},
        inside,
        5,
    ]
    for file in outside:
        for receive, value in ((upload_path, file), (several.received, [file])):
            with pytest.raises(ValueError, match="has to be uploaded"):
                receive(value)
