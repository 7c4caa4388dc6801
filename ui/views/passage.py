"""An answer where it stands in its passage."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ui.views.labels import percent
from ui.views.tables import details_table
from ui.words import say

if TYPE_CHECKING:
    from data2vec_core.tasks.results import Answer

AROUND = 200
"""Characters that are shown before and after an answer; the rest opens on demand."""


def answer_in_passage(passage: str, result: Answer) -> str:
    """The answer, how sure the model is, the passage around it, and where it stands as a table."""
    sure = say("answer_question.score", score=percent(result.score))
    keys = ("answer_question.answer", "answer_question.start", "answer_question.end", "answer_question.probability")
    row = (result.answer, str(result.start), str(result.end), percent(result.score))
    return (
        f'<p class="headline">{escape(result.answer)}</p><p class="small">{escape(sure)}</p>'
        f"{_excerpt(passage, result)}{details_table(say('answer_question.table'), [say(key) for key in keys], [row])}"
    )


def _excerpt(passage: str, result: Answer) -> str:
    """The passage, or of a long one the part around the answer, and the whole of it below."""
    first, last = max(0, result.start - AROUND), min(len(passage), result.end + AROUND)
    if first == 0 and last == len(passage):
        return f'<p class="reading">{_marked(passage, result, first, last)}</p>'
    before, after = ("… " if first else ""), (" …" if last < len(passage) else "")
    whole = _marked(passage, result, 0, len(passage))
    return (
        f'<p class="reading">{before}{_marked(passage, result, first, last)}{after}</p>'
        f'<details><summary>{escape(say("answer_question.whole"))}</summary><p class="reading">{whole}</p></details>'
    )


def _marked(passage: str, result: Answer, first: int, last: int) -> str:
    before, after = passage[first : result.start], passage[result.end : last]
    return f'{escape(before)}<mark class="found">{escape(passage[result.start : result.end])}</mark>{escape(after)}'
