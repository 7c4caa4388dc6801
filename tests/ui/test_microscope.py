"""The picture of a CTC model at work: what it draws, what it says, and the files it gives."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from data2vec_core.tasks.results import AlignedSpan, Alignment, Emissions, Transcript
from tests.ui.test_views import HOSTILE, KNOWN_TAGS, Tags
from ui.catalogue import TOOLS
from ui.microscope import alignment_json, alignment_textgrid, emissions_npz
from ui.runs import Inspection
from ui.service import Service
from ui.settings import Settings
from ui.views.microscope import FLOOR, MOST_ROWS, picture, reading, template
from ui.words import say, speaking

TOKENS = ("<pad>", "<unk>", "|", "B", "A", "C")
RATE = 16_000


def emissions(*best: int, tokens: tuple[str, ...] = TOKENS, sure: float = 0.9) -> Emissions:
    """Frames that are sure of one token each."""
    shares = np.full((len(best), len(tokens)), (1 - sure) / (len(tokens) - 1), np.float32)
    shares[np.arange(len(best)), best] = sure
    return Emissions(
        log_probabilities=np.log(shares),
        tokens=tokens,
        blank=0,
        seconds_per_frame=0.02,
        duration=0.02 * len(best),
        model="an4",
    )


def span(text: str, start: int, end: int, score: float = 0.9) -> AlignedSpan:
    return AlignedSpan(text=text, start_frame=start, end_frame=end, start=0.02 * start, end=0.02 * end, score=score)


def inspection(seen: Emissions, text: str = "A B", problem: str = "") -> Inspection:
    alignment = Alignment(
        text=text,
        characters=(span("A", 1, 2), span(" ", 2, 3), span("B", 4, 6)),
        words=(span("A", 1, 2), span("B", 4, 6)),
        path=(0, 4, 2, 0, 3, 3),
        log_probability=-1.5,
        model="an4",
    )
    transcript = Transcript(text="A B", words=(), duration=seen.duration, model="an4")
    return Inspection(
        emissions=seen,
        transcript=transcript,
        alignment=None if problem else alignment,
        problem=problem,
        model="an4",
    )


def numbers(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


def drawn(seen: Emissions, samples: np.ndarray | None = None) -> dict[str, Any]:
    sound = np.zeros(1600, np.float32) if samples is None else samples
    return picture(inspection(seen), sound, RATE)


def test_rows_begin_with_the_blank_and_the_space_and_end_with_what_is_no_character() -> None:
    data = drawn(emissions(0, 4, 2, 0, 3, 3))
    assert [data["names"][row] for row in data["rows"]] == ["blank", "space", "A", "B", "C", "<unk>"]
    path = [data["names"][index] for index in numbers(data["path"], "<u2")]
    assert path == ["blank", "A", "space", "blank", "B", "B"]
    with speaking("zh-CN"):
        assert drawn(emissions(0))["names"][0] == "空白"


def test_tokens_that_never_become_probable_are_folded_but_none_that_a_path_takes() -> None:
    data = drawn(emissions(0, 0, 0, 0, 0, 0))
    folded = {data["names"][row] for row, shown in zip(data["rows"], data["prominent"], strict=True) if not shown}
    assert folded == {"C", "<unk>"}  # as improbable as A, B and the space, which the alignment takes


def test_levels_are_log_probabilities_a_row_after_the_other() -> None:
    seen = emissions(0, 4, 2, 0, 3, 3)
    data = drawn(seen)
    levels = numbers(data["levels"], "u1").reshape(len(data["rows"]), data["frames"])
    shares = np.exp(FLOOR * (1 - levels / 255.0))
    np.testing.assert_allclose(shares, seen.probabilities[:, data["rows"]].T, rtol=0.03)


def test_the_best_of_a_frame_are_told_exactly() -> None:
    seen = emissions(0, 4, 2, 0, 3, 3, sure=0.8765)
    data = drawn(seen)
    best = numbers(data["best"], "<u2").reshape(data["frames"], 3)
    shares = numbers(data["shares"], "<u2").reshape(data["frames"], 3) / 65535
    assert best[:, 0].tolist() == [0, 4, 2, 0, 3, 3]
    np.testing.assert_allclose(shares, np.take_along_axis(seen.probabilities, best.astype(int), 1), atol=1e-5)


def test_of_a_large_vocabulary_the_most_probable_tokens_are_drawn() -> None:
    tokens = ("<pad>", *(f"t{i}" for i in range(1000)))
    seen = emissions(0, 1000, 7, tokens=tokens)
    data = drawn(seen)
    assert len(data["rows"]) == MOST_ROWS
    assert data["rows"][0] == 0
    assert {7, 1000} < set(data["rows"])


def test_the_waveform_keeps_its_extremes() -> None:
    samples = np.zeros(RATE, np.float32)
    samples[8000], samples[12_001] = 0.5, -0.25
    data = drawn(emissions(0), samples)
    wave = numbers(data["wave"], "u1").reshape(-1, 2)
    assert data["waveStep"] == 0.001
    assert wave.shape == (1000, 2)
    assert (wave[500].tolist(), wave[750].tolist(), wave[10].tolist()) == ([128, 255], [64, 128], [128, 128])
    hours = drawn(emissions(0), np.zeros(RATE * 90, np.float32))
    assert len(numbers(hours["wave"], "u1")) <= 2 * 60_000


def test_letters_know_their_row_and_their_word() -> None:
    letters = drawn(emissions(0, 4, 2, 0, 3, 3))["letters"]
    assert [(one["text"], one["row"], one["word"], one["first"], one["last"]) for one in letters] == [
        ("A", 4, "A", 1, 2),
        ("space", 2, "", 2, 3),
        ("B", 3, "B", 4, 6),
    ]


def test_spans_are_told_as_tables() -> None:
    html = reading(inspection(emissions(0, 4, 2, 0, 3, 3)))
    assert '<th scope="row">B</th><td>0.08</td><td>0.12</td><td>90 %</td>' in html  # twice: the letter and its run
    assert html.count('<th scope="row">blank</th>') == 2
    assert "log probability" not in html  # of the model's own text: it would be told twice the same
    assert "log probability of -1.5; the best path of all has -0.6" in reading(
        inspection(emissions(0, 4, 2, 0, 3, 3), text="A BB")
    )


def test_what_comes_from_outside_is_text_and_never_markup() -> None:
    seen = emissions(1, 0, tokens=("<pad>", HOSTILE))
    for html in (reading(inspection(seen, text=HOSTILE)), reading(inspection(seen, problem=HOSTILE))):
        tags = Tags(html)
        assert tags.seen <= KNOWN_TAGS
        assert HOSTILE in tags.text
    for language in ("en", "zh-CN"):
        with speaking(language):
            frame = template()
        assert not {"${", "{{", "`", "\\"} & {sign for sign in ("${", "{{", "`", "\\") if sign in frame}


def test_the_files_hold_the_numbers() -> None:
    seen = emissions(0, 4, 2, 0, 3, 3)
    with np.load(io.BytesIO(emissions_npz(seen)), allow_pickle=False) as file:
        np.testing.assert_allclose(file["probabilities"], seen.probabilities, atol=1e-3)
        assert file["probabilities"].dtype == np.float16
        assert file["tokens"].tolist() == list(TOKENS)
        assert file["frame_times"].tolist() == pytest.approx([0.02 * i for i in range(6)])
        assert file["blank"] == 0
    alignment = inspection(seen).alignment
    assert alignment is not None
    grid = alignment_textgrid(alignment, 0.12).decode()
    assert 'text = "B"' in grid
    assert "xmax = 0.12" in grid
    assert json.loads(alignment_json(alignment))["path"] == [0, 4, 2, 0, 3, 3]


@pytest.fixture(scope="module")
def service(settings: Settings) -> Service:
    return Service(settings)


def asked(service: Service, files: Callable[[str], str], text: str) -> Inspection:
    result: Inspection = service.ask("inspect_ctc", {"audio": files("sound.wav"), "text": text}).result
    return result


def test_any_text_that_the_model_can_write_is_aligned(service: Service, files: Callable[[str], str]) -> None:
    result = asked(service, files, " ab  a ")
    assert result.alignment is not None
    assert result.alignment.text.split() == ["AB", "A"]
    assert len(result.alignment.path) == len(result.emissions.log_probabilities)
    own = asked(service, files, " ")
    assert own.problem == ""
    assert (own.alignment is None) == (not own.transcript.text)
    assert own.alignment is None or own.alignment.text == own.transcript.text


def test_a_text_that_cannot_be_aligned_gets_one_sentence_and_the_picture_stays(
    service: Service, files: Callable[[str], str]
) -> None:
    strange = asked(service, files, "a ñ ñ 5")
    assert strange.alignment is None
    assert strange.problem == say("inspect_ctc.unspellable", characters="ñ 5")
    long = asked(service, files, "ab " * 80)
    assert long.problem == say("inspect_ctc.too_long", characters=239, frames=len(long.emissions.log_probabilities))
    assert f'role="alert">{long.problem}' in reading(long)
    with speaking("zh-CN"):
        assert "对齐" in asked(service, files, "5").problem


def test_a_text_may_be_left_out(settings: Settings) -> None:
    text = TOOLS["inspect_ctc"].inputs[1]
    assert [text.read(value, settings) for value in (None, "", "  ", " a b ")] == ["", "", "", "a b"]
    with pytest.raises(ValueError, match="2001"):
        text.read("x" * 2001, settings)
