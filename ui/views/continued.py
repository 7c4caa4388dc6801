"""A text, and what a model wrote after it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ui.words import say

if TYPE_CHECKING:
    from data2vec_core.tasks.results import Continuation


def continued(prompt: str, seed: int, result: Continuation) -> str:
    """The beginning as it was given, what is new marked, and how to have the same again."""
    start = len(prompt.rstrip(" "))
    own, written = result.text[:start], result.text[start:]
    return (
        f'<p class="reading"><span class="given">{escape(own)}</span><mark class="found">{escape(written)}</mark></p>'
        f'<p class="small">{escape(say("continue_text.again", seed=seed))}</p>'
    )
