"""Why an input cannot be used, in the page's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from data2vec_core.processing.audio_errors import (
    AudioError,
    AudioTooLongError,
    AudioTooShortError,
    BrokenSamplesError,
    EmptyAudioError,
    SilentAudioError,
)
from data2vec_core.processing.image_io import ImageError, ImageTooLargeError
from data2vec_core.processing.text_errors import EmptyTextError, MaskCountError, TextError
from ui.settings import Settings
from ui.words import say

_SENTENCES: tuple[tuple[type[ValueError], str], ...] = (
    (AudioTooLongError, "sound.too_long"),
    (AudioTooShortError, "sound.too_short"),
    (EmptyAudioError, "sound.empty"),
    (SilentAudioError, "sound.silent"),
    (BrokenSamplesError, "sound.broken"),
    (AudioError, "sound.unreadable"),
    (ImageTooLargeError, "picture.too_large"),
    (ImageError, "picture.unreadable"),
    (EmptyTextError, "text.missing"),
    (MaskCountError, "text.no_mask"),
    (TextError, "text.too_many_tokens"),
)
"""What to tell the visitor when the library refuses an input; the first that fits counts."""


@contextmanager
def refusals_in_words(settings: Settings) -> Iterator[None]:
    """Let the library's refusals of an input arrive as the page's sentences.

    Raises:
        ValueError: in place of an `AudioError`, an `ImageError` or a `TextError`.
    """
    try:
        yield
    except (AudioError, ImageError, TextError) as error:
        key = next(key for kind, key in _SENTENCES if isinstance(error, kind))
        limits = {"seconds": f"{settings.max_audio_seconds:g}", "megapixels": f"{settings.max_megapixels:g}"}
        raise ValueError(say(key, **limits)) from None


def sound_too_long(seconds: float) -> ValueError:
    """The refusal of a sound that is longer than this."""
    return ValueError(say("sound.too_long", seconds=f"{seconds:g}"))
