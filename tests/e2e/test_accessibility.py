"""Nobody is shut out: what axe-core finds, the keyboard, large text, little motion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.conftest import Visit
from tests.e2e.walk import drawn, places, settle

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
"""Tags of the rules that count, whatever the impact of a finding."""


@dataclass(frozen=True)
class Fault:
    """Something that Gradio 6.31 does and that cannot be mended from outside."""

    rule: str
    """Of axe-core."""
    selector: str
    """What the elements match that it is about; never one within HTML of our own."""
    reason: str


FAULTS: tuple[Fault, ...] = (
    Fault("listitem", ".api-docs li.snippet", "the languages in which calls are shown are items of no list"),
    Fault("button-name", ".api-docs .copy-button, .banner-wrap button", "to copy a call, to close: pictures, no names"),
    Fault("nested-interactive", ".icon-button:has(input[type=file])", "the input of files lies in a button"),
)
"""All of them are in Gradio's own elements. One that is not found any more has to go."""


@dataclass(frozen=True)
class Finding:
    """One element that breaks a rule."""

    place: str
    rule: str
    impact: str
    target: str
    html: str
    fault: Fault | None
    """The known fault that it is an instance of."""

    def __str__(self) -> str:
        return f"{self.place}: {self.rule} ({self.impact}) {self.target} {self.html}"


_AUDIT = """
async ([rules, faults]) => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"], runOnly: rules });
  return violations.flatMap(({ id, impact, nodes }) => nodes.map((node) => {
    const element = document.querySelector(node.target[0]);
    const fault = element.closest(".html-container") ? -1
      : faults.findIndex(([rule, selector]) => rule === id && element.matches(selector));
    return { rule: id, impact, target: node.target.join(" "), html: node.html.slice(0, 200), fault };
  }));
}
"""


def audit(page: Page, place: str) -> list[Finding]:
    """What axe-core finds on the page as it is now."""
    if not page.evaluate("window.axe !== undefined"):
        page.evaluate(AXE)
    known = [[fault.rule, fault.selector] for fault in FAULTS]
    findings: list[dict[str, Any]] = page.evaluate(_AUDIT, [RULES, known])
    return [
        Finding(**{**finding, "place": place, "fault": FAULTS[finding["fault"]] if finding["fault"] >= 0 else None})
        for finding in findings
    ]


def opened(browser: Browser, home: str, path: str = "/", **options: Any) -> Page:
    """The page, when it has come to rest."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options})
    context.set_default_timeout(60_000)
    page = Visit(context.new_page(), home).page
    page.goto(home + path)
    page.get_by_role("tablist").first.wait_for()
    settle(page)
    return page


def places_and_states(page: Page) -> Iterator[str]:
    """Every place; then those in which an input is empty, an error is shown, a list or a panel of Gradio's is open."""
    yield from places(page)
    page.get_by_role("tab", name="Vision", exact=True).click()
    page.get_by_role("tab", name="Classify picture", exact=True).click()
    page.locator("#classify_image-image").get_by_label("Remove Image").click()
    settle(page)
    yield "picture, empty"
    page.locator("#classify_image-run").click()
    page.locator("#classify_image-result .failed").wait_for()
    settle(page)
    yield "picture, refused"
    page.get_by_role("tab", name="Speech", exact=True).click()
    page.get_by_role("tab", name="Classify sound", exact=True).click()
    page.locator("#classify_audio-audio").get_by_label("Clear").click()
    settle(page)
    yield "sound, empty"
    page.locator("#classify_audio-audio").get_by_label("Record audio").click()
    settle(page)
    yield "sound, about to be recorded"
    page.locator("#classify_audio-model input").click()
    page.locator("[role=listbox]").first.wait_for()
    settle(page)
    yield "models, open"
    page.keyboard.press("Escape")
    page.locator("footer .show-api").click()
    page.locator(".api-docs").wait_for()
    settle(page)
    yield "endpoints"


VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "english": ("/", {}),
    "chinese": ("/zh-CN", {}),
    "dark": ("/", {"color_scheme": "dark"}),
}


@pytest.fixture(scope="module")
def findings(browser: Browser, address: str) -> Callable[[str], list[Finding]]:
    """Of a variant; looked for once."""
    found: dict[str, list[Finding]] = {}

    def of(variant: str) -> list[Finding]:
        if variant not in found:
            path, options = VARIANTS[variant]
            page = opened(browser, address, path, **options)
            walk = places_and_states if variant == "english" else places
            found[variant] = [finding for place in walk(page) for finding in audit(page, place)]
            page.context.close()
        return found[variant]

    return of


@pytest.mark.parametrize("variant", VARIANTS)
def test_axe_finds_nothing_but_faults_of_gradio(variant: str, findings: Callable[[str], list[Finding]]) -> None:
    unknown = {replace(finding, place=""): finding for finding in findings(variant) if finding.fault is None}
    assert not unknown, "\n".join(map(str, unknown.values()))


def test_every_known_fault_is_still_there(findings: Callable[[str], list[Finding]]) -> None:
    assert {finding.fault for finding in findings("english")} - {None} == set(FAULTS)


_WATCH = """
() => {
  window.reached = new Map();
  document.addEventListener("focusin", ({ target }) => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(target);
    const isSeen = (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none";
    window.reached.set(target, isSeen);
  });
}
"""
_MISSED = """
(id) => {
  const controls = "a[href], button, input, select, textarea, summary, audio[controls], [tabindex='0']";
  const isOffered = (element) =>
    element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && !element.disabled
    && !(element.tabIndex < 0) && !(element.type === "radio" && !element.checked);
  const place = document.getElementById(id);
  const offered = [...place.querySelectorAll(controls)].filter(isOffered);
  return {
    offered: offered.length,
    missed: offered.filter((each) => !window.reached.has(each)).map((each) => each.outerHTML.slice(0, 200)),
    unseen: offered.filter((each) => window.reached.get(each) === false).map((each) => each.outerHTML.slice(0, 200)),
  };
}
"""


def test_the_tab_key_reaches_and_shows_every_control(browser: Browser, address: str) -> None:
    page = opened(browser, address)
    page.evaluate(_WATCH)
    for place in places(page):
        page.evaluate("document.activeElement.blur(); window.reached.clear()")
        page.locator("h1").first.click()  # the keyboard goes on from there
        for _ in range(200):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.closest('footer') !== null"):
                break
        else:
            pytest.fail(f"{place}: the keyboard never comes to the end")
        shown = page.locator("[role=tabpanel]:visible").last.get_attribute("id")
        report = page.evaluate(_MISSED, shown)
        assert report["offered"] > 0, place
        assert (place, report["missed"], report["unseen"]) == (place, [], [])
    page.context.close()


def focused(page: Page) -> str:
    """What the focused element says, or is called."""
    name: str = page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText")
    return name


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"the keyboard does not come to {selector}")


def test_a_panel_is_found_and_run_by_keyboard(browser: Browser, address: str) -> None:
    page = opened(browser, address)
    page.locator("h1").first.click()
    tab_to(page, "[role=tab]")
    first = focused(page)
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")  # round to the first again
    assert focused(page) == first
    while focused(page) != "Text":
        page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", name="Text", exact=True).get_attribute("aria-selected") == "false"
    page.keyboard.press("Enter")
    page.locator("#classify_text-result .made-by").wait_for()
    tab_to(page, "[data-tab-id=classify_text]")
    page.keyboard.press("ArrowRight")
    assert focused(page) == "Tag"
    page.keyboard.press("ArrowLeft")
    tab_to(page, "#classify_text-text textarea")
    page.keyboard.press("Control+a")
    page.keyboard.type("   ")
    tab_to(page, "#classify_text-run")
    page.keyboard.press("Enter")
    page.locator("#classify_text-result .failed[role=alert]").wait_for()
    settle(page)
    page.locator("h1").first.click()
    tab_to(page, "#classify_text-examples button")
    page.keyboard.press("Space")
    page.locator("#classify_text-result .headline").wait_for()
    headline = page.locator("#classify_text-result .headline").inner_text()
    page.locator(".unseen[role=status]", has_text=headline).wait_for(state="attached")  # is read out
    page.context.close()


def test_a_file_is_chosen_by_keyboard(browser: Browser, address: str, files: Callable[[str], str]) -> None:
    page = opened(browser, address)
    page.get_by_role("tab", name="Vision", exact=True).click()
    page.locator("#classify_image-result .made-by").wait_for()
    group = page.get_by_role("group", name="Picture", exact=True).first
    group.get_by_label("Remove Image").press("Enter")
    upload = group.locator("button", has=page.locator("input[type=file]"))
    upload.wait_for()
    with page.expect_file_chooser() as chosen:
        upload.press("Enter")
    chosen.value.set_files(files("picture.png"))
    group.get_by_label("Remove Image").wait_for()
    page.locator("#classify_image-run").press("Enter")
    page.locator("#classify_image-result .made-by").wait_for()
    page.context.close()


_SPACED = """
* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; }
p { margin-bottom: 2em !important; }
"""
"""What readers may set (WCAG 1.4.12)."""
_CUT_OFF = """
() => [...document.querySelectorAll("p, li, h1, h2, h3, th, td, label, button, summary, span, figcaption")]
  .filter((each) => each.checkVisibility()
    && !each.closest(".unseen, .sr-only, .visually-hidden, footer, [aria-hidden=true]")
    && [...each.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim()))
  .filter((each) => {
    const { overflowX, textOverflow, display } = getComputedStyle(each);
    return display !== "inline" && overflowX !== "visible" && textOverflow !== "ellipsis"
      && (each.scrollWidth > each.clientWidth + 1 || each.scrollHeight > each.clientHeight + 1);
  })
  .map((each) => each.outerHTML.slice(0, 200))
"""


@pytest.mark.parametrize("spacing", ["", _SPACED], ids=["as-set", "spaced"])
def test_nothing_is_lost_at_twice_the_size(spacing: str, browser: Browser, address: str) -> None:
    page = opened(browser, address, viewport={"width": 640, "height": 430}, device_scale_factor=2)
    if spacing:
        page.add_style_tag(content=spacing)
    for place in places(page):
        assert (place, page.evaluate("document.documentElement.scrollWidth")) == (place, 640)
        assert (place, page.evaluate(_CUT_OFF)) == (place, [])
    page.context.close()


def test_nothing_moves_for_whoever_wants_little_motion(browser: Browser, address: str) -> None:
    page = opened(browser, address, reduced_motion="reduce")
    for place in places(page):
        assert (place, page.evaluate("document.getAnimations().map(each => each.animationName)")) == (place, [])
    page.context.close()


_UNDESCRIBED = """
(id) => {
  const place = document.getElementById(id);
  const isShown = (element) => element.checkVisibility();
  const undescribed = "img:not([alt]), canvas:not([aria-label], [aria-hidden]), "
    + "svg[role=img]:not([aria-label], [aria-hidden=true], :has(title))";
  return {
    headings: [...document.querySelectorAll("h1")].filter(isShown).length,
    pictures: [...place.querySelectorAll(undescribed)]
      .filter((each) => isShown(each) && !each.closest("[role][aria-label]"))
      .map((each) => each.outerHTML.slice(0, 200)),
    tables: [...place.querySelectorAll(".html-container table")]
      .filter((each) => !(each.caption || each.ariaLabel) || !each.querySelector("thead th[scope=col]"))
      .map((each) => each.outerHTML.slice(0, 200)),
    figures: [...place.querySelectorAll(".result")].filter((each) => isShown(each)
      && each.querySelector("figure, canvas, svg") && !each.querySelector("table")).map((each) => each.id),
  };
}
"""


_OPEN_ALL = """
(id) => {
  for (const each of document.querySelectorAll(`#${id} details`)) if (each.checkVisibility()) each.open = true;
}
"""
"""Some make their table only then."""


def test_every_figure_has_words_and_a_table(browser: Browser, address: str) -> None:
    page = opened(browser, address)
    for place in places(page):
        shown = page.locator("[role=tabpanel]:visible").last.get_attribute("id")
        page.evaluate(_OPEN_ALL, shown)
        drawn(page)
        report = page.evaluate(_UNDESCRIBED, shown)
        assert (place, report) == (place, {"headings": 1, "pictures": [], "tables": [], "figures": []})
    page.context.close()
