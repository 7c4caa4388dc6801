"""Results as files that other tools open: transcripts as text, subtitles and annotations, turns of speakers as RTTM."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from textwrap import wrap
from types import MappingProxyType

from data2vec_core.tasks.results import Activity, Transcript, Word

LINE_CHARACTERS = 42
"""Longest line of a subtitle, as broadcasters have it; only a longer word is longer."""
CUE_LINES = 2
CUE_SECONDS = 7.0
"""Longest time for one subtitle; only a longer word is longer."""
SHORTEST_CUE = 1.0
"""Seconds that a subtitle stays at least, unless the next one comes."""
PAUSE = 0.8
"""Seconds without a word after which a new line or subtitle begins."""


@dataclass(frozen=True, kw_only=True)
class Cue:
    """A subtitle."""

    lines: tuple[str, ...]
    start: float
    """Seconds."""
    end: float
    """Seconds; no later than the start of the next one."""


def cues(transcript: Transcript) -> tuple[Cue, ...]:
    """The words as subtitles: broken at pauses, and where they would be too long to read."""
    groups: list[list[Word]] = []
    for word in transcript.words:
        if groups and _may_join(groups[-1], word):
            groups[-1].append(word)
        else:
            groups.append([word])
    limits = [*(group[0].start for group in groups[1:]), transcript.duration]
    return tuple(
        Cue(
            lines=_lines([word.word for word in group]),
            start=group[0].start,
            end=max(group[-1].end, min(group[0].start + SHORTEST_CUE, limit)),
        )
        for group, limit in zip(groups, limits, strict=False)  # without groups there is a limit, too
    )


def to_txt(transcript: Transcript) -> str:
    """The words, a new line after every pause."""
    text = "".join(
        word.word + ("\n" if after.start - word.end >= PAUSE else " ") for word, after in pairwise(transcript.words)
    )
    return f"{text}{transcript.words[-1].word}\n" if transcript.words else ""


def to_srt(transcript: Transcript) -> str:
    """Subtitles as SubRip has them."""
    return "\n".join(
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n" + "".join(f"{line}\n" for line in cue.lines)
        for number, cue in enumerate(cues(transcript), start=1)
    )


def to_vtt(transcript: Transcript) -> str:
    """Subtitles as browsers show them (WebVTT)."""
    blocks = [
        f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n"
        + "".join(f"{escape(line, quote=False)}\n" for line in cue.lines)
        for cue in cues(transcript)
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def to_json(transcript: Transcript) -> str:
    """All that the result holds."""
    return json.dumps(transcript.to_json(), ensure_ascii=False, indent=2) + "\n"


def to_textgrid(transcript: Transcript) -> str:
    """Words as an interval tier of a Praat TextGrid (long format), which covers the whole clip."""
    intervals = list(_intervals(transcript))
    end = intervals[-1][1]
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {end}",
        "tiers? <exists>",
        "size = 1",
        "item []:",
        "    item [1]:",
        '        class = "IntervalTier"',
        '        name = "words"',
        "        xmin = 0",
        f"        xmax = {end}",
        f"        intervals: size = {len(intervals)}",
    ]
    for number, (start, end, text) in enumerate(intervals, start=1):
        quoted = text.replace('"', '""')
        lines += [
            f"        intervals [{number}]:",
            f"            xmin = {start}",
            f"            xmax = {end}",
            f'            text = "{quoted}"',
        ]
    return "\n".join(lines) + "\n"


def to_rttm(activity: Activity, recording: str) -> str:
    """Turns of speakers, a line each, as tools for diarisation read them (NIST, Rich Transcription Time Marked).

    Args:
        recording: what the lines call it, often the name of its file without the ending; spaces become `_`.

    Raises:
        ValueError: the recording has no name.
    """
    name = "_".join(recording.split())
    if not name:
        raise ValueError("recording: the lines of an RTTM file need the name of the recording")
    return "".join(
        f"SPEAKER {name} 1 {turn.start:.3f} {turn.end - turn.start:.3f} <NA> <NA> {turn.speaker} <NA> <NA>\n"
        for turn in activity.segments
    )


TRANSCRIPT_FORMATS: Mapping[str, Callable[[Transcript], str]] = MappingProxyType(
    {"txt": to_txt, "srt": to_srt, "vtt": to_vtt, "json": to_json, "TextGrid": to_textgrid}
)
"""By the ending of the file, which is UTF-8 text."""


def _may_join(group: Sequence[Word], word: Word) -> bool:
    """Whether a word belongs to the subtitle that the ones before it make."""
    text = " ".join(item.word for item in (*group, word))
    return (
        word.start - group[-1].end < PAUSE
        and word.end - group[0].start <= CUE_SECONDS
        and len(wrap(text, LINE_CHARACTERS, break_long_words=False, break_on_hyphens=False)) <= CUE_LINES
    )


def _lines(words: Sequence[str]) -> tuple[str, ...]:
    """One line if it is short enough, otherwise two that are about as long."""
    whole = " ".join(words)
    if len(whole) <= LINE_CHARACTERS or len(words) == 1:
        return (whole,)
    halves = [(" ".join(words[:count]), " ".join(words[count:])) for count in range(1, len(words))]
    return min(halves, key=lambda lines: max(map(len, lines)))


def _intervals(transcript: Transcript) -> Iterator[tuple[float, float, str]]:
    """Start, end and text of the words and, with empty text, of the gaps between them, without a break."""
    at = 0.0
    for word in transcript.words:
        start, end = round(word.start, 6), round(word.end, 6)
        if start > at:
            yield at, start, ""
        yield start, end, word.word
        at = end
    duration = round(transcript.duration, 6)
    if duration > at:
        yield at, duration, ""


def _clock(seconds: float, point: str) -> str:
    """00:00:00 and thousandths."""
    milliseconds = round(1000 * seconds)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"
