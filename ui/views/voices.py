"""Whether two voices are one, and who of two speaks when."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from analysis.figures.palette import categorical, hexadecimal
from ui.views.labels import percent
from ui.views.tables import details_table
from ui.views.timeline import Lane, Stretch
from ui.words import say

if TYPE_CHECKING:
    from data2vec_core.tasks.results import Activity
    from ui.runs import ComparedVoices


def similarity(result: ComparedVoices) -> str:
    """The verdict, and the similarity on its scale from -1 to 1 against the threshold."""
    together = result.together
    verdict = say("compare_speakers.same" if together.same_speaker else "compare_speakers.different")
    numbers = {"similarity": f"{together.similarity:.2f}", "threshold": f"{together.threshold:.2f}"}
    alone = result.alone if len(result.alone) > 1 else ()
    singles = "".join(f'<span class="own" style="left:{50 * (1 + one):.2f}%"></span>' for one in alone)
    threshold, place = (50 * (1 + value) for value in (together.threshold, together.similarity))
    ticks = "".join(f'<span class="tick" style="left:{50 * (1 + x):g}%">{x:g}</span>' for x in (-1, -0.5, 0, 0.5, 1))
    heads = [say("compare_speakers.measure"), say("compare_speakers.value")]
    rows = [
        (say("compare_speakers.similarity"), numbers["similarity"]),
        *((say("compare_speakers.alone", number=i), f"{one:.2f}") for i, one in enumerate(alone, start=1)),
        (say("compare_speakers.threshold"), numbers["threshold"]),
    ]
    notes = [say("compare_speakers.several", clips=len(alone))] if alone else []
    why = say("app.between_sentences").join([*notes, say("compare_speakers.why")])
    return (
        f'<p class="headline">{escape(verdict)}</p>'
        f"<p>{escape(say('compare_speakers.reason', **numbers))}</p>"
        f'<figure class="scale" aria-hidden="true"><div class="line">'
        f'<span class="region" style="left:{threshold:.2f}%">{escape(say("compare_speakers.region"))}</span>'
        f'<span class="threshold" style="left:{threshold:.2f}%"></span>{singles}'
        f'<span class="dot" style="left:{place:.2f}%"></span></div><div class="ticks">{ticks}</div>'
        f"<figcaption>{escape(say('compare_speakers.scale'))}</figcaption></figure>"
        f'<p class="small why">{escape(why)}</p>'
        f"{details_table(say('compare_speakers.table'), heads, rows)}"
    )


def lanes(result: Activity) -> list[Lane]:
    """Two voices and their overlap, each with its name, its colour, and when it is heard."""
    first, second = (
        [(turn.start, turn.end) for turn in result.segments if turn.speaker == own] for own in ("first", "second")
    )
    one, other = map(hexadecimal, categorical(2))
    return [
        (say("speaker_activity.first"), one, first),
        (say("speaker_activity.second"), other, second),
        (say("speaker_activity.both"), None, overlap(first, second)),
    ]


def turns(result: Activity) -> str:
    """How long each voice speaks, and both at once; and every turn as a table."""
    if not result.segments:
        return f'<p class="headline">{escape(say("speaker_activity.nobody"))}</p>'
    names = {"first": say("speaker_activity.first"), "second": say("speaker_activity.second")}
    shares = "".join(
        f'<li><span class="name">{escape(name)}</span><span class="value">{escape(_seconds(own))} · '
        f"{percent(_length(own) / result.duration)}</span></li>"
        for name, _, own in lanes(result)
    )
    keys = ("speaker_activity.speaker", "speaker_activity.start", "speaker_activity.end", "speaker_activity.length")
    rows = [
        (names[turn.speaker], f"{turn.start:.2f}", f"{turn.end:.2f}", f"{turn.end - turn.start:.2f}")
        for turn in result.segments
    ]
    return (
        f'<ul class="shares">{shares}</ul>'
        f"{details_table(say('speaker_activity.table'), [say(key) for key in keys], rows)}"
    )


def overlap(first: Sequence[Stretch], second: Sequence[Stretch]) -> list[Stretch]:
    """Where a stretch of one and a stretch of the other meet."""
    met = ((max(a, c), min(b, d)) for a, b in first for c, d in second)
    return sorted((start, end) for start, end in met if end > start)


def _seconds(stretches: Sequence[Stretch]) -> str:
    return say("app.seconds", number=f"{_length(stretches):.1f}")


def _length(stretches: Sequence[Stretch]) -> float:
    return sum(end - start for start, end in stretches)
