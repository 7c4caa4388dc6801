"""English and Chinese: which one a visitor is met with, and that nothing of the other remains."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Visit
from tests.e2e.walk import places, settle
from ui.examples import EXAMPLES_FOLDER, INPUTS_FILE
from ui.words import say, speaking

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CHINESE = {"locale": "zh-CN"}
TEXTS = """
() => {
  const isSeen = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const texts = new Set();
  const nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (nodes.nextNode()) {
    const parent = nodes.currentNode.parentElement;
    if (["SCRIPT", "STYLE"].includes(parent.tagName) || parent.closest("body [lang=en]")) continue;
    if (isSeen(parent)) texts.add(nodes.currentNode.data.trim());
  }
  for (const name of ["aria-label", "title", "placeholder", "alt"]) {
    for (const element of document.querySelectorAll(`[${name}]`)) {
      if (isSeen(element)) texts.add(element.getAttribute(name).trim());
    }
  }
  return [...texts].filter((text) => /[A-Za-z]{2}/.test(text) && !/[\\u4e00-\\u9fff]/.test(text));
}
"""
"""Texts and names in Latin letters only, but for those that are said to be English."""
NAMES = {"English", "Random weights", "nothing at all", "Okabe-Ito", "Petroff", "main", "owner/name", "IoU"}
"""What is called so in every language, and the words on the cards of the tests' models."""
QUANTITY = re.compile(r"[\d.]+ MB")
WRITTEN_BY_MODELS = {"text-continue_text", "text-fill_mask"}
"""Places whose answers are text, which a tiny model makes up."""


def strings_in(value: object) -> Iterator[str]:
    """All strings in JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from strings_in(each)


def opens(visit: Visit, path: str = "/") -> str:
    """Go to an address; the text of the tabs there."""
    visit.page.goto(visit.home + path)
    visit.page.get_by_role("tab").first.wait_for()
    settle(visit.page)
    return visit.page.get_by_role("tablist").first.inner_text()


def language(visit: Visit) -> str:
    """Of the page, as a screen reader is told."""
    return str(visit.page.evaluate("document.documentElement.lang"))


def in_chinese(key: str, **values: object) -> str:
    with speaking("zh-CN"):
        return say(key, **values)


@pytest.mark.parametrize(
    ("visit", "path", "spoken"),
    [
        ({"locale": "en-GB"}, "/", "en"),
        ({"locale": "de-DE"}, "/", "en"),
        (CHINESE, "/", "zh-CN"),
        ({"locale": "zh-TW"}, "/", "zh-CN"),
        (CHINESE, "/?lang=en", "en"),
        ({"locale": "en-GB"}, "/?lang=zh-CN", "zh-CN"),
        ({"locale": "en-GB"}, "/zh-CN", "zh-CN"),
    ],
    indirect=["visit"],
)
def test_the_browser_or_the_address_says_which_language(visit: Visit, path: str, spoken: str) -> None:
    tabs = opens(visit, path)
    assert language(visit) == spoken
    with speaking(spoken):
        assert say("tab.vision") in tabs
    assert visit.complaints == []
    assert visit.other_hosts == []


@pytest.mark.parametrize("visit", [CHINESE], indirect=True)
def test_a_visitor_can_switch_and_come_back(visit: Visit) -> None:
    opens(visit)
    visit.page.get_by_role("link", name="English").click()
    visit.page.get_by_role("tab", name=say("tab.vision"), exact=True).wait_for()
    assert language(visit) == "en"
    visit.page.reload()
    visit.page.get_by_role("tab", name=say("tab.vision"), exact=True).wait_for()
    visit.page.get_by_role("link", name="中文").click()
    visit.page.get_by_role("tab", name=in_chinese("tab.vision"), exact=True).wait_for()
    assert language(visit) == "zh-CN"


@pytest.mark.parametrize("visit", [CHINESE], indirect=True)
def test_an_error_is_told_in_chinese_and_so_are_gradios_own_texts(visit: Visit) -> None:
    opens(visit)
    visit.page.locator("#tab-speech-button").click()
    visit.wait_for("transcribe")
    source = visit.page.locator("#transcribe-audio")
    source.get_by_label("清除").or_(source.get_by_label("清空")).first.click()
    source.get_by_text("点击上传").wait_for()
    visit.run("transcribe")
    answer = visit.wait_for("transcribe", ".failed")
    assert in_chinese("sound.missing") in answer
    assert in_chinese("error.title") in answer
    assert visit.complaints == []


@pytest.mark.parametrize("visit", [CHINESE], indirect=True)
def test_no_english_remains_anywhere(visit: Visit) -> None:
    given = set(strings_in(json.loads((EXAMPLES_FOLDER / INPUTS_FILE).read_text(encoding="utf-8"))))
    opens(visit)
    left: dict[str, list[str]] = {}
    for place in places(visit.page):
        for details in visit.page.locator("details:visible").all():
            details.evaluate("details => { if (!details.querySelector('pre, code')) details.open = true; }")
        if place in WRITTEN_BY_MODELS:
            stop = place.rpartition("-")[2] + "-stop"  # a text that still grows would come back
            visit.page.wait_for_function("id => document.getElementById(id).disabled", arg=stop)
            written = visit.page.locator(".result .reading, .result table, [role=status]")
            written.evaluate_all("parts => parts.forEach((part) => part.remove())")
        texts = {text for text in visit.page.evaluate(TEXTS) if " " in text} - NAMES
        left[place] = [
            text
            for text in texts
            if not QUANTITY.fullmatch(text) and not any(text.rstrip(".…") in each for each in given)
        ]
    assert len(left) > 12
    assert {place: texts for place, texts in left.items() if texts} == {}
