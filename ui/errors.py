"""From an exception to the one sentence that a visitor or a caller of the API reads."""

from __future__ import annotations

import functools
import html
import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import gradio as gr

from data2vec_core.checkpoints.errors import CheckpointError
from ui.words import STANDARD, say, spoken

_log = logging.getLogger(__name__)
_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")


def sentence(error: Exception) -> str:
    """What to tell the visitor: the message of an error that they can do something about, else a general one, and the
    trace goes to the log. Plain text: escape it before it becomes HTML.

    What the page itself refuses is said in the language that is spoken. The library speaks English only: on a page in
    another language, its message comes with a word of explanation."""
    if isinstance(error, (ValueError, CheckpointError)):
        message = str(error)
        return say("error.original", message=message) if spoken() != STANDARD and message.isascii() else message
    _log.error("unexpected error", exc_info=error)
    return say("error.unexpected")


def explained(function: Callable[_Arguments, _Answer]) -> Callable[_Arguments, _Answer]:
    """Let a handler's errors reach the caller as `gr.Error` with their sentence.

    Gradio renders the message as HTML, so what could be markup in it is escaped; quotes are left, for callers of the
    API read the same text.
    """

    @functools.wraps(function)
    def wrapped(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Answer:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            raise gr.Error(html.escape(sentence(error), quote=False), print_exception=False) from error

    return wrapped
