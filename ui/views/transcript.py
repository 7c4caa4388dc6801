"""A transcript with the time and confidence of each word."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ui.views.labels import percent
from ui.views.tables import details_table
from ui.views.timeline import seconds_axis
from ui.words import say

if TYPE_CHECKING:
    from data2vec_core.tasks.results import Transcript, Word


def transcript(result: Transcript) -> str:
    """The words, a strip that shows when each was spoken, and the same as a table."""
    if not result.words:
        return f'<p class="headline">{escape(result.text or say("transcribe.no_words"))}</p>'
    summary = say("transcribe.summary", words=len(result.words), duration=f"{result.duration:.1f}")
    sentences = say("app.between_sentences").join([summary, say("transcribe.legend")])
    return (
        f'<p class="words">{" ".join(_word(word) for word in result.words)}</p>'
        f'<p class="small">{escape(sentences)}</p>'
        f"{_timeline(result)}{_table(result)}"
    )


def _word(word: Word) -> str:
    times = say("app.seconds", number=f"{word.start:.2f}–{word.end:.2f}")
    title = say("app.between_items").join([times, percent(word.confidence)])
    return (
        f'<span class="word" title="{escape(title)}"><span class="spoken">{escape(word.word)}</span>'
        f'<span class="track"><span class="fill" style="width:{100 * word.confidence:.1f}%"></span></span>'
        f'<span class="time">{word.start:.2f}</span></span>'
    )


def _timeline(result: Transcript) -> str:
    """Words placed along the clip. For the eye only: the table below says the same."""
    duration = max(result.duration, result.words[-1].end, 1e-6)
    blocks = "".join(
        f'<span class="block" style="left:{100 * word.start / duration:.2f}%;'
        f'width:{100 * (word.end - word.start) / duration:.2f}%"><span>{escape(word.word)}</span></span>'
        for word in result.words
    )
    return (
        f'<figure class="timeline" aria-hidden="true"><div class="blocks">{blocks}</div>{seconds_axis(duration)}'
        f"<figcaption>{escape(say('transcribe.timeline'))}</figcaption></figure>"
    )


def _table(result: Transcript) -> str:
    heads = [say(key) for key in ("transcribe.word", "transcribe.start", "transcribe.end", "transcribe.confidence")]
    rows = [(word.word, f"{word.start:.2f}", f"{word.end:.2f}", percent(word.confidence)) for word in result.words]
    return details_table(say("transcribe.table"), heads, rows)
