"""Spoken letters, numbers and dates: recorded prompts of a telephone exchange."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analysis.items.manifest import ITEMS_FOLDER, ItemsError, Manifest, Origin, Recording

PROMPTS_FOLDER: Final = ITEMS_FOLDER / "prompts"


@dataclass(frozen=True)
class Prompt:
    """One word."""

    id: str
    """Its file in the package that it comes from, without the ending."""
    kind: str
    """`letter`, `number`, `ordinal`, `month`, `day` or `word`."""
    transcript: str
    """In capitals, as the AN4 corpus writes it."""
    is_in_an4: bool
    """Whether all of it occurs in that corpus, so that `an4` can know it."""
    span: tuple[int, int]
    """(start, number of samples) in the recording."""


@dataclass(frozen=True)
class Prompts:
    """The whole set, spoken by one woman."""

    manifest: Manifest
    prompts: tuple[Prompt, ...]
    origin: Origin

    @classmethod
    def open(cls, folder: Path = PROMPTS_FOLDER) -> Prompts:
        """The prompts in `folder`; the recording is decoded when a sound is asked for.

        Raises:
            ItemsError: there are none, or their manifest is damaged.
        """
        manifest = Manifest.read(folder)
        try:
            records = [{**record, "span": tuple(record["span"])} for record in manifest.values["prompts"]]
            return cls(manifest, tuple(Prompt(**record) for record in records), manifest.files[0])
        except (KeyError, TypeError, IndexError) as error:
            raise ItemsError(f"{folder}: not a manifest of prompts ({error!r})") from error

    def sound(self, prompt: Prompt) -> NDArray[np.float32]:
        """(samples,) at 16 kHz.

        Raises:
            ItemsError: the recording is missing or too short.
        """
        return self._recording.cut(prompt.span)

    @cached_property
    def _recording(self) -> Recording:
        return Recording(self.manifest.path(self.origin.file))
