"""Files that other tools open, read back by them: by Praat itself, and by the usual readers of subtitles and RTTM."""

from __future__ import annotations

import json
from pathlib import Path

import parselmouth
import pytest
import srt
import webvtt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parselmouth.praat import call
from pyannote.database.util import load_rttm

from data2vec_core.tasks import Activity, Transcript, Turn, Word
from data2vec_core.tasks.exports import (
    CUE_SECONDS,
    LINE_CHARACTERS,
    PAUSE,
    SHORTEST_CUE,
    TRANSCRIPT_FORMATS,
    cues,
    to_json,
    to_rttm,
    to_srt,
    to_textgrid,
    to_txt,
    to_vtt,
)

FRAME = 0.02
steady = settings(deadline=None, derandomize=True)
MODEL = "an4"


def transcript_of(spans: list[tuple[str, int, int]], behind: int = 7) -> Transcript:
    """Of words, each with the frames before it and those it takes, and some frames behind the last."""
    words, at = [], 0
    for text, gap, frames in spans:
        start, at = at + gap, at + gap + frames
        words.append(Word(word=text, start=start * FRAME, end=at * FRAME, confidence=0.5))
    text = " ".join(word.word for word in words)
    return Transcript(text=text, words=tuple(words), duration=max(0.1, (at + behind) * FRAME), model=MODEL)


ODD = transcript_of(
    [('RO"CK', 3, 10), ("&", 0, 1), ("<b>ROLL</b>", 2, 20), ("ÉTÉ'S", 200, 5), ("零", 1, 1), ("A-->B", 60, 3)]
)
NOTHING = transcript_of([], behind=75)
AN_HOUR = transcript_of([("WORD", 10, 15)] * 7200)

transcripts = st.builds(
    transcript_of,
    st.lists(
        st.tuples(st.text("AB'É\"<&>|0-", min_size=1, max_size=50), st.integers(0, 80), st.integers(1, 60)),
        max_size=30,
    ),
    behind=st.integers(0, 100),
)


def read_by_praat(text: str, folder: Path) -> list[tuple[float, float, str]]:
    """Start, end and text of all intervals of the only tier."""
    path = folder / "words.TextGrid"
    path.write_text(text, encoding="utf-8")
    grid = parselmouth.read(str(path))
    assert isinstance(grid, parselmouth.TextGrid)
    assert call(grid, "Get number of tiers") == 1
    assert call(grid, "Get tier name", 1) == "words"
    return [
        (
            call(grid, "Get start time of interval", 1, number),
            call(grid, "Get end time of interval", 1, number),
            call(grid, "Get label of interval", 1, number),
        )
        for number in range(1, call(grid, "Get number of intervals", 1) + 1)
    ]


class TestCues:
    @steady
    @given(transcripts)
    def test_they_hold_every_word_once_and_in_time(self, transcript: Transcript) -> None:
        found = cues(transcript)
        assert " ".join(line for cue in found for line in cue.lines) == transcript.text
        for cue, after in zip(found, found[1:], strict=False):
            assert cue.start < cue.end <= after.start
        starts = {word.start: word for word in transcript.words}
        for cue in found:
            words = " ".join(cue.lines).split()
            assert 1 <= len(cue.lines) <= 2
            assert all(len(line) <= LINE_CHARACTERS for line in cue.lines) or len(words) <= 2
            assert cue.end - cue.start <= CUE_SECONDS + 1e-9 or len(words) == 1
            assert cue.start in starts
            assert cue.end <= transcript.duration + 1e-9

    def test_a_pause_begins_another(self) -> None:
        frames = round(PAUSE / FRAME)
        together, apart = (
            cues(transcript_of([("ONE", 0, 20), ("TWO", gap, 20)], behind=0)) for gap in (frames - 1, frames + 1)
        )
        assert [cue.lines for cue in together] == [("ONE TWO",)]
        assert [cue.lines for cue in apart] == [("ONE",), ("TWO",)]

    def test_a_long_one_has_two_lines_of_about_one_length(self) -> None:
        [cue] = cues(transcript_of([("WORD", 2, 3)] * 12))
        assert [len(line) for line in cue.lines] == [29, 29]

    def test_a_short_one_stays_for_a_while_if_it_may(self) -> None:
        alone, followed = cues(transcript_of([("A", 0, 1), ("B", 40, 1)], behind=5))
        assert alone.end - alone.start == pytest.approx(40 * FRAME + FRAME)
        assert followed.end - followed.start == pytest.approx(6 * FRAME), "the clip ends"
        [free] = cues(transcript_of([("A", 0, 1)], behind=500))
        assert free.end - free.start == SHORTEST_CUE


class TestSubtitles:
    @steady
    @given(transcripts)
    def test_srt_is_read_back(self, transcript: Transcript) -> None:
        found = list(srt.parse(to_srt(transcript)))
        assert [item.index for item in found] == list(range(1, len(found) + 1))
        for item, cue in zip(found, cues(transcript), strict=True):
            assert item.content == "\n".join(cue.lines)
            assert item.start.total_seconds() == pytest.approx(cue.start, abs=0.0006)
            assert item.end.total_seconds() == pytest.approx(cue.end, abs=0.0006)

    @steady
    @given(transcripts)
    def test_vtt_is_read_back(self, transcript: Transcript) -> None:
        found = webvtt.from_string(to_vtt(transcript)).captions
        for item, cue in zip(found, cues(transcript), strict=True):
            text = item.raw_text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
            assert text == "\n".join(cue.lines)
            assert item.start_in_seconds == pytest.approx(cue.start, abs=1.001), "whole seconds are all it tells"
            assert item.end[-4] == "."

    @pytest.mark.parametrize("transcript", [ODD, AN_HOUR], ids=["odd", "an hour"])
    def test_examples(self, transcript: Transcript) -> None:
        subtitles = list(srt.parse(to_srt(transcript)))
        captions = webvtt.from_string(to_vtt(transcript)).captions
        assert len(subtitles) == len(captions) == len(cues(transcript))
        assert [srt.srt_timestamp_to_timedelta(caption.end.replace(".", ",")) for caption in captions] == [
            subtitle.end for subtitle in subtitles
        ]

    def test_no_words(self) -> None:
        assert to_srt(NOTHING) == ""
        assert list(srt.parse(to_srt(NOTHING))) == []
        assert webvtt.from_string(to_vtt(NOTHING)).captions == []

    def test_what_means_something_in_vtt_is_escaped(self) -> None:
        text = to_vtt(ODD)
        assert "&lt;b&gt;ROLL&lt;/b&gt;" in text
        assert text.count("-->") == len(cues(ODD)), "the word A-->B is none of them"


class TestTextGrid:
    @pytest.mark.parametrize("transcript", [ODD, NOTHING, transcript_of([("A", 0, 5)], behind=0)])
    def test_praat_reads_it(self, transcript: Transcript, tmp_path: Path) -> None:
        found = read_by_praat(to_textgrid(transcript), tmp_path)
        assert found[0][0] == 0
        assert found[-1][1] == pytest.approx(transcript.duration)
        assert [end for _, end, _ in found[:-1]] == [start for start, _, _ in found[1:]]
        words = [(pytest.approx(word.start), pytest.approx(word.end), word.word) for word in transcript.words]
        assert [interval for interval in found if interval[2]] == words

    @settings(steady, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(transcript=transcripts)
    def test_praat_reads_all_of_them(self, transcript: Transcript, tmp_path: Path) -> None:
        found = read_by_praat(to_textgrid(transcript), tmp_path)
        assert [text for _, _, text in found if text] == [word.word for word in transcript.words]
        assert all(start < end for start, end, _ in found)


class TestTextAndJson:
    def test_text_has_a_line_for_every_stretch_of_speech(self) -> None:
        assert to_txt(ODD) == "RO\"CK & <b>ROLL</b>\nÉTÉ'S 零\nA-->B\n"
        assert to_txt(NOTHING) == ""

    def test_json_is_the_result(self) -> None:
        assert json.loads(to_json(ODD)) == ODD.to_json()
        assert "零" in to_json(ODD)

    def test_every_format_takes_any_transcript(self) -> None:
        for write in TRANSCRIPT_FORMATS.values():
            for transcript in (ODD, NOTHING):
                write(transcript).encode()


class TestRttm:
    def activity(self) -> Activity:
        turns = [("first", 0.26, 1.5), ("second", 1.4, 3.0), ("first", 3661.04, 3662.0)]
        return Activity(
            segments=tuple(Turn(speaker=speaker, start=start, end=end) for speaker, start, end in turns),
            duration=4000.0,
            model=MODEL,
        )

    def test_turns_are_read_back(self, tmp_path: Path) -> None:
        path = tmp_path / "turns.rttm"
        path.write_text(to_rttm(self.activity(), "two people"))
        annotation = load_rttm(path)["two_people"]
        found = [(segment.start, segment.end, label) for segment, _, label in annotation.itertracks(yield_label=True)]
        assert found == [
            (pytest.approx(turn.start, abs=1e-3), pytest.approx(turn.end, abs=1e-3), turn.speaker)
            for turn in self.activity().segments
        ]

    def test_nobody_speaks(self) -> None:
        assert to_rttm(Activity(segments=(), duration=1.0, model=MODEL), "clip") == ""

    @pytest.mark.parametrize("name", ["", "  "])
    def test_the_recording_needs_a_name(self, name: str) -> None:
        with pytest.raises(ValueError, match="recording"):
            to_rttm(self.activity(), name)
