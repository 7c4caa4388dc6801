"""What may stand behind a mask, each candidate in its place."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ui.views.labels import percent
from ui.views.tables import details_table
from ui.words import say

if TYPE_CHECKING:
    from data2vec_core.tasks.results import FilledText, Filling

MASK = "<mask>"
"""As the bundled tokenizer writes it."""


def fillings(text: str, result: FilledText) -> str:
    """The text once for each candidate, best first, with what was filled in marked; and the same as a table."""
    rows = "".join(
        f'<li><span class="name reading">{_marked(text, each)}</span><span class="value">{percent(each.score)}</span>'
        f'<span class="track"><span class="fill" style="width:{100 * each.score:.2f}%"></span></span></li>'
        for each in result.predictions
    )
    heads = [say("fill_mask.token"), say("fill_mask.probability"), say("fill_mask.filled")]
    table = details_table(
        say("fill_mask.table"), heads, [(each.token, percent(each.score), each.text) for each in result.predictions]
    )
    return f'<ol class="bars">{rows}</ol>{table}'


def _marked(text: str, filling: Filling) -> str:
    """The filled text. Around a mask only white space may have changed: the words are found one after another."""
    parts, filled, place = [], filling.text, 0
    for before, word in zip(text.split(MASK), filling.token.split(" "), strict=False):
        start = filled.find(word, place + len(before.rstrip()))
        if start < 0:
            return escape(filled)
        parts.append(f'{escape(filled[place:start])}<mark class="found">{escape(word)}</mark>')
        place = start + len(word)
    return "".join(parts) + escape(filled[place:])
