"""Each tool with inputs of its own, in a real browser."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from data2vec_core.checkpoints.card import Card
from tests.e2e.conftest import Visit
from tests.lab import running
from ui.known_models import ModelEntry
from ui.service import Service
from ui.settings import Settings
from ui.words import say

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

HOSTILE = "<img src=x onerror=alert(1)> ${alert(1)} {{x}} \u202e"


def result(visit: Visit, tool: str, place: str, text: str) -> Locator:
    """A part of a result, once it says this."""
    part = visit.page.locator(f"#{tool}-result {place}", has_text=text).first
    part.wait_for()
    return part


def test_two_voices_are_compared_and_a_second_clip_is_enrolled(visit: Visit, files: Callable[[str], str]) -> None:
    visit.open("Same speaker?", "compare_speakers")
    visit.clear("#compare_speakers-audio_a-1")
    visit.wait_for("compare_speakers", ".empty")  # the answer to the last clips is gone
    visit.clear("#compare_speakers-audio_b")
    visit.run("compare_speakers")
    result(visit, "compare_speakers", ".failed", "The first voice needs a clip")
    for place in ("audio_a-1", "audio_b"):
        visit.upload(f"#compare_speakers-{place}", files("sound.wav"))
    visit.run("compare_speakers")
    result(visit, "compare_speakers", "p", "The similarity is 1.00. From 0.50 on")
    assert visit.page.locator("#compare_speakers-audio_a-2").count() == 0
    visit.page.locator("#compare_speakers-audio_a-more").click()
    visit.upload("#compare_speakers-audio_a-2", files("other.wav"))
    visit.wait_for("compare_speakers", ".empty")
    visit.run("compare_speakers")
    result(visit, "compare_speakers", "p", "The similarity is")
    assert visit.complaints == []


def test_turns_of_speakers_are_drawn_told_and_kept(visit: Visit, files: Callable[[str], str], tmp_path: Path) -> None:
    visit.open("Who speaks when", "speaker_activity")
    visit.bring("speaker_activity", files("other.wav"))
    visit.wait_for("speaker_activity")
    with visit.page.expect_download() as started:
        visit.page.locator("#speaker_activity-rttm").click()
    started.value.save_as(tmp_path / "turns.rttm")
    lines = (tmp_path / "turns.rttm").read_text(encoding="utf-8").splitlines()
    assert all(line.startswith("SPEAKER recording 1 ") for line in lines)
    assert len(lines) == visit.page.locator("#speaker_activity-result tbody tr").count()
    assert visit.complaints == []
    visit.bring("speaker_activity", files("no_sound.wav"))
    result(visit, "speaker_activity", ".failed", say("sound.unreadable"))
    visit.page.locator("#speaker_activity-examples button").nth(1).click()
    visit.wait_for("speaker_activity")


def test_many_lines_are_classified_and_kept_as_a_table(visit: Visit, tmp_path: Path) -> None:
    visit.open("Text", "classify_text")
    visit.page.get_by_label(say("classify_text.many")).check()
    visit.wait_for("classify_lines")
    visit.fill("classify_lines", lines=f"=a dull plot\n\n{HOSTILE}\n" + "it moves you\n" * 60)
    visit.run("classify_lines")
    result(visit, "classify_lines", ".small", "62 of 62 lines")
    expect(visit.page.locator("#classify_lines-result tbody tr")).to_have_count(62)
    assert visit.page.locator("#classify_lines-result img").count() == 0
    with visit.page.expect_download() as started:
        visit.page.locator("#classify_lines-csv").click()
    started.value.save_as(tmp_path / "classes.csv")
    with (tmp_path / "classes.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows[:3]] == ["=a dull plot", HOSTILE.strip(), "it moves you"]
    assert {row["label"] for row in rows} <= {"positive", "negative"}
    visit.fill("classify_lines", lines="x\n" * 201)
    visit.run("classify_lines")
    result(visit, "classify_lines", ".failed", say("lines.too_many", lines=201, limit=200))
    assert visit.page.locator("#classify_lines-csv").count() == 0
    assert visit.complaints == []


def test_names_are_marked_in_their_text(visit: Visit) -> None:
    visit.open("Text > Tag", "tag_tokens")
    visit.fill("tag_tokens", text=f"The film of 1999 moves you {HOSTILE}")
    visit.run("tag_tokens")
    result(visit, "tag_tokens", ".reading", "moves you <img src=x")
    assert visit.page.locator("#tag_tokens-result img").count() == 0
    assert visit.complaints == []


def test_an_answer_is_marked_in_its_passage(visit: Visit) -> None:
    visit.open("Text > Answer", "answer_question")
    visit.fill("answer_question", question="", context="a film")
    visit.run("answer_question")
    result(visit, "answer_question", ".failed", say("answer_question.no_question"))
    passage = f"{HOSTILE} " + "a film that is warm and wise. " * 100
    visit.fill("answer_question", question="what is it?", context=passage)
    visit.page.locator("#answer_question-question textarea").press("Shift+Enter")
    result(visit, "answer_question", "details", "The whole passage").locator("summary").click()
    marked = visit.page.locator("#answer_question-result mark").first.inner_text()
    assert marked in passage
    assert marked == visit.page.locator("#answer_question-result .headline").inner_text()
    assert visit.complaints == []


def test_options_are_added_and_weighed(visit: Visit) -> None:
    visit.open("Text > Choose", "choose")
    visit.page.locator("#choose-examples button").nth(1).click()
    visit.page.locator("#choose-choices-3").wait_for(state="detached")
    more = visit.page.locator("#choose-choices-more")
    for row in (3, 4, 5, 6):
        more.click()
        visit.page.locator(f"#choose-choices-{row}").wait_for()
    assert more.is_disabled()
    visit.fill("choose", **{"prompt": "a film", "choices-1": "warm", "choices-2": " ", "choices-6": HOSTILE})
    visit.run("choose")
    result(visit, "choose", ".bars", "warm")
    expect(visit.page.locator("#choose-result .bars li")).to_have_count(2)  # empty rows do not count
    expect(visit.page.locator("#choose-result .badge")).to_have_count(1)
    visit.fill("choose", **{"choices-6": ""})
    visit.run("choose")
    result(visit, "choose", ".failed", say("choose.miscounted", fewest=2, most=6))
    assert visit.complaints == []


def test_masks_are_filled_in_place(visit: Visit) -> None:
    visit.open("Text > Fill the mask", "fill_mask")
    visit.fill("fill_mask", text=f"{HOSTILE} a <mask> film", top_k="7")
    visit.page.locator("#fill_mask-top_k").locator("input").first.press("Tab")
    visit.run("fill_mask")
    result(visit, "fill_mask", ".bars", "<img src=x")
    expect(visit.page.locator("#fill_mask-result .bars li")).to_have_count(7)
    expect(visit.page.locator("#fill_mask-result .bars mark")).to_have_count(7)
    visit.fill("fill_mask", text="a film")
    visit.run("fill_mask")
    result(visit, "fill_mask", ".failed", say("text.no_mask"))
    assert visit.complaints == []


class SlowWriter:
    """Stands in for a model that continues texts: five words a second."""

    model_name = "causal"

    def __init__(self) -> None:
        self.written = 0

    def __call__(self) -> None:
        """A task, which this tool does not call."""

    def stream(self, prompt: str, *, max_new_tokens: int, **_: Any) -> Iterator[str]:  # noqa: ARG002
        for number in range(max_new_tokens):
            time.sleep(0.2)
            self.written += 1
            yield f" word{number}"


@pytest.fixture
def writer() -> SlowWriter:
    return SlowWriter()


@pytest.fixture
def slow_visit(browser: Browser, writer: SlowWriter) -> Iterator[Visit]:
    """At an app whose texts grow slowly."""
    card = Card(name="causal", modality="text", task="continuation")
    settings = Settings()
    service = Service(settings, models=[ModelEntry(card=card, folder=Path())], load=lambda *_: writer)
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(60_000)
    with running(settings, service) as address:
        yield Visit(context.new_page(), address)
        context.close()


def test_a_text_grows_and_stops_when_told_to(slow_visit: Visit, writer: SlowWriter) -> None:
    visit, page = slow_visit, slow_visit.page
    page.goto(visit.home)
    for name in ("Text", "Continue"):
        page.get_by_role("tab", name=name, exact=True).click()
    visit.fill("continue_text", prompt=f"so it goes {HOSTILE}", max_new_tokens="100", seed="7")
    visit.run("continue_text")
    result(visit, "continue_text", ".reading", "word3")
    assert page.locator("#continue_text-result .given").inner_text().startswith("so it goes <img")
    page.locator("#continue_text-stop").click()
    page.wait_for_timeout(1000)  # for the word that is being written
    written, shown = writer.written, page.locator("#continue_text-result .reading").inner_text()
    page.wait_for_timeout(1000)
    assert writer.written == written < 100  # the model does not go on for nobody
    assert page.locator("#continue_text-result .reading").inner_text() == shown
    visit.fill("continue_text", prompt="once more", max_new_tokens="2")
    visit.run("continue_text")
    result(visit, "continue_text", ".reading", "once more word0 word1")
    assert "Drawn with seed 7" in page.locator("#continue_text-result").inner_text()
    assert visit.complaints == []
