"""A real browser at a running app with tiny models."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, sync_playwright

from tests.tasks.conftest import checkpoints  # noqa: F401 - a fixture
from tests.ui.conftest import address, bundled_folder, files, nothing_made_ready, settings  # noqa: F401 - fixtures
from ui.catalogue import TOOLS

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)
"""Options without which the browser asks other hosts, or the visitor, for things."""


@dataclass
class Visit:
    """A page, and what it complained about and asked for."""

    page: Page
    home: str
    complaints: list[str] = field(default_factory=list)
    other_hosts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._look)

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _look(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.netloc != urlsplit(self.home).netloc:
            self.other_hosts.append(request.url)

    def open(self, tab: str | None = None, tool: str = "transcribe", query: str = "") -> None:
        """Go to a panel and wait until it has answered its example."""
        if self.page.url == "about:blank":
            self.page.goto(f"{self.home}/{query}")
            self.page.locator("[role=tab][data-tab-id=speech]").click()  # in any language; the page opens with another
            self.wait_for("transcribe")
        for name in (tab or "").split(" > "):
            if name:
                self.page.get_by_role("tab", name=name, exact=True).click()
        self.wait_for(tool)

    def wait_for(self, tool: str, state: str = ".made-by") -> str:
        """The text of a panel's result, once it is there."""
        result = self.page.locator(f"#{tool}-result")
        result.locator(state).wait_for()
        return result.inner_text()

    def bring(self, tool: str, path: str) -> None:
        """Put a file into a panel of one file in place of what is there, and run it."""
        name = TOOLS[tool].inputs[0].name  # type: ignore[index]
        self.clear(f"#{tool}-{name}")
        self.upload(f"#{tool}-{name}", path)
        self.run(tool)

    def clear(self, place: str) -> None:
        """Take out the file that is there."""
        self._remove(place).click()

    def upload(self, place: str, path: str) -> None:
        """Put a file where there is none."""
        with self.page.expect_response(lambda response: "/upload" in response.url):
            self.page.locator(place).locator("input[type=file]").set_input_files(path)
        self._remove(place).wait_for()

    def _remove(self, place: str) -> Locator:
        source = self.page.locator(place)
        return source.get_by_label("Clear").or_(source.get_by_label("Remove Image")).first

    def fill(self, tool: str, **texts: str) -> None:
        """Type into fields, by name."""
        for name, text in texts.items():
            self.page.locator(f"#{tool}-{name}").locator("textarea, input").first.fill(text)

    def run(self, tool: str) -> None:
        """Press the panel's button."""
        self.page.locator(f"#{tool}-run").click()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Visit]:  # noqa: F811
    """A fresh visitor; `pytest.mark.parametrize("visit", [{...}], indirect=True)` gives options of the browser."""
    options = {"viewport": {"width": 1280, "height": 860}, **getattr(request, "param", {})}
    context = browser.new_context(**options)
    context.set_default_timeout(60_000)
    yield Visit(context.new_page(), address)
    context.close()
