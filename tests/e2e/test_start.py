"""The first page, links to places of the page, the tour, and what stands under results, in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Visit
from tests.e2e.walk import settle
from ui.tour import STEPS
from ui.words import load_words, say

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
CLIPBOARD = {"permissions": ["clipboard-read", "clipboard-write"]}
HOSTILE = '<img src=x onerror=alert(1)> ${alert(1)} & it\'s "so" #1 温暖'


def arrive(visit: Visit, link: str, tool: str) -> None:
    """Open a link as a new page, and wait for the answer it leads to."""
    visit.page.goto(f"{visit.home}/{link}")
    visit.wait_for(tool)


def asked(visit: Visit, **expected: str) -> dict[str, str]:
    """The query of the address, once it says this."""
    visit.page.wait_for_function(
        "expected => Object.entries(expected).every(([key, value]) => "
        "new URLSearchParams(location.search).get(key) === value)",
        arg=expected,
    )
    query = parse_qs(urlsplit(visit.page.url).query, keep_blank_values=True)
    return {key: value for key, [value] in query.items()}


def test_each_thing_to_try_is_one_click_away(visit: Visit) -> None:
    for number, tool in enumerate(("transcribe", "classify_text", "segment_image")):
        visit.page.goto(visit.home)
        visit.page.locator(".try a").nth(number).click()
        visit.wait_for(tool)
        assert asked(visit, tool=tool)["example"] == "0"
        settle(visit.page)  # or the next visit would break off what this one still loads
    assert visit.complaints == []
    assert visit.other_hosts == []


def test_a_link_brings_back_what_was_typed_and_set(visit: Visit) -> None:
    page = visit.page
    visit.open("Text > Fill the mask", "fill_mask")
    text = f"{HOSTILE} <mask>"
    visit.fill("fill_mask", text=text, top_k="7")
    link = asked(visit, tool="fill_mask", text=text, top_k="7")
    assert link == {"tab": "text", "tool": "fill_mask", "model": "mlm", "text": text, "top_k": "7"}
    arrive(visit, f"?{urlsplit(page.url).query}", "fill_mask")
    assert page.locator("#fill_mask-text textarea").input_value() == text
    expect(page.locator("#fill_mask-result .bars li")).to_have_count(7)
    visit.fill("fill_mask", text="x" * 301)
    page.wait_for_function("!new URLSearchParams(location.search).has('text')")  # too long for an address
    page.locator("#fill_mask-examples button").nth(1).click()
    assert asked(visit, example="1", tool="fill_mask").keys() == {"tab", "tool", "model", "example"}
    assert visit.complaints == []


def test_the_address_follows_from_tab_to_tab_and_back(visit: Visit) -> None:
    visit.open("Text > Continue", "continue_text")
    visit.fill("continue_text", temperature="1.2")
    assert asked(visit, tool="continue_text", temperature="1.2")["example"] == "0"
    visit.open("Vision", "classify_image")
    assert asked(visit, tool="classify_image") == {"tab": "vision", "tool": "classify_image"}
    visit.page.get_by_role("tab", name="Text", exact=True).click()
    assert asked(visit, tool="continue_text")["temperature"] == "1.2"


def test_a_model_that_is_not_of_the_list_stays_out_of_the_address(visit: Visit) -> None:
    visit.open("Text", "classify_text")
    model = visit.page.locator("#classify_text-model input")
    model.fill("~/model")
    model.press("Enter")
    visit.fill("classify_text", text="a film")
    assert asked(visit, text="a film") == {"tab": "text", "tool": "classify_text", "text": "a film"}


def test_a_link_to_many_lines_and_a_hostile_one(visit: Visit) -> None:
    arrive(visit, "?tool=classify_lines", "classify_lines")
    assert visit.page.get_by_label(say("classify_text.many")).is_checked()
    assert visit.complaints == []
    visit.page.goto("about:blank")
    visit.complaints.clear()  # what was under way is broken off, which the browser reports
    arrive(visit, "?tool=fill_mask&top_k=999&model=/etc&audio=/etc/passwd&example=77&nothing=1", "fill_mask")
    assert asked(visit, tool="fill_mask") == {"tab": "text", "tool": "fill_mask", "top_k": "20", "nothing": "1"}
    assert visit.complaints == []


def test_the_other_language_opens_at_the_same_place(visit: Visit) -> None:
    arrive(visit, "?tool=choose&prompt=a+film&choices=warm&choices=dull&choices=wise&tour=2", "choose")
    visit.page.get_by_role("link", name="中文").click()
    visit.page.wait_for_url("**/zh-CN?**")
    visit.wait_for("choose")
    assert visit.page.locator("#choose-choices-3 textarea").input_value() == "wise"
    assert visit.page.locator("[data-stop='2']").is_visible()
    visit.page.get_by_role("link", name="English").click()
    visit.page.wait_for_url(re.compile(r"/\?(?!.*zh-CN)"))
    visit.wait_for("choose")
    assert visit.page.locator("#choose-choices-3 textarea").input_value() == "wise"


@pytest.mark.parametrize("visit", [CLIPBOARD], indirect=True)
def test_links_and_lines_are_copied_and_results_are_kept(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    arrive(visit, "?tool=classify_text&text=a+warm+film", "classify_text")
    page.locator(".copy-link", has_text=say("app.copy_link")).click()
    page.locator(".copy-link", has_text=say("repeat.copied")).wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    result = page.locator("#classify_text-result")
    result.locator(".repeat summary").click()
    for number, start in enumerate(("from data2vec_core.tasks", "from gradio_client", f"URL={visit.home}/gradio_api")):
        result.locator("[data-copy]").nth(number).click()
        result.locator("[data-copy]", has_text=say("repeat.copied")).nth(number).wait_for()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith(start)
        assert "a warm film" in copied
    assert f'Client("{visit.home}")' in result.locator("code").nth(1).inner_text()
    with page.expect_download() as started:
        result.get_by_role("link", name=say("repeat.json")).click()
    started.value.save_as(tmp_path / "result.json")
    assert started.value.suggested_filename == "classify_text.json"
    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["model"] == "sst2"
    assert visit.complaints == []


def test_the_tour_is_walked_by_keyboard(visit: Visit) -> None:
    page = visit.page
    words = load_words("en")
    page.goto(visit.home)
    page.get_by_role("link", name=say("start.learn")).press("Enter")
    for number, step in enumerate(STEPS, 1):
        stop = page.locator(f"[data-stop='{number}']")
        stop.get_by_text(words[step.question]).wait_for()
        assert asked(visit, tour=str(number))
        expect(page.locator("[data-stop]:visible")).to_have_count(1)
        assert not stop.get_by_text(words[step.answer]).is_visible()
        stop.locator("summary").press("Enter")
        stop.get_by_text(words[step.answer]).wait_for()
        if number < len(STEPS):
            stop.get_by_role("button", name=say("tour.next")).press("Enter")
    page.reload()
    page.locator(f"[data-stop='{len(STEPS)}']").wait_for()
    page.locator("[data-stop]:visible").get_by_role("button", name=say("tour.end")).press("Enter")
    page.locator(".tour").wait_for(state="hidden")
    assert "tour" not in page.url
    assert visit.complaints == []


def test_the_tour_leads_to_its_places(visit: Visit) -> None:
    page = visit.page
    page.goto(f"{visit.home}/?tour=5")
    page.locator("[data-stop='5'] .there").click()
    visit.wait_for("classify_text")
    assert page.locator("#classify_text-text textarea").input_value() == "Who wrote Hamlet?"
    assert asked(visit, tool="classify_text", tour="5")["text"] == "Who wrote Hamlet?"
    page.locator(".tour .stops button").nth(3).click()
    page.locator("[data-stop='4'] .there").click()
    visit.wait_for("fill_mask")
    assert asked(visit, tool="fill_mask", tour="4")["example"] == "1"
    assert visit.complaints == []


@pytest.mark.parametrize("visit", [PHONE, PHONE | {"color_scheme": "dark"}], indirect=True, ids=["light", "dark"])
def test_a_phone_shows_the_first_page_and_the_tour_without_sideways_scroll(visit: Visit) -> None:
    for address in ("", "zh-CN", "?tour=1"):
        visit.page.goto(f"{visit.home}/{address}")
        visit.page.locator(".start .try").wait_for()
        assert visit.page.evaluate("document.documentElement.scrollWidth") == 390, address
    arrive(visit, "?tool=transcribe&tour=10", "transcribe")
    visit.page.locator("#transcribe-result .repeat summary").click()
    assert visit.page.evaluate("document.documentElement.scrollWidth") == 390
