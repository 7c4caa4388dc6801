"""Reading what a visitor gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from gradio.utils import get_upload_folder
from PIL import Image

from ui.inputs import read_picture, read_sound, read_text, upload_path
from ui.settings import Settings
from ui.words import say


def test_a_sound_is_decoded(files: Callable[[str], str], settings: Settings) -> None:
    rate, samples = read_sound(files("sound.wav"), settings)
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
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        read_sound(files(name), settings)
    assert str(caught.value) == say(key, seconds="20")


@pytest.mark.parametrize(
    ("name", "key"), [("large.png", "picture.too_large"), ("no_picture.png", "picture.unreadable")]
)
def test_a_picture_is_refused_in_words(name: str, key: str, files: Callable[[str], str], settings: Settings) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        read_picture(files(name), settings)
    assert str(caught.value) == say(key, megapixels="0.5")


def test_a_picture_that_breaks_off_is_refused(files: Callable[[str], str], settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "half.png"
    path.write_bytes(Path(files("picture.png")).read_bytes()[:2000])
    with pytest.raises(ValueError, match="damaged"):
        read_picture(str(path), settings)


@pytest.mark.parametrize("suffix", ["webp", "gif", "bmp", "tiff", "jpg"])
def test_pictures_of_other_formats_are_read(
    suffix: str, files: Callable[[str], str], settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / f"picture.{suffix}"
    Image.open(files("picture.png")).save(path)
    assert read_picture(str(path), settings).size == (60, 40)


def test_text_is_trimmed_and_measured(settings: Settings) -> None:
    assert read_text("  fine \n", settings) == "fine"
    with pytest.raises(ValueError, match="it has 2001 characters, and at most 2000"):
        read_text("x" * 2001, settings)


@pytest.mark.parametrize("nothing", ["", "  \n", None, 5, ["a"]])
def test_no_text_is_refused(nothing: str | None, settings: Settings) -> None:
    with pytest.raises(ValueError, match="There is no text yet"):
        read_text(nothing, settings)


@pytest.mark.parametrize("read", [read_sound, read_picture])
def test_no_file_is_refused(read: Callable[..., object], settings: Settings) -> None:
    with pytest.raises(ValueError, match="There is no"):
        read(None, settings)


def test_only_uploads_are_files() -> None:
    inside = str(Path(get_upload_folder()) / "abc" / "sound.wav")
    assert upload_path({"path": inside}) == inside
    assert upload_path(None) is None
    outside = [{"path": "/etc/hostname"}, {"path": f"{get_upload_folder()}/../x"}, {"path": None}, inside, 5]
    for file in outside:
        with pytest.raises(ValueError, match="has to be uploaded"):
            upload_path(file)
