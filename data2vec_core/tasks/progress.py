"""Telling whoever waits how far a long task is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[float], object]
"""Is told which fraction of the work is done: never less than before, and 1 at the end. What it raises ends the work
and comes out of the call: so a task is cancelled."""


def unwatched(_fraction: float) -> None:
    """Progress that nobody wants to know."""


def stretch(progress: Progress, start: float, end: float) -> Progress:
    """Progress of a part of the work, which takes it from one fraction to another."""
    return lambda fraction: progress(end - (1 - fraction) * (end - start))
