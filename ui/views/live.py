"""A text that grows while somebody speaks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ui.views.notice import empty
from ui.words import say

if TYPE_CHECKING:
    from data2vec_core.tasks import LiveText


def waiting(message: str) -> str:
    """Before the first word."""
    return empty(message)


def heard(text: LiveText, *, is_over: bool) -> str:
    """The words that stay, those that may still change, and how much has been heard.

    Args:
        is_over: whether this is the end of it.
    """
    stable, tentative = escape(text.stable), escape(text.provisional)
    words = f'<span class="firm">{stable}</span><i class="tentative">{tentative}</i>' if stable or tentative else ""
    nothing = f'<span class="tentative">{escape(say("transcribe.no_words" if is_over else "live.no_words"))}</span>'
    seconds = say("app.seconds", number=f"{text.duration:.1f}")
    note = say("live.over" if is_over else "live.note", seconds=seconds)
    return (
        f'<p class="live-words" aria-live="polite" aria-atomic="false">{words or nothing}</p>'
        f'<p class="small">{escape(note)}</p>'
    )
