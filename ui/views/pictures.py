"""Many pictures with their classes."""

from __future__ import annotations

import base64
from collections import Counter
from html import escape
from typing import TYPE_CHECKING

from ui.views.labels import display_name, percent
from ui.views.tables import details_table
from ui.words import say

if TYPE_CHECKING:
    from ui.pictures import ClassifiedPicture, ClassifiedPictures


def classified_pictures(result: ClassifiedPictures) -> str:
    """How many pictures are of which class, each with its own as a gallery, and the same as a table."""
    counts = Counter(
        display_name(one.classification.labels[0].label) for one in result.pictures if one.classification is not None
    )
    key = "classify_images.summary" if counts else "classify_images.summary_none"
    listed = say("app.between_items").join(f"{label} {count}" for label, count in counts.most_common())
    summary = say(key, done=len(result.pictures), pictures=result.count, counts=listed)
    knows = any(one.classification and one.classification.outside is not None for one in result.pictures)
    heads = [say("classify_images.file"), say("classify_images.label"), say("classify_images.score")]
    heads += [say("classify_images.outside")] if knows else []
    note = f'<p class="small">{escape(say("classify_images.note"))}</p>' if knows else ""
    return (
        f'<p class="small" role="status">{escape(summary)}</p>'
        f'<ul class="pictures">{"".join(map(_tile, result.pictures))}</ul>'
        f"{details_table(say('classify_images.table'), heads, [_row(one, knows) for one in result.pictures])}{note}"
    )


def _tile(one: ClassifiedPicture) -> str:
    name = f'<p class="who">{escape(one.name)}</p>'
    if one.classification is None:
        return f'<li><div class="frame"><span aria-hidden="true">?</span></div><p>{escape(one.problem)}</p>{name}</li>'
    best = one.classification.labels[0]
    outside = f' <span class="badge">{escape(say("classify_images.outside"))}</span>'
    data = base64.b64encode(one.thumbnail).decode()
    image = f'<img src="data:image/webp;base64,{data}" alt="{escape(one.name)}">' if data else ""
    what = f'<span class="what">{escape(display_name(best.label))}</span>'
    what += f' <span class="value">{percent(best.score)}</span>{outside if one.classification.outside else ""}'
    return f'<li><div class="frame">{image}</div><p>{what}</p>{name}</li>'


def _row(one: ClassifiedPicture, knows: bool) -> list[str]:
    if one.classification is None:
        return [one.name, one.problem, "", *([""] if knows else [])]
    best = one.classification.labels[0]
    is_outside = "classify_images.is_outside" if one.classification.outside else "classify_images.is_inside"
    return [one.name, display_name(best.label), percent(best.score), *([say(is_outside)] if knows else [])]
