"""Classes and their probabilities as bars."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ui.words import say, translated

if TYPE_CHECKING:
    from data2vec_core.tasks.results import LabelScore

SHOWN = 5
"""Classes to show at first; the others open on demand."""
MOST = 50
"""Classes to list at all: nobody reads the tail of a thousand."""


def label_bars(labels: Sequence[LabelScore]) -> str:
    """Bars, best first; the first class is the headline."""
    if not labels:
        return ""
    rest = labels[SHOWN:MOST]
    more = (
        f"<details><summary>{escape(say('panel.more', count=len(rest)))}</summary>{_bars(rest)}</details>"
        if rest
        else ""
    )
    return f'<p class="headline">{escape(display_name(labels[0].label))}</p>{_bars(labels[:SHOWN])}{more}'


def display_name(label: str) -> str:
    """A label as people write it, in the language of the page where it is known: `grand_piano` as "grand piano",
    `timeRange` as "time range", `_unknown_` as "unknown"."""
    words = re.sub(r"(?<=[a-z])[A-Z](?=[a-z])", lambda met: f" {met[0].lower()}", label)
    return translated(words.replace("_", " ").strip() or label)


def percent(fraction: float) -> str:
    """With as many digits as it can bear: "83 %", "0.4 %", "< 0.1 %"."""
    share = 100 * fraction
    if 0 < share < 0.1:
        return say("app.percent", number="< 0.1")
    return say("app.percent", number=f"{share:.0f}" if share >= 10 or share == 0 else f"{share:.1f}")


def _bars(labels: Sequence[LabelScore]) -> str:
    rows = "".join(
        f'<li><span class="name">{escape(display_name(item.label))}</span>'
        f'<span class="value">{percent(item.score)}</span>'
        f'<span class="track"><span class="fill" style="width:{100 * item.score:.2f}%"></span></span></li>'
        for item in labels
    )
    return f'<ol class="bars">{rows}</ol>'
