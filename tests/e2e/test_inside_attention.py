"""The view of attention in a real browser: choosing, modes, the check, links, phones and keys."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Visit
from tests.e2e.walk import painted, settle, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

START = "?tab=inside&tool=attention"
PATIENCE = 60_000
"""Milliseconds: a model may have to be loaded first."""


def look(visit: Visit, query: str = "") -> Page:
    """Open the view and wait until it has drawn."""
    visit.page.goto(f"{visit.home}/{START}{query}")
    expect(visit.page.locator("#attention-pictures .told")).not_to_be_empty(timeout=PATIENCE)
    return visit.page


def told(page: Page) -> Any:
    return page.locator("#attention-pictures .told")


def selected(page: Page) -> dict[str, int]:
    found: dict[str, int] = page.evaluate("() => ({ ...lab.selected })")
    return found


def ink(page: Page, figure: str) -> int:
    """How many colours a picture has."""
    count: int = page.evaluate(
        """(name) => {
          const canvas = document.querySelector(`#attention-pictures figure.${name} canvas.base`);
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const seen = new Set();
          for (let k = 0; k < data.length; k += 4) seen.add((data[k] << 16) | (data[k + 1] << 8) | data[k + 2]);
          return seen.size;
        }""",
        figure,
    )
    return count


def test_a_head_and_a_place_are_chosen_by_pointing_and_by_keys(visit: Visit) -> None:
    page = look(visit)
    for figure in ("heads", "place", "matrix"):
        assert ink(page, figure) > 5
    heads = page.locator("figure.heads .plot")
    box = heads.bounding_box()
    assert box is not None
    heads.click(position={"x": box["width"] - 8, "y": box["height"] - 8})
    last = selected(page)
    assert last["layer"] > 1
    assert last["head"] > 1
    expect(told(page)).to_contain_text(f"Layer {last['layer']}, head {last['head']}")
    heads.press("ArrowUp")
    heads.press("ArrowLeft")
    assert selected(page) == {**last, "layer": last["layer"] - 1, "head": last["head"] - 1}
    place = page.locator("figure.place .plot")
    place.press("ArrowRight")
    assert selected(page)["position"] == 1
    expect(told(page)).to_contain_text("row 1, column 2")
    page.get_by_role("button", name="Look from the class token").click()
    assert selected(page)["position"] == -1
    expect(told(page)).to_contain_text("from the class token")
    expect(page).to_have_url(re.compile("position=-1"))
    assert visit.complaints == []
    assert visit.other_hosts == []


def test_choosing_redraws_without_the_server(visit: Visit) -> None:
    page = look(visit)
    settle(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    matrix = page.locator("figure.matrix canvas")
    before = painted(matrix)
    page.locator("figure.heads .plot").press("ArrowDown")
    expect(told(page)).to_contain_text("Layer 2")
    until(page, lambda: painted(matrix), lambda now: now != before)
    settle(page)
    assert asked == []


def test_a_link_brings_everything_back(visit: Visit) -> None:
    page = look(visit, "&layer=2&head=1&position=3&attention=rollout&colours=head&sinks=hidden")
    expect(told(page)).to_contain_text("Rollout up to layer 2", timeout=PATIENCE)
    expect(page.get_by_role("checkbox", name="Hide sinks")).to_be_checked()
    expect(page.get_by_role("radio", name="each head its own")).to_be_checked()
    page.get_by_role("radio", name="of one head").check()
    expect(told(page)).to_contain_text("Layer 2, head 1")
    expect(page.locator("#attention-pictures .sinks")).to_contain_text("Hidden: the class token")
    expect(page).to_have_url(re.compile("sinks=hidden"))
    expect(page).not_to_have_url(re.compile("attention=rollout"))
    assert visit.complaints == []


def test_a_class_can_be_traced_back_where_there_is_one(visit: Visit) -> None:
    page = look(visit, "&model=objects&attention=class")
    expect(told(page)).to_contain_text("What mattered for the class", timeout=PATIENCE)
    expect(page.locator("figure.matrix")).to_be_hidden()
    page = look(visit, "&attention=class")
    expect(told(page)).to_contain_text("does not classify", timeout=PATIENCE)


def test_the_check_and_the_measures(visit: Visit) -> None:
    page = look(visit, "&layer=2&head=1&position=3")
    page.get_by_role("button", name="Silence each place").click()
    expect(page.locator("#attention-pictures .found")).to_contain_text("rank correlation", timeout=PATIENCE)
    expect(page.locator("#attention-pictures .pair canvas")).to_have_count(2)
    page.locator("#attention-pictures .measures").scroll_into_view_if_needed()
    expect(page.locator("#attention-pictures .measures .what")).to_contain_text("examples", timeout=PATIENCE)
    page.get_by_text("Measures of every head as a table").click()
    expect(page.locator("#attention-pictures .measures tbody tr").nth(3)).to_be_attached()
    page.get_by_text("The shown row as a table").click()
    expect(page.locator("#attention-pictures .numbers-of tbody tr").nth(3)).to_be_attached()
    page.locator("figure.heads .plot").press("ArrowUp")  # of another head there is no check yet
    expect(page.locator("#attention-pictures .check .result")).to_be_hidden()
    assert visit.complaints == []


def test_a_difference_has_two_sides(visit: Visit) -> None:
    page = look(visit, "&role=difference")
    expect(told(page)).to_contain_text("The student looks more at", timeout=PATIENCE)
    expect(page.locator("#attention-pictures .key .low")).to_contain_text("teacher")
    page.goto(f"{visit.home}/{START}&role=difference&model=objects")
    expect(page.locator("#attention-pictures .remark")).to_contain_text("no teacher", timeout=PATIENCE)
    expect(page.locator("#attention-pictures .pictures")).to_be_hidden()


def test_files_come_down(visit: Visit) -> None:
    page = look(visit, "&layer=1&head=1&position=0")
    with page.expect_download() as caught:
        page.get_by_role("button", name="This row (CSV)").click()
    assert caught.value.suggested_filename == "attention.csv"
    assert "weight" in caught.value.path().read_text(encoding="utf-8-sig")


def test_a_long_sound_is_refined_by_the_server(visit: Visit) -> None:
    page = look(visit, "&modality=audio&example=digits")  # 8 times as many frames as the bundled model has
    place = page.locator("figure.place .plot")
    place.press("End")
    expect(told(page)).to_contain_text("on their way")
    expect(told(page)).not_to_contain_text("on their way", timeout=PATIENCE)
    expect(page.locator("#attention-pictures .statement")).to_contain_text("This input is long")
    place.press("ArrowLeft")
    assert ink(page, "place") > 5
    assert visit.complaints == []


@pytest.mark.parametrize("visit", [{"viewport": {"width": 390, "height": 800}, "color_scheme": "dark"}], indirect=True)
def test_on_a_phone_in_the_dark_nothing_sticks_out(visit: Visit) -> None:
    page = look(visit)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    first = page.locator("figure.place").bounding_box()
    second = page.locator("figure.heads").bounding_box()
    assert first is not None
    assert second is not None
    assert first["y"] < second["y"]


def test_in_chinese(visit: Visit) -> None:
    visit.page.goto(f"{visit.home}/zh-CN{START}")
    expect(told(visit.page)).to_contain_text("第 1 层", timeout=PATIENCE)
    assert not re.search("[a-z]{4,}", told(visit.page).inner_text())
