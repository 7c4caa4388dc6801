"""Stretches of time along a clip. For the eye only: a table beside it says the same."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Stretch = tuple[float, float]
"""Start and end in seconds."""


def timeline(rows: Sequence[tuple[str, str | None, Sequence[Stretch]]], duration: float, caption: str) -> str:
    """A named row of stretches each, over one axis in seconds.

    Args:
        rows: name, colour as CSS writes it (hatched when None), stretches.
        duration: of the clip, in seconds.
        caption: what it shows.
    """
    lanes = "".join(
        f'<div class="lane"><span class="who">{escape(name)}</span><div class="blocks">'
        f"{''.join(_block(stretch, colour, duration) for stretch in stretches)}</div></div>"
        for name, colour, stretches in rows
    )
    return (
        f'<figure class="timeline lanes" aria-hidden="true">{lanes}<div class="lane"><span class="who"></span>'
        f"{seconds_axis(duration)}</div><figcaption>{escape(caption)}</figcaption></figure>"
    )


def seconds_axis(duration: float) -> str:
    """Ticks of an axis from 0 to a duration, eight at the most."""
    step = next((step for step in (0.5, 1, 2, 5, 10, 30, 60) if duration / step <= 8), 300)
    ticks = "".join(
        f'<span class="tick" style="left:{100 * i * step / duration:.2f}%">{i * step:g}</span>'
        for i in range(int(duration / step) + 1)
    )
    return f'<div class="ticks">{ticks}</div>'


def _block(stretch: Stretch, colour: str | None, duration: float) -> str:
    start, end = stretch
    place = f"left:{100 * start / duration:.2f}%;width:{100 * (end - start) / duration:.2f}%"
    paint = f";background:{colour}" if colour else ""
    return f'<span class="block{"" if colour else " hatched"}" style="{place}{paint}"></span>'
