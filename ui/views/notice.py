"""The states of a panel without a result, and the line below one that says what made it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from data2vec_core.linear_choice import LinearKind
from data2vec_core.runtime_choice import Runtime
from ui.known_models import ModelEntry
from ui.views.labels import percent
from ui.words import say, translated


def introduction(title: str, text: str) -> str:
    """What a panel is for, under a heading that is heard and not seen: the tab above shows the same."""
    return f'<h2 class="unseen">{escape(title)}</h2><p>{escape(text)}</p>'


def example_names(elem_id: str, names: Sequence[str]) -> str:
    """What pictures among the examples show; `a11y.js` names their buttons by it, in the element of this id."""
    items = "".join(f"<li>{escape(name)}</li>" for name in names)
    return f'<ul data-names-of="{escape(elem_id)}" hidden>{items}</ul>'


def empty(message: str) -> str:
    """Before the first run: what will appear."""
    return f'<div class="notice empty"><p>{escape(message)}</p></div>'


def working(fraction: float) -> str:
    """While the answer takes long: how far it is."""
    share = percent(fraction)
    return (
        f'<div class="notice {_WORKING}"><p>{escape(say("working.share", share=share))}</p>'
        f'<div class="track" role="progressbar" aria-label="{escape(say("working.running"))}" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{100 * fraction:.0f}">'
        f'<span class="fill" style="width:{100 * fraction:.1f}%"></span></div></div>'
    )


def is_working(html: str | None) -> bool:
    """Whether this is what `working` shows."""
    return isinstance(html, str) and html.startswith(f'<div class="notice {_WORKING}">')


_WORKING = "working"


def failed(message: str) -> str:
    """After an error: what happened and what to do."""
    title = escape(say("error.title"))
    return f'<div class="notice failed" role="alert"><p class="title">{title}</p><p>{escape(message)}</p></div>'


def outside(is_outside: bool | None) -> str:
    """Above classes of which none need be right; nothing where the model knows the like, or does not say."""
    return f'<p class="notice outside">{escape(say("result.outside"))}</p>' if is_outside else ""


def made_by(model: str, entry: ModelEntry | None, linear: LinearKind = "plain", runtime: Runtime = "pytorch") -> str:
    """Which model answered, what it was trained on, how well it does, and what it cannot do."""
    if entry is None:
        sentences = [say("made.by_named", model=_MODEL)]
    else:
        card = entry.card
        title = translated(card.title)
        sentences = [
            say("made.by_titled", model=_MODEL, title=title) if title else say("made.by", model=_MODEL),
            say("made.trained_on", data=translated(card.trained_on)) if card.trained_on else "",
            _score(entry),
            translated(card.description),
        ]
    if linear == "int8":
        sentences.append(say("made.int8"))
    if runtime == "tensorflow":
        sentences.append(say("made.tensorflow"))
    text = say("app.between_sentences").join(filter(None, sentences))
    return f'<p class="made-by">{escape(text).replace(_MODEL, f"<strong>{escape(model)}</strong>")}</p>'


_MODEL = "\N{OBJECT REPLACEMENT CHARACTER}"
"""Stands for the name of the model until the sentence is escaped."""


def _score(entry: ModelEntry) -> str:
    if (metric := entry.main_metric) is None:
        return ""
    is_share = metric.value <= 1  # a perplexity is not
    value = say("app.percent", number=f"{100 * metric.value:.1f}") if is_share else f"{metric.value:.1f}"
    name = translated(metric.name)
    return say("made.score", metric=name[:1].upper() + name[1:], value=value, split=translated(metric.split))
