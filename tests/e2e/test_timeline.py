"""Turns of voices in a real browser: told, gone through by keys, heard."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from data2vec_core.tasks.results import Activity, Turn
from tests.e2e.conftest import Visit
from tests.lab import running
from tests.ui.conftest import settings  # noqa: F401 - a fixture
from ui.service import Service
from ui.settings import Settings
from ui.words import say

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


class TwoVoices:
    """Stands in for a model that hears two voices."""

    model_name = "activity"

    def __call__(self, _: object) -> Activity:
        turns = (
            Turn(speaker="first", start=0.0, end=0.5),
            Turn(speaker="second", start=0.3, end=0.6),
            Turn(speaker="first", start=0.7, end=1.0),
        )
        return Activity(segments=turns, duration=2.0, model="activity")


@pytest.fixture
def heard(visit: Visit, settings: Settings) -> Iterator[Visit]:  # noqa: F811
    """A visitor before the turns of two voices."""
    service = Service(settings, load=lambda *_: TwoVoices())
    with running(settings, service) as visit.home:
        visit.page.goto(visit.home)
        for name in ("Speech", "Who speaks when"):
            visit.page.get_by_role("tab", name=name, exact=True).click()
        visit.wait_for("speaker_activity")
        yield visit
        visit.page.goto("about:blank")


def test_turns_are_told_and_gone_through_by_keys(heard: Visit) -> None:
    page = heard.page
    line = page.locator(".turns-line")
    assert line.inner_text() == say("speaker_activity.hint")
    blocks = page.locator(".turns-block")
    expect(blocks).to_have_count(4)  # and where both speak
    expect(page.locator(".turns-block[tabindex='0']")).to_have_count(1)
    blocks.nth(1).hover()
    assert line.inner_text().startswith("First voice: 0.70 to 1.00 s")
    page.locator(".turns-block[tabindex='0']").focus()
    told = [line.inner_text()]
    for key in ("ArrowRight", "ArrowRight", "End", "Home", "ArrowDown"):
        page.keyboard.press(key)
        told.append(line.inner_text())
    assert [re.split(" to|: ", each)[:2] for each in told] == [
        ["First voice", "0.00"],
        ["Second voice", "0.30"],
        ["Both at once", "0.30"],
        ["First voice", "0.70"],
        ["First voice", "0.00"],
        ["Second voice", "0.30"],
    ]
    assert heard.complaints == []


def test_a_turn_is_played_alone(heard: Visit) -> None:
    page = heard.page
    sound = page.locator(".turns-sound")
    page.locator(".turns-block").nth(1).click()
    page.wait_for_function("document.querySelector('.turns-sound').currentTime >= 1")
    page.wait_for_function("document.querySelector('.turns-sound').paused")
    assert sound.evaluate("sound => sound.currentTime") < 1.5  # of 2 seconds or more
    expect(page.locator(".turns-head:visible")).to_have_count(3)
    assert heard.complaints == []
