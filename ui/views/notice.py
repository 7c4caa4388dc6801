"""The states of a panel without a result, and the line below one that says what made it."""

from __future__ import annotations

from html import escape

from ui.catalogue import ModelEntry
from ui.words import say


def empty(message: str) -> str:
    """Before the first run: what will appear."""
    return f'<div class="notice empty"><p>{escape(message)}</p></div>'


def failed(message: str) -> str:
    """After an error: what happened and what to do."""
    title = escape(say("error.title"))
    return f'<div class="notice failed" role="alert"><p class="title">{title}</p><p>{escape(message)}</p></div>'


def outside(is_outside: bool | None) -> str:
    """Above classes of which none need be right; nothing where the model knows the like, or does not say."""
    return f'<p class="notice outside">{escape(say("result.outside"))}</p>' if is_outside else ""


def made_by(model: str, entry: ModelEntry | None) -> str:
    """Which model answered, what it was trained on, how well it does, and what it cannot do."""
    name = f"<strong>{escape(model)}</strong>"
    if entry is None:
        return f'<p class="made-by">{escape(say("made.by"))} {name}, {escape(say("made.named"))}</p>'
    card, metric = entry.card, entry.main_metric
    facts = [escape(say("made.trained_on", data=card.trained_on))] if card.trained_on else []
    if metric is not None:
        value = f"{100 * metric.value:.1f} %" if metric.value <= 1 else f"{metric.value:.1f}"  # such as perplexity
        facts.append(
            escape(say("made.score", metric=metric.name[:1].upper() + metric.name[1:], value=value, split=metric.split))
        )
    about = f": {escape(card.title)}." if card.title else "."
    sentences = " ".join([f"{escape(say('made.by'))} {name}{about}", *facts, escape(card.description)])
    return f'<p class="made-by">{sentences.strip()}</p>'
