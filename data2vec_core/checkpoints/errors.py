"""The error that reading or writing a checkpoint raises, and one kind of it that callers tell apart."""

from __future__ import annotations

from collections.abc import Collection


class CheckpointError(Exception):
    """A checkpoint cannot be found, read or fitted. The message says what to do about it."""


class NoTeacherError(CheckpointError):
    """The checkpoint is of a student alone."""


class NoHeadError(CheckpointError):
    """The checkpoint is an encoder without a trained head, for a task that needs one."""


def first_few(names: Collection[str], limit: int = 5) -> str:
    """The first names of a collection, and how many there are: `a, b, ... (12 in all)`."""
    shown = ", ".join(list(names)[:limit])
    return shown if len(names) <= limit else f"{shown}, ... ({len(names)} in all)"
