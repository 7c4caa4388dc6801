"""What a text names, marked where it stands."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING

from analysis.figures.palette import categorical, hexadecimal
from ui.views.labels import display_name, percent
from ui.views.tables import details_table
from ui.words import say

if TYPE_CHECKING:
    from data2vec_core.tasks.results import TaggedText


def tagged(text: str, result: TaggedText) -> str:
    """The text with its entities, each with its label beside it; how many there are of which; the same as a table."""
    counts = Counter(entity.label for entity in result.entities)
    colours = {label: hexadecimal(colour) for label, colour in zip(counts, categorical(len(counts)), strict=True)}
    parts, place = [], 0
    for entity in result.entities:
        parts.append(escape(text[place : entity.start]))
        parts.append(
            f'<mark class="entity" style="--own:{colours[entity.label]}">{escape(text[entity.start : entity.end])}'
            f'<span class="kind">{escape(display_name(entity.label))}</span></mark>'
        )
        place = entity.end
    parts.append(escape(text[place:]))
    marked = f'<p class="reading">{"".join(parts)}</p>'
    if not result.entities:
        return f'{marked}<p class="small">{escape(say("tag_tokens.nothing"))}</p>'
    legend = "".join(
        f'<li><span class="swatch" style="background:{colours[label]}"></span>'
        f'<span class="name">{escape(display_name(label))}</span><span class="value">{count}</span></li>'
        for label, count in counts.items()
    )
    rows = [
        (each.text, display_name(each.label), str(each.start), str(each.end), percent(each.score))
        for each in result.entities
    ]
    heads = [
        say(key)
        for key in ("tag_tokens.words", "tag_tokens.label", "tag_tokens.start", "tag_tokens.end", "tag_tokens.score")
    ]
    return (
        f'{marked}<ul class="kinds" aria-label="{escape(say("tag_tokens.legend"))}">{legend}</ul>'
        f"{details_table(say('tag_tokens.table'), heads, rows)}"
    )
