"""Reading what a visitor gives: checked against the limits, or refused with the sentence that says what to do.

No message names a path: the same sentences go to whoever calls the API.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gradio.utils import get_upload_folder, is_in_or_equal
from PIL import Image

from data2vec_core.checkpoints.card import Modality
from data2vec_core.processing.audio_io import (
    MODEL_RATE,
    AudioError,
    AudioTooLongError,
    AudioTooShortError,
    EmptyAudioError,
    SilentAudioError,
    Waveform,
    load_audio,
)
from data2vec_core.processing.image_io import ImageError, ImageTooLargeError, load_image
from ui.settings import Settings
from ui.words import say

Sound = tuple[int, Waveform]
"""Samples a second, and the samples: (samples,) float32."""

_SENTENCES: tuple[tuple[type[ValueError], str], ...] = (
    (AudioTooLongError, "sound.too_long"),
    (AudioTooShortError, "sound.too_short"),
    (EmptyAudioError, "sound.empty"),
    (SilentAudioError, "sound.silent"),
    (AudioError, "sound.unreadable"),
    (ImageTooLargeError, "picture.too_large"),
    (ImageError, "picture.unreadable"),
)
"""What to tell the visitor when the library refuses an input; the first that fits counts."""


@contextmanager
def refusals_in_words(settings: Settings) -> Iterator[None]:
    """Let the library's refusals of an input arrive as the page's sentences.

    Raises:
        ValueError: in place of an `AudioError` or an `ImageError`.
    """
    try:
        yield
    except (AudioError, ImageError) as error:
        key = next(key for kind, key in _SENTENCES if isinstance(error, kind))
        limits = {"seconds": f"{settings.max_audio_seconds:g}", "megapixels": f"{settings.max_megapixels:g}"}
        raise ValueError(say(key, **limits)) from None


def upload_path(file: Any) -> str | None:
    """Where gradio put an upload, from what it hands to a function; None for no file.

    Gradio checks where a well-formed file lies, and lets anything else pass: a caller who sends a bare path must not
    have it read.

    Raises:
        ValueError: not an upload.
    """
    if file is None:
        return None
    path = file.get("path") if isinstance(file, dict) else None
    if not isinstance(path, str) or not is_in_or_equal(path, get_upload_folder()):
        raise ValueError(say("api.no_file"))
    return path


def read_sound(path: str | None, settings: Settings) -> Sound:
    """Decode a sound file within the limit of seconds.

    Raises:
        ValueError: no file, not a sound, empty, or too long.
    """
    if not path:
        raise ValueError(say("sound.missing"))
    with refusals_in_words(settings):
        return MODEL_RATE, load_audio(path, max_seconds=settings.max_audio_seconds)


def read_text(text: str | None, settings: Settings) -> str:
    """Check a text.

    Raises:
        ValueError: nothing but white space, or too long.
    """
    text = text.strip() if isinstance(text, str) else ""
    if not text:
        raise ValueError(say("text.missing"))
    if len(text) > settings.max_characters:
        raise ValueError(say("text.too_long", characters=len(text), limit=settings.max_characters))
    return text


def read_picture(path: str | None, settings: Settings) -> Image.Image:
    """Decode a picture within the limit of pixels, turned the way its camera was held, as RGB.

    Raises:
        ValueError: no file, not a picture, damaged, or too large.
    """
    if not path:
        raise ValueError(say("picture.missing"))
    with refusals_in_words(settings):
        return load_image(path, max_pixels=int(settings.max_megapixels * 1e6))


READERS: dict[Modality, Callable[[Any, Settings], Any]] = {
    "audio": read_sound,
    "text": read_text,
    "vision": read_picture,
}
"""What is done with an input before a model sees it."""
