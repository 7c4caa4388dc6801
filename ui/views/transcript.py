"""A transcript with the time and confidence of each word."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ui.views.labels import percent
from ui.words import say

if TYPE_CHECKING:
    from data2vec_core.tasks.results import Transcript, Word


def transcript(result: Transcript) -> str:
    """The words, a strip that shows when each was spoken, and the same as a table."""
    if not result.words:
        return f'<p class="headline">{escape(result.text or say("transcribe.no_words"))}</p>'
    summary = say("transcribe.summary", words=len(result.words), duration=f"{result.duration:.1f}")
    return (
        f'<p class="words">{" ".join(_word(word) for word in result.words)}</p>'
        f'<p class="small">{escape(summary)}. {escape(say("transcribe.legend"))}</p>'
        f"{_timeline(result)}{_table(result)}"
    )


def _word(word: Word) -> str:
    title = f"{word.start:.2f}–{word.end:.2f} s, {percent(word.confidence)}"
    return (
        f'<span class="word" title="{title}"><span class="spoken">{escape(word.word)}</span>'
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
    step = next((step for step in (0.5, 1, 2, 5, 10, 30, 60) if duration / step <= 8), 300)
    ticks = "".join(
        f'<span class="tick" style="left:{100 * i * step / duration:.2f}%">{i * step:g}</span>'
        for i in range(int(duration / step) + 1)
    )
    return (
        f'<figure class="timeline" aria-hidden="true"><div class="blocks">{blocks}</div>'
        f'<div class="ticks">{ticks}</div><figcaption>{escape(say("transcribe.timeline"))}</figcaption></figure>'
    )


def _table(result: Transcript) -> str:
    heads = "".join(
        f'<th scope="col">{escape(say(f"transcribe.{name}"))}</th>' for name in ("word", "start", "end", "confidence")
    )
    rows = "".join(
        f'<tr><th scope="row">{escape(word.word)}</th><td>{word.start:.2f}</td><td>{word.end:.2f}</td>'
        f"<td>{percent(word.confidence)}</td></tr>"
        for word in result.words
    )
    return (
        f"<details><summary>{escape(say('transcribe.table'))}</summary>"
        f'<table class="numbers"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></details>'
    )
