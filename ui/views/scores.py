"""How well the map of a segmented picture agrees with a given one."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ui.views.labels import display_name
from ui.views.notice import failed
from ui.views.tables import table
from ui.words import say

if TYPE_CHECKING:
    from ui.pictures import MapComparison


def map_scores(result: MapComparison) -> str:
    """Two sentences and a row a class; or why the given map cannot be compared."""
    if (scores := result.scores) is None:
        return failed(result.problem)
    summary = say(
        "score_map.summary",
        iou=f"{scores.mean_iou:.3f}",
        accuracy=say("app.percent", number=f"{100 * scores.pixel_accuracy:.1f}"),
        pixels=f"{scores.pixels:,}",
    )
    heads = [say("score_map.label"), say("score_map.iou")]
    rows = [(display_name(result.names[number]), f"{iou:.3f}") for number, iou in scores.iou.items()]
    note = f'<p class="small">{escape(say("score_map.note"))}</p>'
    return f'<p role="status">{escape(summary)}</p>{table(heads, rows, say("score_map.title"))}{note}'
