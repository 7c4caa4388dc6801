"""The Models tab in a browser: cards, a hub model from look to answer, a download that is stopped, a closed host."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.e2e.conftest import Visit
from tests.hub import LocalHub, running_hub
from tests.lab import running
from ui.fetching import Cancelled, Downloads
from ui.service import Service
from ui.settings import Settings
from ui.words import say

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ID = "someone/tiny"


class SlowHub:
    """Stands in for the download alone: half a megabyte at once, then nothing until it is told to go on."""

    def __init__(self) -> None:
        self.is_stuck = True
        self.was_cancelled = threading.Event()

    def __call__(self, _hub_id: str, _revision: str | None, came: Callable[[int], None]) -> None:
        try:
            came(500_000)
            while self.is_stuck:
                threading.Event().wait(0.05)
                came(0)
        except Cancelled:
            self.was_cancelled.set()
            raise


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, checkpoints: dict[str, Path]) -> Iterator[LocalHub]:
    """Serves a sentiment classifier as `someone/tiny`."""
    with running_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
        hub.folders[ID] = tmp_path / "tiny"
        shutil.copytree(checkpoints["classify_text"], tmp_path / "tiny")
        yield hub


@pytest.fixture
def visiting(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Opens the Models tab of an app of its own."""
    closing: list[Any] = []

    def visit(settings: Settings, **options: Any) -> Visit:
        app = running(settings, Service(settings, **options))
        address = app.__enter__()
        context = browser.new_context(viewport={"width": 1280, "height": 860})
        context.set_default_timeout(60_000)
        closing.extend((context.close, lambda: app.__exit__(None, None, None)))
        visit = Visit(context.new_page(), address)
        visit.page.goto(address)
        visit.page.get_by_role("tab", name="Models", exact=True).click()
        visit.page.locator("#models-list button").first.wait_for()
        return visit

    yield visit
    for close in closing:
        close()


def look(visit: Visit, hub_id: str) -> None:
    page = visit.page
    page.locator("#models-id").locator("textarea, input").first.fill(hub_id)
    page.locator("#models-look-hub").click()
    page.locator("#models-result .model-card").wait_for()


def test_choosing_a_model_by_keys_shows_its_card(visiting: Callable[..., Visit], settings: Settings) -> None:
    visit = visiting(settings)
    row = visit.page.locator("#models-list button[data-model=sst2]")
    row.focus()
    row.press("Enter")
    visit.page.locator("#models-card h3", has_text="sst2").wait_for()
    card = visit.page.locator("#models-card").inner_text()
    assert "Random weights" in card
    assert "Apache-2.0" in card
    assert "Text › Classify" in card
    assert visit.page.locator("#models-list button[aria-current]").all_inner_texts()[0].startswith("sst2")
    assert visit.complaints == []
    assert visit.other_hosts == []


@pytest.mark.usefixtures("hub")
def test_a_hub_model_goes_from_a_look_to_an_answer_and_out_of_memory(
    visiting: Callable[..., Visit], settings: Settings
) -> None:
    visit = visiting(settings)
    page = visit.page
    assert page.locator("#models-load").is_disabled()
    look(visit, ID)
    page.locator("#models-load").click()
    page.locator("#models-result .notice.loaded").wait_for()
    assert ID in page.locator("#models-memory table").inner_text()
    assert "in memory" in page.locator(f"#models-list button[data-model='{ID}']").inner_text()
    for name in ("Text", "Classify"):
        page.get_by_role("tab", name=name, exact=True).click()
    visit.wait_for("classify_text")
    page.locator("#classify_text-model input").click()
    page.get_by_role("option", name=say("panel.model_added", name=ID)).click()
    visit.run("classify_text")
    page.locator("#classify_text-result .made-by", has_text=ID).wait_for()
    page.get_by_role("tab", name="Models", exact=True).click()
    page.locator("#models-memory tbody tr").nth(1).wait_for()  # with the model that answered the example
    page.locator("#models-loaded input").click()
    page.get_by_role("option", name=ID, exact=True).click()
    page.locator("#models-unload").click()
    page.locator("#models-memory table", has_not_text=ID).wait_for()
    assert visit.complaints == []


@pytest.mark.usefixtures("hub")
def test_a_download_that_is_stopped_ends_and_can_be_begun_again(
    visiting: Callable[..., Visit], settings: Settings
) -> None:
    slow = SlowHub()
    visit = visiting(settings, downloads=Downloads(slow))
    page = visit.page
    look(visit, ID)
    page.locator("#models-load").click()
    bar = page.locator("#models-result [role=progressbar]")
    bar.wait_for()
    assert page.locator("#models-load").is_disabled()
    page.locator("#models-stop").click()
    page.locator("#models-result", has_text=say("models.stopped")).wait_for()
    assert slow.was_cancelled.wait(30)
    slow.is_stuck = False
    page.locator("#models-load:enabled").click()
    page.locator("#models-result .notice.loaded").wait_for()
    assert visit.complaints == []


@pytest.mark.usefixtures("hub")
def test_who_closes_the_page_while_a_model_is_downloaded_leaves_nothing_running(
    visiting: Callable[..., Visit], settings: Settings
) -> None:
    slow = SlowHub()
    visit = visiting(settings, downloads=Downloads(slow))
    look(visit, ID)
    visit.page.locator("#models-load").click()
    visit.page.locator("#models-result [role=progressbar]").wait_for()
    visit.page.close()
    assert slow.was_cancelled.wait(60)


def test_a_public_host_says_that_visitors_bring_nothing(visiting: Callable[..., Visit], bundled_folder: Path) -> None:
    environment = {"DATA2VEC_PUBLIC": "1", "DATA2VEC_BUNDLED_FOLDER": str(bundled_folder), "DATA2VEC_THREADS": "1"}
    visit = visiting(Settings.from_environment(environment))
    assert say("models.closed") in visit.page.locator("#models-closed").inner_text()
    for field in ("#models-id", "#models-path", "#models-load", "#models-unload"):
        assert visit.page.locator(field).count() == 0
    assert visit.complaints == []
