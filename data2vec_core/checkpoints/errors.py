"""The one error that reading or writing a checkpoint raises."""

from __future__ import annotations

from collections.abc import Collection


class CheckpointError(Exception):
    """A checkpoint cannot be found, read or fitted. The message says what to do about it."""


def first_few(names: Collection[str], limit: int = 5) -> str:
    """The first names of a collection, and how many there are: `a, b, ... (12 in all)`."""
    shown = ", ".join(list(names)[:limit])
    return shown if len(names) <= limit else f"{shown}, ... ({len(names)} in all)"
