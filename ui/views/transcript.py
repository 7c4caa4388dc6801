"""What is said about a transcript beside its words: how much it is, and what else the clip may say."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from ui.views.labels import percent
from ui.words import say

if TYPE_CHECKING:
    from data2vec_core.tasks.results import Alternative, Transcript


def transcript(result: Transcript, *, wants_alternatives: bool = False) -> str:
    """How many words in which time, and the likeliest texts where the search has named some.

    Args:
        wants_alternatives: whether the visitor has asked for them, and is told when there are none.
    """
    if not result.words:
        return f'<p class="headline">{escape(result.text or say("transcribe.no_words"))}</p>'
    summary = say("transcribe.summary", words=len(result.words), duration=f"{result.duration:.1f}")
    sentences = say("app.between_sentences").join([summary, say("transcribe.legend")])
    return f'<p class="small heard">{escape(sentences)}</p>{_alternatives(result, wants_alternatives)}'


def _alternatives(result: Transcript, are_wanted: bool) -> str:
    if result.alternatives:
        rows = "".join(_row(alternative) for alternative in result.alternatives)
        title = escape(say("transcribe.alternatives_title"))
        return f'<div class="alternatives"><p class="title">{title}</p><ol class="bars">{rows}</ol></div>'
    note = escape(say("transcribe.alternatives_none"))
    return f'<p class="small">{note}</p>' if are_wanted else ""


def _row(alternative: Alternative) -> str:
    share = math.exp(min(0.0, alternative.log_probability))
    return (
        f'<li><span class="name">{escape(alternative.text)}</span><span class="value">{percent(share)}</span>'
        f'<span class="track"><span class="fill" style="width:{100 * share:.2f}%"></span></span></li>'
    )
