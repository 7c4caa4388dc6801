"""Every place of the page, found from the page itself, so that a new tab is walked through as well."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from playwright.sync_api import Locator, Page

_Seen = TypeVar("_Seen")

PATIENCE_SECONDS: Final = 60.0

_TABS = "[role=tab][data-tab-id]"
"""Gradio's own; a widget may have others."""

_IS_SETTLED = """
() => {
  const isShown = (element) => element.getClientRects().length > 0;
  const busy = [...document.querySelectorAll("[data-testid=status-tracker]:not(.hide), .pending")].some(isShown);
  const now = performance.now();
  if (busy) window.lastBusy = now;
  return now - (window.lastBusy ?? 0) > 1000;
}
"""
"""Whether nothing has been under way for a while."""

_FRAMES = """
const frames = () => Promise.race([
  new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)))),
  new Promise((done) => setTimeout(done, 2000)),
]);
"""
"""Two frames, or a moment: a browser without a screen may stop drawing until something is asked of it."""
_DRAWN = f"async () => {{ {_FRAMES} await frames(); }}"
_SEE_ALL = f"""
async () => {{
  {_FRAMES}
  const start = scrollY, end = document.documentElement.scrollHeight;
  for (let top = 0; top < end; top += innerHeight / 2) {{
    scrollTo(0, top);
    await frames();
  }}
  scrollTo(0, start);
  return document.documentElement.scrollHeight;
}}
"""
"""Go down the page and back: some parts are made when somebody comes to see them."""


def places(page: Page) -> Iterator[str]:
    """Open every tab, every tab within one, and every state of a switch of modes in there, one after the other.

    Yields:
        the name of the place that is open now, such as `speech-transcribe`.
    """
    yield from _within(page, page.locator("body"), ())


def drawn(page: Page) -> None:
    """Wait until the page has drawn what was done to it: views draw once a frame, and fill opened tables after that."""
    page.evaluate(_DRAWN)


def painted(canvas: Locator) -> str:
    """A canvas as it is, as the address of a PNG."""
    drawn(canvas.page)
    return str(canvas.first.evaluate("(canvas) => canvas.toDataURL()"))


def until(page: Page, look: Callable[[], _Seen], is_so: Callable[[_Seen], bool]) -> _Seen:
    """What `look` sees once it is so: on a busy machine nobody knows how long that takes.

    Raises:
        AssertionError: it never is.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_so(seen := look()):
        if time.monotonic() > end:
            raise AssertionError(f"after {PATIENCE_SECONDS:g} s it still is {str(seen)[:200]}")
        page.wait_for_timeout(50)
    return seen


def settle(page: Page) -> None:
    """Wait until the page has answered whatever was asked."""
    page.evaluate("window.lastBusy = performance.now()")
    page.wait_for_function(_IS_SETTLED, polling=100)


def _see_all(page: Page) -> None:
    """Until nothing more comes: a part that is made pushes the next ones down."""
    heights = [0]
    for _ in range(8):
        heights.append(int(page.evaluate(_SEE_ALL)))
        if heights[-1] == heights[-2]:
            return
        settle(page)
    raise AssertionError(f"the page does not come to rest: its heights were {heights[1:]}")


def _within(page: Page, place: Locator, path: tuple[str, ...]) -> Iterator[str]:
    tabs = place.get_by_role("tablist").filter(has=page.locator(_TABS), visible=True).first
    if tabs.count():
        for name in tabs.locator(_TABS).evaluate_all("tabs => tabs.map(tab => tab.dataset.tabId)"):
            tab = tabs.locator(f"[data-tab-id={name}]")
            tab.click()
            panel = page.locator(f"#{tab.get_attribute('aria-controls')}")
            panel.wait_for()
            settle(page)
            _see_all(page)
            yield from _within(page, panel, (*path, name))
        return
    yield "-".join(path)
    modes = place.locator("[id$=-mode] input[type=radio]:visible")
    for i in range(1, modes.count()):
        modes.nth(i).check()
        settle(page)
        yield "-".join((*path, modes.nth(i).get_attribute("value") or str(i)))
    if modes.count() > 1:
        modes.first.check()
