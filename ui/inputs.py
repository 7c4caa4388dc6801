"""The kinds of things that tools take, each with how it is read: checked against the limits, or refused with the
sentence that says what to do.

No message names a path: the same sentences go to whoever calls the API.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from gradio.utils import get_upload_folder, is_in_or_equal
from PIL import Image

from data2vec_core.processing.audio_errors import NotAudioError
from data2vec_core.processing.audio_io import audio_seconds, load_audio
from data2vec_core.processing.image_io import load_image
from data2vec_core.processing.samples import MODEL_RATE, Waveform
from ui.refusals import refusals_in_words, sound_too_long
from ui.settings import Settings
from ui.words import say

_HALVES = re.compile("[\ud800-\udfff]")
"""Halves of characters, which JSON can carry alone, and which no tokenizer takes."""

Sound = tuple[int, Waveform]
"""Samples a second, and the samples: (samples,) float32."""


@dataclass(frozen=True)
class SoundFile:
    """A sound that may be too long to be held whole: it is read while it is worked on."""

    path: Path
    max_seconds: float
    """To be refused when it turns out longer."""


@dataclass(frozen=True)
class Input(ABC):
    """One thing that a tool takes."""

    name: str
    """Of the argument of the tool's endpoint."""

    is_setting: ClassVar[bool] = False
    """Whether it may be left out, and goes to the task by its name."""
    is_of_loading: ClassVar[bool] = False
    """Whether it says how the task is loaded, and does not go to it."""

    @property
    def default(self) -> Any:
        """What stands for an input that is not given."""
        return None

    def received(self, value: Any) -> Any:
        """What a browser or a client has sent, as `read` takes it.

        Raises:
            ValueError: it is not what such an input is sent as.
        """
        return value

    @abstractmethod
    def read(self, value: Any, settings: Settings) -> Any:
        """What the task is given.

        Raises:
            ValueError: nothing there, unreadable, or beyond a limit.
        """

    def limit(self, settings: Settings) -> str:  # noqa: ARG002
        """What may be given, in words; empty where there is nothing to say."""
        return ""


@dataclass(frozen=True)
class SoundInput(Input):
    """A sound file; read as a `Sound`, or as a `SoundFile` where it may be long."""

    is_long: bool = False
    """Whether it may be as long as a transcription, and is read later, piece by piece."""

    def received(self, value: Any) -> str | None:
        return upload_path(value)

    def read(self, value: str | None, settings: Settings) -> Sound | SoundFile:
        if not value:
            raise ValueError(say("sound.missing"))
        with refusals_in_words(settings):
            if not self.is_long:
                return MODEL_RATE, load_audio(value, max_seconds=settings.max_audio_seconds)
            longest = settings.max_transcription_seconds
            if _stated_seconds(value) > longest:
                raise sound_too_long(longest)
            return SoundFile(Path(value), longest)

    def limit(self, settings: Settings) -> str:
        if self.is_long:
            minutes = settings.max_transcription_seconds / 60
            return say("sound.limit_long", minutes=f"{minutes:g}", megabytes=settings.max_upload_mb)
        return say("sound.limit", seconds=f"{settings.max_audio_seconds:g}", megabytes=settings.max_upload_mb)


@dataclass(frozen=True)
class PictureInput(Input):
    """A picture file; read as an RGB image, turned the way its camera was held."""

    def received(self, value: Any) -> str | None:
        return upload_path(value)

    def read(self, value: str | None, settings: Settings) -> Image.Image:
        if not value:
            raise ValueError(say("picture.missing"))
        with refusals_in_words(settings):
            return load_image(value, max_pixels=int(settings.max_megapixels * 1e6))

    def limit(self, settings: Settings) -> str:
        return say("picture.limit", megapixels=f"{settings.max_megapixels:g}", megabytes=settings.max_upload_mb)


@dataclass(frozen=True)
class WaitingPicture:
    """A picture file that is read when its turn comes: many decoded photos at once would fill the memory."""

    name: str
    """Of the file, as the visitor has it."""
    path: str
    settings: Settings

    def read(self) -> Image.Image:
        """RGB, turned the way its camera was held.

        Raises:
            ValueError: unreadable or too large.
        """
        picture: Image.Image = PictureInput("image").read(self.path, self.settings)
        return picture


@dataclass(frozen=True)
class PicturesInput(Input):
    """Several picture files; read as a tuple of `WaitingPicture`."""

    def received(self, value: Any) -> list[str | None]:
        return [upload_path(each) for each in value] if isinstance(value, (list, tuple)) else []

    def read(self, value: Sequence[str | None] | None, settings: Settings) -> tuple[WaitingPicture, ...]:
        paths = [path for path in value or () if path]
        if not paths:
            raise ValueError(say("pictures.missing"))
        if len(paths) > settings.max_pictures:
            raise ValueError(say("pictures.too_many", pictures=len(paths), limit=settings.max_pictures))
        return tuple(WaitingPicture(Path(path).name, path, settings) for path in paths)

    def limit(self, settings: Settings) -> str:
        return say(
            "pictures.limit",
            pictures=settings.max_pictures,
            megapixels=f"{settings.max_megapixels:g}",
            megabytes=settings.max_upload_mb,
        )


@dataclass(frozen=True)
class MapInput(Input):
    """A picture file of class ids; read as its path."""

    def received(self, value: Any) -> str | None:
        return upload_path(value)

    def read(self, value: str | None, settings: Settings) -> str:  # noqa: ARG002
        if not value:
            raise ValueError(say("score_map.missing"))
        return value


@dataclass(frozen=True)
class ClassInput(Input):
    """Number of a class of the model; None for the most probable one."""

    is_setting: ClassVar[bool] = True

    def read(self, value: Any, settings: Settings) -> int | None:  # noqa: ARG002
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
            raise ValueError(say("classify_image.no_class"))
        return value


@dataclass(frozen=True)
class TextInput(Input):
    """A text."""

    missing: str = "text.missing"
    """Key of the sentence for nothing but white space."""
    keeps_space: bool = False
    """Whether white space around it stays: answers may count its characters."""
    is_passage: bool = False
    """Whether it may be long."""
    lines: int = 4
    """Room on the page."""

    def read(self, value: str | None, settings: Settings) -> str:
        text = _HALVES.sub("\ufffd", value) if isinstance(value, str) else ""
        if not text.strip():
            raise ValueError(say(self.missing))
        text = text if self.keeps_space else text.strip()
        if len(text) > (limit := self._limit(settings)):
            raise ValueError(say("text.too_long", characters=len(text), limit=limit))
        return text

    def limit(self, settings: Settings) -> str:
        return say("passage.limit" if self.is_passage else "text.limit", characters=self._limit(settings))

    def _limit(self, settings: Settings) -> int:
        return settings.max_passage_characters if self.is_passage else settings.max_characters


@dataclass(frozen=True)
class OptionalTextInput(TextInput):
    """A text that may be left out; read as an empty one then."""

    def read(self, value: str | None, settings: Settings) -> str:
        return super().read(value, settings) if isinstance(value, str) and value.strip() else ""


@dataclass(frozen=True)
class LinesInput(Input):
    """Several texts, one a line; read as a tuple, without the empty ones."""

    def read(self, value: str | None, settings: Settings) -> tuple[str, ...]:
        if isinstance(value, str) and len(value) > (limit := 2 * settings.max_lines * settings.max_characters):
            raise ValueError(say("text.too_long", characters=len(value), limit=limit))  # before it is taken apart
        lines = [line for line in value.splitlines() if line.strip()] if isinstance(value, str) else []
        if not lines:
            raise ValueError(say("text.missing"))
        if len(lines) > settings.max_lines:
            raise ValueError(say("lines.too_many", lines=len(lines), limit=settings.max_lines))
        one = TextInput("line")
        return tuple(one.read(line, settings) for line in lines)

    def limit(self, settings: Settings) -> str:
        return say("lines.limit", lines=settings.max_lines, characters=settings.max_characters)


@dataclass(frozen=True, kw_only=True)
class SeveralInput(Input):
    """A list of things of one kind; read as a tuple."""

    of: Input
    fewest: int
    most: int
    miscounted: str
    """Key of the sentence for too few or too many."""

    def received(self, value: Any) -> Any:
        if not isinstance(value, (list, tuple)) or len(value) > self.most:
            return value  # which is refused when it is read
        return [self.of.received(each) for each in value]

    def read(self, value: Any, settings: Settings) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)) or not self.fewest <= len(value) <= self.most:
            raise ValueError(say(self.miscounted, fewest=self.fewest, most=self.most))
        return tuple(self.of.read(each, settings) for each in value)

    def limit(self, settings: Settings) -> str:
        return self.of.limit(settings)


def _stated_seconds(path: str) -> float:
    """Length of a sound by its header; 0 where only reading it can tell.

    Raises:
        EmptyAudioError: there is nothing in it.
    """
    try:
        return audio_seconds(path)
    except NotAudioError:
        return 0.0


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
    try:
        is_upload = isinstance(path, str) and is_in_or_equal(path, get_upload_folder())
    except (OSError, ValueError):  # a name that no file can have
        is_upload = False
    if not isinstance(path, str) or not is_upload:
        raise ValueError(say("api.no_file"))
    return path
