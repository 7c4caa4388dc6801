"""Every text that a visitor sees, by key, in the language of the page that is being built or asked.

`ui/locales/en.json` and its siblings hold the app's own texts under the same keys. What the models bring along (titles
and descriptions of cards, names of classes, labels of examples) is English where it comes from; `ui/locales/data/` has
it in the other languages, by the English text.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

LOCALES: Final = Path(__file__).parent / "locales"
LANGUAGES: Final = {"en": "English", "zh-CN": "中文"}
"""Tag (BCP 47) -> what it calls itself. The first one is that of the endpoints, and of whoever speaks no other."""
STANDARD: Final = next(iter(LANGUAGES))

_language: ContextVar[str] = ContextVar("language", default=STANDARD)
_Handler = TypeVar("_Handler", bound=Callable[..., Any])


@cache
def load_words(language: str) -> dict[str, str]:
    """All texts of one language, by key."""
    words: dict[str, str] = json.loads((LOCALES / f"{language}.json").read_text(encoding="utf-8"))
    return words


@cache
def load_data_words(language: str) -> dict[str, str]:
    """What models and examples bring along, by the English text; empty for English."""
    path = LOCALES / "data" / f"{language}.json"
    words: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return words


def say(key: str, **values: object) -> str:
    """The text of a key, with its `{placeholders}` filled in.

    Raises:
        KeyError: no such text, or a placeholder without a value.
    """
    return load_words(spoken())[key].format(**values)


def translated(text: str) -> str:
    """A text of a card, a class or an example, as far as it is known in the language; else as it is."""
    return load_data_words(spoken()).get(text, text)


def spoken() -> str:
    """The language that is spoken now."""
    return _language.get()


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak one of `LANGUAGES` inside."""
    token = _language.set(language)
    try:
        yield
    finally:
        _language.reset(token)


def in_language(handler: _Handler) -> _Handler:
    """A handler that speaks, whenever it is called, the language that is spoken now: that of its page.

    Gradio runs every step of a generator in a context of its own, so each step is told anew.
    """
    language = spoken()

    @functools.wraps(handler)
    def answer(*args: Any, **kwargs: Any) -> Any:
        with speaking(language):
            return handler(*args, **kwargs)

    @functools.wraps(handler)
    def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
        steps = handler(*args, **kwargs)
        try:
            while True:
                with speaking(language):
                    try:
                        step = next(steps)
                    except StopIteration:
                        return
                yield step
        finally:
            steps.close()  # when the visitor stops, so that nothing is left half-done

    return stream if inspect.isgeneratorfunction(handler) else answer  # type: ignore[return-value]


def understood(asked: str | None, accepted: str, otherwise: str = STANDARD) -> str:
    """The language to speak to a visitor.

    Args:
        asked: what the address asks for (`?lang=`), if anything.
        accepted: the browser's `Accept-Language`, best first by its weights.
        otherwise: for whoever speaks none of `LANGUAGES`.
    """
    for tag in (asked or "", *_by_weight(accepted)):
        if language := _nearest(tag):
            return language
    return otherwise


def _nearest(tag: str) -> str | None:
    """One of `LANGUAGES` for a tag such as `zh`, `zh-Hans-CN` or `EN-gb`."""
    primary = tag.strip().lower().split("-")[0]
    return next((language for language in LANGUAGES if language.lower().split("-")[0] == primary), None)


def _by_weight(accepted: str) -> list[str]:
    weighed = []
    for part in accepted.split(","):
        tag, _, weight = part.partition(";q=")
        try:
            weighed.append((-float(weight or 1), tag))
        except ValueError:
            continue
    return [tag for weight, tag in sorted(weighed, key=lambda pair: pair[0]) if weight < 0]
