"""What a CTC model makes of every frame of a clip: a picture to zoom into, its words, and the same as tables."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ui.views.labels import percent
from ui.views.tables import table
from ui.words import say

if TYPE_CHECKING:
    from data2vec_core.tasks.results import AlignedSpan, Emissions
    from ui.runs import Inspection

FLOOR = -10.0
"""Log probability that is painted like all below it."""
RISES_ABOVE = 0.05
"""A token that is never as probable as this is folded away."""
MOST_ROWS = 128
"""Tokens that are painted at most: of more, those that become the most probable."""
NAMED = 3
"""Tokens that are told of a frame."""
_FINEST = 0.001
"""Seconds of the waveform in one step of its envelope, at least."""
_MOST_STEPS = 60_000
_SPECIAL = ("<s>", "</s>", "<unk>", "<pad>")
_BOUNDARY = "|"


def template() -> str:
    """The frame of the picture, in the language that is spoken. The script fills it."""
    buttons = (
        ("in", "+", say("inspect_ctc.zoom_in")),
        ("out", "−", say("inspect_ctc.zoom_out")),
        ("back", "←", say("inspect_ctc.earlier")),
        ("on", "→", say("inspect_ctc.later")),
    )
    drawn = "".join(
        f'<button type="button" data-do="{name}" aria-label="{escape(label)}" title="{escape(label)}">{sign}</button>'
        for name, sign, label in buttons
    )
    return (
        '<div class="ctc"><div class="tools" role="toolbar" aria-label="'
        f'{escape(say("inspect_ctc.tools"))}">{drawn}'
        f'<button type="button" data-do="whole">{escape(say("inspect_ctc.whole"))}</button></div>'
        '<div class="plot" tabindex="0" role="slider" aria-valuemin="0" aria-valuemax="0" aria-valuenow="0" '
        f'aria-label="{escape(say("inspect_ctc.picture"))}"><canvas class="base"></canvas>'
        '<canvas class="over"></canvas></div>'
        '<p class="told" role="status" aria-live="polite"></p>'
        '<div class="key"><span><span class="ramp-end"></span><span class="ramp"></span>1</span>'
        f'<span><span class="path"></span>{escape(say("inspect_ctc.best_path"))}</span>'
        f'<span><span class="aligned"></span>{escape(say("inspect_ctc.aligned"))}</span></div>'
        '<div class="switches"><label><input type="checkbox" class="log"> '
        f"{escape(say('inspect_ctc.logarithmic'))}</label>"
        f'<label><input type="checkbox" class="all"> <span class="all-label"></span></label></div>'
        f'<p class="small">{escape(say("inspect_ctc.keys"))}</p></div>'
    )


def _phrases() -> dict[str, str]:
    """What the script says of a frame; it fills in the places in braces."""
    return {
        "start": say("inspect_ctc.point"),
        "time": say("inspect_ctc.at", time="{time}", frame="{frame}"),
        "letter": say("inspect_ctc.letter", letter="{letter}", word="{word}"),
        "all": say("inspect_ctc.all_tokens", count="{count}"),
        "percent": say("app.percent", number="{number}"),
        "seconds": say("app.seconds", number="{number}"),
    }


def token_name(token: str, *, is_blank: bool) -> str:
    """What a token is called in the picture."""
    if is_blank:
        return say("inspect_ctc.blank")
    return say("inspect_ctc.space") if token in (_BOUNDARY, " ") else token


def picture(result: Inspection, samples: NDArray[np.float32], rate: int) -> dict[str, Any]:
    """All that the script draws.

    Args:
        samples: (samples,) of the clip.
        rate: samples a second.
    """
    emissions = result.emissions
    names = _names(emissions)
    used = {*emissions.best_path.tolist(), *(result.alignment.path if result.alignment else ())}
    rows, prominent = _rows(emissions, used)
    best = np.argsort(-emissions.log_probabilities, axis=1, kind="stable")[:, :NAMED]
    shares = np.take_along_axis(emissions.probabilities, best, axis=1)
    envelope, step = _envelope(samples, rate)
    ids = {token: index for index, token in enumerate(emissions.tokens)}
    letters, words = (result.alignment.characters, result.alignment.words) if result.alignment else ((), ())
    return {
        "phrases": _phrases(),
        "names": names,
        "rows": rows,
        "prominent": prominent,
        "frames": len(best),
        "secondsPerFrame": emissions.seconds_per_frame,
        "duration": emissions.duration,
        "floor": FLOOR,
        "levels": _encoded(emissions.quantised(FLOOR)[:, rows].T),
        "path": _encoded(best[:, 0].astype("<u2")),
        "best": _encoded(best.astype("<u2")),
        "shares": _encoded(np.rint(65535 * shares).astype("<u2")),
        "wave": _encoded(envelope),
        "waveStep": step,
        "letters": [
            {**_span(span), "row": ids.get(span.text, ids.get(_BOUNDARY, -1)), "word": _word_at(span, words)}
            for span in letters
        ],
        "words": [_span(span) for span in words],
    }


def reading(result: Inspection) -> str:
    """What the model reads, how well the text that was given fits, and every span as a table."""
    emissions, alignment = result.emissions, result.alignment
    text = result.transcript.text or say("transcribe.no_words")
    parts = [f'<p class="headline spelled">{escape(text)}</p>']
    if result.problem:
        parts.append(f'<p class="notice outside" role="alert">{escape(result.problem)}</p>')
    probability = float(emissions.log_probabilities.max(axis=1).sum())
    length = f"{1000 * emissions.seconds_per_frame:g}"
    summary = [say("inspect_ctc.summary", frames=len(emissions.log_probabilities), length=length)]
    if alignment is not None and alignment.text != result.transcript.text:
        numbers = {"given": f"{alignment.log_probability:.1f}", "best": f"{probability:.1f}"}
        summary.append(say("inspect_ctc.fit", text=alignment.text, **numbers))
    parts.append(f'<p class="small">{escape(say("app.between_sentences").join(summary))}</p>')
    if alignment is not None:
        parts.append(_spans(say("inspect_ctc.letters_table"), say("inspect_ctc.token"), alignment.characters))
        parts.append(_spans(say("inspect_ctc.words_table"), say("inspect_ctc.word"), alignment.words))
    parts.append(_table(say("inspect_ctc.path_table"), say("inspect_ctc.token"), _runs(emissions)))
    return "".join(parts)


def _spans(summary: str, what: str, spans: Sequence[AlignedSpan]) -> str:
    rows = (
        (token_name(span.text, is_blank=False), f"{span.start:.2f}", f"{span.end:.2f}", percent(span.score))
        for span in spans
    )
    return _table(summary, what, rows)


def _runs(emissions: Emissions) -> Iterable[tuple[str, str, str, str]]:
    """The best path as a table has it: frames of the same token are one row."""
    names, path = _names(emissions), emissions.best_path
    for token, run in groupby(range(len(path)), key=path.__getitem__):
        first, *rest = run
        last = rest[-1] if rest else first
        confidence = math.exp(float(emissions.log_probabilities[first : last + 1, token].mean()))
        start, end = (emissions.seconds_per_frame * frame for frame in (first, last + 1))
        yield names[token], f"{start:.2f}", f"{end:.2f}", percent(confidence)


def _table(summary: str, what: str, rows: Iterable[Sequence[str]]) -> str:
    """Stretches of time, folded, in a box that can be scrolled by keys."""
    heads = [what, say("inspect_ctc.start"), say("inspect_ctc.end"), say("inspect_ctc.probability")]
    box = f'<div class="box" role="region" tabindex="0" aria-label="{escape(summary)}">'
    inside = f"{box}{table(heads, rows, summary)}</div>"
    return f"<details><summary>{escape(summary)}</summary>{inside}</details>"


def _names(emissions: Emissions) -> list[str]:
    return [token_name(token, is_blank=index == emissions.blank) for index, token in enumerate(emissions.tokens)]


def _rows(emissions: Emissions, used: set[int]) -> tuple[list[int], list[bool]]:
    """Ids of the tokens to paint, from the top, and which of them become probable or are used by a path.

    The blank comes first, then the space, then the characters by their order, then what is no character.
    """
    highest = emissions.log_probabilities.max(axis=0)
    kept = sorted(np.argsort(-highest, kind="stable")[:MOST_ROWS].tolist())

    def place(index: int) -> tuple[bool, bool, bool, str]:
        token = emissions.tokens[index]
        return index != emissions.blank, token not in (_BOUNDARY, " "), token in _SPECIAL, token

    rows = sorted(kept, key=place)
    return rows, [index in used or bool(highest[index] >= math.log(RISES_ABOVE)) for index in rows]


def _envelope(samples: NDArray[np.float32], rate: int) -> tuple[NDArray[np.uint8], float]:
    """(steps, 2) lowest and highest sample of each step, 0 to 255 with 128 for silence, by the loudest sample; and the
    length of a step in seconds."""
    size = max(1, round(rate * _FINEST), math.ceil(len(samples) / _MOST_STEPS))
    padded = np.pad(samples, (0, -len(samples) % size)).reshape(-1, size)
    both = np.stack([padded.min(axis=1), padded.max(axis=1)], axis=1) / max(float(np.abs(samples).max()), 1e-9)
    return np.rint(128 + 127 * both).astype(np.uint8), size / rate


def _span(span: AlignedSpan) -> dict[str, Any]:
    return {
        "text": token_name(span.text, is_blank=False),
        "first": span.start_frame,
        "last": span.end_frame,
        "start": span.start,
        "end": span.end,
        "score": round(span.score, 4),
    }


def _word_at(letter: AlignedSpan, words: Sequence[AlignedSpan]) -> str:
    """The word that a letter belongs to; empty for the space between two."""
    at = letter.start_frame
    return next((word.text for word in words if word.start_frame <= at < word.end_frame), "")


def _encoded(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
