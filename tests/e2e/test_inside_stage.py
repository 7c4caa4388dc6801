"""The stage in a real browser: a mask painted by pointer and by keys, K and tensor, links, files, small screens."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Visit
from tests.e2e.walk import drawn, painted, settle, until
from ui.words import say

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def see(visit: Visit, modality: str, more: str = "") -> None:
    """Follow a link to the stage."""
    visit.page.goto(f"{visit.home}/?tab=inside&tool=stage&modality={modality}{more}")
    visit.page.locator(".stage .sums .number").first.wait_for()
    settle(visit.page)


def address(visit: Visit) -> dict[str, str]:
    """What the address holds now: it is written a moment after each change."""
    return {name: values[0] for name, values in parse_qs(urlsplit(visit.page.url).query).items()}


def expect_address(visit: Visit, **expected: str | None) -> None:
    """Wait until the address holds what is expected; None for what is not in it."""
    until(visit.page, lambda: address(visit), lambda held: all(held.get(name) == expected[name] for name in expected))


def count(visit: Visit) -> int:
    """Of hidden places."""
    drawn(visit.page)
    found = re.match(r"\d+", visit.page.locator(".stage .count").inner_text())
    assert found
    return int(found[0])


def numbers(visit: Visit) -> list[str]:
    drawn(visit.page)
    return visit.page.locator(".stage .sums .number").all_inner_texts()


def run(visit: Visit) -> None:
    """Press the button, and wait until what is shown belongs to the mask."""
    visit.page.locator("[data-do=run]").click()
    visit.page.wait_for_function("document.querySelector('.stage .stale').textContent === ''")


def test_patches_are_painted_by_pointer(visit: Visit) -> None:
    see(visit, "vision")
    page, before = visit.page, numbers(visit)
    page.locator("[data-do=clear]").click()
    assert count(visit) == 0
    assert page.locator(".stage .stale").inner_text() == say("stage.none")
    assert page.locator("[data-do=run]").is_disabled()
    box = page.locator(".stage .student canvas").bounding_box()
    assert box is not None
    y = box["y"] + 4
    page.mouse.move(box["x"] + 4, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 4, y, steps=2)  # quicker than the patches
    page.mouse.up()
    row = count(visit)
    assert row > 1, "all that the pointer has passed"
    assert page.locator(".stage .stale").inner_text() == say("stage.stale")
    run(visit)
    assert numbers(visit) != before
    expect_address(visit, masked=f"0-{row - 1}")
    page.locator("[data-do=invert]").click()
    drawn(visit.page)
    total = int(re.findall(r"\d+", page.locator(".stage .count").inner_text())[1])
    assert count(visit) == total - row
    page.locator("[data-do=undo]").click()
    assert count(visit) == row
    page.locator(".stage .seed").fill("7")
    page.locator("[data-do=own]").click()
    page.wait_for_function("document.querySelector('.stage .facts').textContent.includes('seed 7')")
    expect_address(visit, masked=None, seed="7")
    assert visit.complaints == []


def test_tokens_are_painted_by_keys(visit: Visit) -> None:
    see(visit, "text")
    page, place = visit.page, visit.page.locator(".stage .student .place")
    page.locator("[data-do=clear]").click()
    place.focus()
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    assert count(visit) == 0, "<s> cannot be hidden"
    assert say("stage.special") in (place.get_attribute("aria-valuetext") or "")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    assert count(visit) == 2
    page.keyboard.press("z")
    assert count(visit) == 1
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.stage .stale').textContent === ''")
    expect_address(visit, masked="1")
    hidden = page.locator(".stage .student .hidden-place")
    assert hidden.all_inner_texts() == ["<mask>"]
    page.keyboard.press("ArrowLeft")
    drawn(visit.page)
    assert "squared error" in page.locator(".stage .told").inner_text().lower()
    assert visit.complaints == []


def test_another_rule_changes_target_and_error_without_the_server(visit: Visit) -> None:
    see(visit, "vision", "&position=5")
    page, before, asked = visit.page, numbers(visit), []
    target = page.locator(".stage .target canvas")
    picture = painted(target)
    page.on("request", lambda request: asked.append(request.url))
    slider = page.locator(".stage input.k")
    own = slider.input_value()
    slider.focus()
    page.keyboard.press("Home")
    assert numbers(visit)[0] != before[0]
    until(page, lambda: painted(target), lambda now: now != picture)
    expect(page.locator(".stage .tile:not(.out)")).to_have_count(1)
    assert "trained for K" in page.locator(".stage .facts").inner_text()
    page.locator("[data-tensor]:not([aria-pressed=true])").click()
    other = numbers(visit)
    held = until(page, lambda: address(visit), lambda held: {"k", "tensor"} <= held.keys())
    assert held["k"] == "1"
    assert held["tensor"] in ("hidden", "feed_forward")
    assert [one for one in asked if "queue" in one] == []
    page.reload()
    page.locator(".stage .sums .number").first.wait_for()
    assert numbers(visit) == other, "the address holds what was set"
    assert slider.input_value() == "1" != own
    assert visit.complaints == []


def test_a_link_restores_mask_seed_and_rule(visit: Visit) -> None:
    see(visit, "audio", "&k=1&tensor=hidden&masked=3-7,12&position=5")
    assert count(visit) == 6
    assert visit.page.locator("[data-tensor=hidden]").get_attribute("aria-pressed") == "true"
    assert visit.page.locator(".stage input.k").input_value() == "1"
    expect_address(visit, masked="3-7,12", k="1", tensor="hidden", position="5")
    see(visit, "audio", "&k=99&tensor=values&masked=a,900000&seed=-4")
    assert count(visit) > 0, "what cannot be is the method's own"
    expect_address(visit, k=None, tensor=None, masked=None, seed=None)
    assert visit.complaints == []


def test_a_place_is_selected_in_all_views_and_told(visit: Visit) -> None:
    see(visit, "vision")
    page = visit.page
    page.locator(".stage .target canvas").click(position={"x": 6, "y": 6})
    expect_address(visit, position="0")
    box = page.locator(".stage .target canvas").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] - 5, box["y"] + box["height"] - 5)
    last = until(page, lambda: address(visit).get("position", "0"), lambda position: position != "0")
    assert f"Patch {last}" in page.locator(".stage .told").inner_text()
    page.locator(".stage .tile").nth(1).click()
    expect_address(visit, layer="2")
    page.locator(".stage details.table summary").click()
    expect(page.locator(".stage .table tbody tr")).to_have_count(count(visit))
    page.locator("[data-measure=rank]").click()
    drawn(visit.page)
    assert say("stage.scale_rank", positions="")[:20] in page.locator(".stage .scale").inner_text()
    assert visit.complaints == []


def test_numbers_and_figures_are_kept(visit: Visit, tmp_path: Path) -> None:
    see(visit, "text", "&masked=1-2")
    for button, name in (("csv", "masked_prediction.csv"), ("npz", "masked_prediction.npz"), ("svg", "stage_mask.svg")):
        with visit.page.expect_download() as started:
            visit.page.locator(f"[data-do=keep-{button}]").click()
        assert started.value.suggested_filename == name
        started.value.save_as(tmp_path / name)
    with np.load(tmp_path / "masked_prediction.npz") as file:
        assert file["positions"].tolist() == [1, 2]
    assert len((tmp_path / "masked_prediction.csv").read_text(encoding="utf-8-sig").splitlines()) == 3
    assert visit.complaints == []


def test_what_a_checkpoint_lacks_is_said(visit: Visit) -> None:
    see(visit, "vision", "&model=objects")
    notes = visit.page.locator(".stage .notes p").all_inner_texts()
    assert notes[:2] == [say("stage.no_predictor"), say("stage.no_teacher")]
    assert visit.page.locator(".stage .prediction h2").inner_text() == say("stage.own_layers")
    assert visit.page.locator(".stage .teacher h2").inner_text() == say("stage.same_weights")
    assert visit.complaints == []


@pytest.mark.parametrize("visit", [{"viewport": {"width": 390, "height": 800}}], indirect=True)
@pytest.mark.parametrize("modality", ["audio", "text", "vision"])
def test_a_phone_needs_no_sideways_scroll(visit: Visit, modality: str) -> None:
    see(visit, modality)
    assert visit.page.evaluate("document.documentElement.scrollWidth") == 390
    if modality == "audio":
        seen = visit.page.locator(".stage .seen")
        before = seen.inner_text()
        visit.page.locator("[data-do=closer]").click()
        drawn(visit.page)
        assert seen.inner_text() != before
        visit.page.locator(".stage input.from").fill("10")
        drawn(visit.page)
        assert not seen.inner_text().startswith("0.00")
    assert visit.complaints == []
