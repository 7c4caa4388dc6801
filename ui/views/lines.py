"""Many texts with their classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ui.views.labels import display_name, percent
from ui.views.tables import table
from ui.words import say

if TYPE_CHECKING:
    from data2vec_core.tasks.results import Classification


def classified_lines(lines: Sequence[str], classifications: Sequence[Classification]) -> str:
    """How many lines are of which class, and every line with its own; the lines that were not read yet are left out."""
    counts = Counter(display_name(each.labels[0].label) for each in classifications)
    summary = say(
        "classify_lines.summary",
        done=len(classifications),
        lines=len(lines),
        counts=say("app.between_items").join(f"{label} {count}" for label, count in counts.most_common()),
    )
    heads = [say("classify_lines.line"), say("classify_lines.label"), say("classify_lines.score")]
    knows = any(each.outside is not None for each in classifications)
    rows = [
        (line, display_name(best.label), percent(best.score), *([_familiar(each.outside)] if knows else []))
        for line, each in zip(lines, classifications, strict=False)
        for best in each.labels[:1]
    ]
    note = ""
    if knows:
        heads.append(say("classify_lines.outside"))
        note = f'<p class="small">{escape(say("classify_lines.note"))}</p>'
    return (
        f'<p class="small">{escape(summary)}</p>'
        f'<div class="box" role="region" tabindex="0" aria-label="{escape(say("classify_lines.table"))}">'
        f"{table(heads, rows, say('classify_lines.table'))}</div>{note}"
    )


def _familiar(is_outside: bool | None) -> str:
    return say("classify_lines.is_outside" if is_outside else "classify_lines.is_inside")
