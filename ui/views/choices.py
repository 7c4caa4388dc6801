"""Options, weighed."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ui.views.labels import percent
from ui.views.tables import details_table
from ui.words import say

if TYPE_CHECKING:
    from data2vec_core.tasks.results import Choice


def weighed(choices: Sequence[str], result: Choice) -> str:
    """The best option, all of them as bars in the order in which they were given, and the same as a table."""
    rows = "".join(
        f'<li><span class="name">{escape(text)}{_badge() if i == result.choice else ""}</span>'
        f'<span class="value">{percent(score)}</span>'
        f'<span class="track"><span class="fill" style="width:{100 * score:.2f}%"></span></span></li>'
        for i, (text, score) in enumerate(zip(choices, result.scores, strict=True))
    )
    heads = [say("choose.option"), say("choose.probability")]
    table = details_table(
        say("choose.table"), heads, [(text, percent(score)) for text, score in zip(choices, result.scores, strict=True)]
    )
    return f'<p class="headline">{escape(choices[result.choice])}</p><ol class="bars">{rows}</ol>{table}'


def _badge() -> str:
    return f' <span class="badge">{escape(say("choose.best"))}</span>'
