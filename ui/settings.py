"""Every limit and permission of a running app, read once from the environment."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self, get_type_hints

from data2vec_core.linear_choice import LINEAR_CHOICES, LinearChoice
from ui.words import LANGUAGES, STANDARD

PREFIX = "DATA2VEC_"
OTHERS = frozenset({"DATA2VEC_DATA"})
"""Variables of the prefix that are not the app's: where the recipes find data."""
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


class SettingsError(ValueError):
    """The app cannot start as it is told to; the message names the variable and the rule, in a sentence."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The defaults suit a host with two processor cores. `DATA2VEC_MAX_AUDIO_SECONDS=60` changes the first one, and
    so on for every field."""

    max_audio_seconds: float = 30.0
    """Longest clip, in seconds: memory and time of self-attention grow with its square."""
    max_transcription_seconds: float = 3600.0
    """Longest recording to transcribe, in seconds: it is heard in windows, so that only time grows with its length."""
    max_live_seconds: float = 120.0
    """Longest time that one visitor is listened to while speaking."""
    live_visitors: int = 2
    """Visitors who are listened to at the same time."""
    max_upload_mb: int = 25
    """Largest file, in megabytes."""
    max_megapixels: float = 50.0
    """Largest picture, in millions of pixels after decoding."""
    max_characters: int = 2000
    """Longest text."""
    max_passage_characters: int = 20_000
    """Longest passage to find an answer in."""
    max_lines: int = 200
    """Most texts at once, one a line."""
    max_pictures: int = 32
    """Most pictures at once."""
    model_memory_mb: int = 1500
    """Memory for loaded models, in megabytes of parameters and buffers; the one used longest ago goes first."""
    linear: LinearChoice = "best"
    """How models hold the weights of their linear layers: `best`, what is fastest on this host; `plain` or `packed`, in
    32 bits; `int8`, in eight, for less memory."""
    threads: int = 2
    """Processor threads of one model run."""
    parallel_runs: int = 1
    """Model runs at the same time, over all visitors."""
    queue_size: int = 32
    """Visitors who may wait; the next one is told to come back."""
    keep_files_minutes: float = 60
    """Uploads and results older than this are deleted."""
    public: bool = False
    """Whether strangers visit: then the three permissions below stand at no unless they are given. On by default on a
    hosted Space."""
    allow_hub: bool = True
    """Whether a visitor may name any model of the Hugging Face hub, which the host then downloads. Off by default on a
    public host."""
    max_download_mb: int = 1500
    """Largest checkpoint that a visitor may have downloaded, in megabytes of weights."""
    allow_local_folders: bool = True
    """Whether a visitor may name a folder or a checkpoint file of the host. Off by default on a public host."""
    allow_unloading: bool = True
    """Whether a visitor may unload models, those that others use too, and choose how they hold their weights. Off by
    default on a public host."""
    embedders: str = "'self'"
    """Pages that may show this one in a frame, as Content-Security-Policy names sources. On a hosted Space, the hub's
    own."""
    bundled_folder: Path | None = None
    """Where the bundled models are; None for the project's own."""
    models: tuple[str, ...] = ()
    """The only models to offer, by name, separated by commas; all bundled and public ones when empty."""
    language: str = STANDARD
    """For visitors whose browsers ask for none that the page speaks."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, (int, float)) and not isinstance(value, bool) and not value > 0:
                raise SettingsError(f"{PREFIX}{field.name.upper()} has to be above 0, got {value}")
        if self.bundled_folder is not None and not self.bundled_folder.is_dir():
            raise SettingsError(f"{PREFIX}BUNDLED_FOLDER has to be a folder, got {str(self.bundled_folder)!r}")
        if self.linear not in LINEAR_CHOICES:
            raise SettingsError(f"{PREFIX}LINEAR has to be one of {', '.join(LINEAR_CHOICES)}, got {self.linear!r}")
        if self.language not in LANGUAGES:
            raise SettingsError(f"{PREFIX}LANGUAGE has to be one of {', '.join(LANGUAGES)}, got {self.language!r}")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the fields that the environment names and leave the others at their defaults.

        Raises:
            SettingsError: a value that cannot be read or lies out of range, or a variable that nothing reads.
        """
        known = {PREFIX + field.name.upper() for field in dataclasses.fields(cls)} | OTHERS
        for variable in environment:
            if variable.startswith(PREFIX) and variable not in known:
                nearest = get_close_matches(variable, known, n=1)
                raise SettingsError(f"there is no setting {variable}" + (f"; {nearest[0]}?" if nearest else ""))
        given: dict[str, Any] = {}
        if environment.get("SPACE_ID"):
            given["public"] = True
            given["embedders"] = "'self' https://huggingface.co https://*.hf.space"
        for name, kind in get_type_hints(cls).items():
            text = environment.get(PREFIX + name.upper(), "").strip()
            if text:
                given[name] = _parse(PREFIX + name.upper(), text, kind)
        if given.get("public"):
            given = {"allow_hub": False, "allow_local_folders": False, "allow_unloading": False, **given}
        return cls(**given)


def _parse(variable: str, text: str, kind: Any) -> Any:
    if kind is bool:
        if text.lower() not in _TRUE | _FALSE:
            raise SettingsError(f"{variable} has to be true or false, got {text!r}")
        return text.lower() in _TRUE
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            what = "a whole number" if kind is int else "a number"
            raise SettingsError(f"{variable} has to be {what}, got {text!r}") from None
    if kind == tuple[str, ...]:
        return tuple(name for part in text.split(",") if (name := part.strip()))
    return Path(text) if kind == Path | None else text
