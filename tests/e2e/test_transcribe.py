"""Transcription in a real browser: words that can be heard, long work that can be stopped, and somebody who speaks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from data2vec_core.checkpoints.card import Card
from data2vec_core.tasks import Transcript, Word
from tests.e2e.conftest import Visit
from tests.lab import running
from ui.known_models import ModelEntry
from ui.live import listeners_of
from ui.service import Service
from ui.settings import Settings
from ui.words import say

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

HOSTILE = "<img src=x onerror=alert(1)>${alert(1)}{{x}}"
CARD = Card(name="an4", modality="audio", task="transcription")


class Reader:
    """Stands in for a transcriber: the same words for every sound, after a while."""

    model_name = "an4"
    max_seconds: float | None = None

    def __init__(self, words: int = 3) -> None:
        self.words = words
        self.turns = 0
        """Of a tenth of a second each."""
        self.done = 0

    def __call__(self, _source: Path, *, progress: Callable[[float], object], **_: Any) -> Transcript:
        for turn in range(self.turns):
            time.sleep(0.1)
            self.done += 1
            progress(turn / self.turns)
        spoken = [HOSTILE, "TWO", *(f"WORD{i}" for i in range(2, self.words))]
        words = tuple(
            Word(word=word, start=0.3 * i, end=0.3 * i + 0.2, confidence=0.5) for i, word in enumerate(spoken)
        )
        return Transcript(text=" ".join(spoken), words=words, duration=0.3 * len(words), model="an4")

    def with_search(self, *_: Any) -> Reader:
        return self


@dataclass
class Place:
    """A visitor at an app whose transcriber is a `Reader`."""

    visit: Visit
    reader: Reader


@pytest.fixture
def place(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Place]:
    reader = Reader(**request.param)
    settings = Settings()
    service = Service(settings, models=[ModelEntry(card=CARD, folder=Path())], load=lambda *_, **__: reader)
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(60_000)
    with running(settings, service) as address:
        visit = Visit(context.new_page(), address)
        visit.page.goto(address)
        visit.page.locator("[role=tab][data-tab-id=speech]").click()
        yield Place(visit, reader)
        context.close()


def now(visit: Visit) -> float:
    """Seconds at which the player is."""
    return float(visit.page.locator(".player-sound").evaluate("sound => sound.currentTime"))


def lit(visit: Visit) -> Locator:
    return visit.page.locator(".player-words .w.now")


@pytest.mark.parametrize("place", [{"words": 8}], indirect=True)
def test_words_are_gone_through_heard_and_lit(place: Place) -> None:
    visit, page = place.visit, place.visit.page
    words = page.locator(".player-words .w")
    words.nth(1).wait_for()
    expect(words).to_have_count(8)
    assert words.nth(0).inner_text() == HOSTILE
    assert page.locator("#transcribe-player img").count() == 0
    page.wait_for_function("document.querySelector('.player-sound').readyState > 0")
    words.nth(1).click()
    lit(visit).wait_for()
    assert now(visit) >= 0.3
    page.locator(".player-sound").evaluate("sound => sound.pause()")
    page.keyboard.press("ArrowRight")
    assert page.locator(".player-line").inner_text() == "WORD2: 0.60–0.80 s, confidence 50 %"
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")  # there is no further one
    assert page.evaluate("document.activeElement.textContent") == "WORD7"
    page.keyboard.press("Home")
    assert page.evaluate("document.activeElement.textContent") == HOSTILE
    expect(page.locator('.player-words .w[tabindex="0"]')).to_have_count(1)
    for key in ("ArrowRight",) * 5:
        page.keyboard.press(key)
    page.locator(".player-sound").evaluate("sound => { sound.playbackRate = 0.1; }")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.w.now')?.textContent === 'WORD5'")
    expect(lit(visit)).to_have_count(1)
    assert lit(visit).get_attribute("aria-current") == "true"
    page.keyboard.press("Space")
    assert page.locator(".player-sound").evaluate("sound => sound.paused")
    page.locator(".player-table summary").click()
    page.locator(".player-table tbody tr").nth(7).wait_for()
    assert page.locator(".player-table tbody tr").nth(1).inner_text().split() == ["TWO", "0.30", "0.50", "50", "%"]
    assert visit.complaints == []


@pytest.mark.parametrize("place", [{"words": 10_000}], indirect=True)
def test_an_hour_of_words_is_shown_and_found_by_time(place: Place) -> None:
    visit, page = place.visit, place.visit.page
    page.locator(".player-words .w").nth(9_999).wait_for(state="attached")
    page.locator(".player-words .w").first.focus()
    page.keyboard.press("End")
    assert page.locator(".player-line").inner_text().startswith("WORD9999: 2999.70")
    page.locator(".player-words .w").first.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("Number(document.activeElement.dataset.i)") > 0
    page.locator(".player-table summary").click()
    page.get_by_role("button", name="More rows (9700)").click()
    page.get_by_role("button", name="More rows (9400)").wait_for()
    expect(page.locator(".player-table tbody tr")).to_have_count(600)
    assert page.evaluate("document.documentElement.scrollWidth") == 1280
    assert visit.complaints == []


@pytest.mark.parametrize("place", [{}], indirect=True)
def test_long_work_shows_how_far_it_is_and_stops_when_told_to(place: Place, files: Callable[[str], str]) -> None:
    visit, page, reader = place.visit, place.visit.page, place.reader
    page.locator(".player-words .w").first.wait_for()
    visit.clear("#transcribe-audio")
    visit.upload("#transcribe-audio", files("sound.wav"))
    reader.turns = 400
    visit.run("transcribe")
    bar = page.locator("#transcribe-result .working").get_by_role("progressbar")
    page.wait_for_function(
        "Number(document.querySelector('#transcribe-result .working [role=progressbar]')?.ariaValueNow) >= 3"
    )
    assert int(bar.get_attribute("aria-valuenow") or 0) < 100
    page.locator("#transcribe-stop").click()
    page.locator("#transcribe-result .empty", has_text=say("panel.stopped")).wait_for()
    page.wait_for_timeout(700)  # for the turn that is under way
    done = reader.done
    page.wait_for_timeout(1000)
    assert reader.done == done < 400
    assert page.locator("#transcribe-result .working").count() == 0  # no late word on the work replaced the sentence
    reader.turns = 0
    visit.run("transcribe")  # the model is free
    page.locator(".player-words .w").first.wait_for()
    assert visit.complaints == []


@pytest.mark.parametrize("place", [{}], indirect=True)
def test_long_work_ends_when_the_page_is_closed(place: Place) -> None:
    page, reader = place.visit.page, place.reader
    page.locator(".player-words .w").first.wait_for()
    reader.turns = 600
    page.get_by_label(say("transcribe.search_beam")).check()
    place.visit.run("transcribe")
    page.locator("#transcribe-result .working").get_by_role("progressbar").wait_for()
    page.close()
    done = -1
    while reader.done > done:  # until it stands still
        done = reader.done
        time.sleep(2)
    assert done < 600


def test_a_transcript_is_kept_in_five_formats(visit: Visit, tmp_path: Path) -> None:
    visit.open()
    starts = {"txt": "", "srt": "1\n00:00:0", "vtt": "WEBVTT\n", "json": "{\n", "textgrid": 'File type = "ooTextFile"'}
    for name, start in starts.items():
        with visit.page.expect_download() as started:
            visit.page.locator(f"#transcribe-{name}").click()
        started.value.save_as(tmp_path / name)
        assert started.value.suggested_filename.lower() == f"transcript.{name}"
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)
    shown = visit.page.locator(".player-words .w").all_inner_texts()
    assert [word["word"] for word in json.loads((tmp_path / "json").read_text())["words"]] == shown
    assert (tmp_path / "txt").read_text(encoding="utf-8").split() == shown


def test_settings_of_a_search_show_where_they_count(visit: Visit) -> None:
    visit.open()
    page = visit.page
    assert page.locator("#transcribe-beam").count() == 0
    page.get_by_label(say("transcribe.search_beam")).check()
    page.locator("#transcribe-beam").wait_for()
    visit.run("transcribe")
    page.locator("#transcribe-result .alternatives li").first.wait_for()
    page.get_by_label(say("transcribe.search_lexicon")).check()
    visit.run("transcribe")
    visit.wait_for("transcribe", ".failed")
    assert say("transcribe.no_lexicon") in page.locator("#transcribe-result").inner_text()
    assert page.locator("#transcribe-player").count() == 0
    assert visit.complaints == []


@pytest.fixture
def listening(bundled_folder: Path) -> Iterator[tuple[str, Service]]:
    settings = Settings(bundled_folder=bundled_folder, threads=1)
    service = Service(settings)
    with running(settings, service) as address:
        yield address, service


def test_somebody_who_speaks_is_written_down_and_forgotten(browser: Browser, listening: tuple[str, Service]) -> None:
    address, service = listening
    listeners = listeners_of(service)
    context = browser.new_context(viewport={"width": 1280, "height": 860}, permissions=["microphone"])
    context.set_default_timeout(60_000)
    visit = Visit(context.new_page(), address)
    visit.open()
    page, text = visit.page, visit.page.locator("#live-text")
    page.get_by_label(say("transcribe.mode_live")).check()
    assert page.locator("#transcribe-run").count() == 0
    record = page.locator("#live-microphone").get_by_role("button", name="Record")
    record.click()
    text.get_by_text("may still change").wait_for()
    assert len(listeners) == 1
    page.wait_for_timeout(2000)
    page.locator("#live-microphone").get_by_role("button", name="Stop").first.click()
    text.get_by_text("This is the whole text").wait_for()
    heard = float(text.inner_text().split("Heard ")[1].split(" s")[0])
    assert heard >= 1.5
    assert len(listeners) == 0
    assert visit.complaints == []

    record.click()
    text.get_by_text("may still change").wait_for()
    [listener] = listeners._listeners.values()
    context.close()  # without a word
    listener._thread.join(30)
    assert listener.is_over
