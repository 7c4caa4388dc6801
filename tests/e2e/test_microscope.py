"""The picture of a CTC model in a real browser: zoom, hover, keys, switches, files."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Visit
from tests.e2e.walk import painted, until
from ui.words import say

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TOOL = "inspect_ctc"


def picture(visit: Visit, is_so: Callable[[str], bool]) -> str:
    """The picture once it is so."""
    canvas = visit.page.locator(".microscope canvas.base")
    return until(visit.page, lambda: painted(canvas), is_so)


def is_full(picture: str) -> bool:
    """Whether there is more than paper."""
    return len(picture) > 5000


def told(visit: Visit) -> str:
    return visit.page.locator(".microscope .told").inner_text()


def frame(visit: Visit) -> int:
    found = re.search(r"frame (\d+)", told(visit))
    assert found, told(visit)
    return int(found[1])


def test_pointer_and_keys_tell_the_frame_they_are_at(visit: Visit) -> None:
    visit.open("CTC microscope", TOOL)
    assert told(visit) == say("inspect_ctc.point")
    plot = visit.page.locator(".microscope .plot")
    box = plot.bounding_box()
    assert box is not None
    visit.page.mouse.move(box["x"] + box["width"] - 10, box["y"] + 100)
    last = frame(visit)
    visit.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 100)
    assert 0 < frame(visit) < last
    assert len(re.findall(r"[\d.]+ %", told(visit))) == 3
    plot.focus()
    at = frame(visit)
    visit.page.keyboard.press("ArrowRight")
    assert frame(visit) == at + 1
    visit.page.keyboard.press("Shift+ArrowLeft")
    assert frame(visit) == at - 9
    visit.page.keyboard.press("Home")
    assert frame(visit) == 0
    assert plot.get_attribute("aria-valuetext") == "0.00 s"
    visit.page.keyboard.press("End")
    assert frame(visit) == int(plot.get_attribute("aria-valuemax") or 0) >= last
    assert visit.complaints == []


def test_the_picture_zooms_and_moves(visit: Visit) -> None:
    visit.open("CTC microscope", TOOL)
    plot, whole = visit.page.locator(".microscope .plot"), picture(visit, is_full)
    box = plot.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + 100
    visit.page.mouse.move(x, y)
    under = frame(visit)
    visit.page.wait_for_timeout(500)  # or the wheel would go on scrolling
    for _ in range(8):
        visit.page.mouse.wheel(0, -100)
    near = picture(visit, lambda now: now != whole)
    visit.page.mouse.move(x + 1, y)
    assert abs(frame(visit) - under) <= 1  # what is under the pointer stays there
    visit.page.mouse.down()
    visit.page.mouse.move(x + 120, y, steps=4)
    visit.page.mouse.up()
    picture(visit, lambda now: now != near)
    visit.page.mouse.move(x, y)
    assert frame(visit) < under
    plot.focus()
    visit.page.keyboard.press("0")
    visit.page.mouse.move(x, y)
    picture(visit, lambda now: now == whole)
    visit.page.get_by_role("button", name=say("inspect_ctc.zoom_in")).click()
    visit.page.get_by_role("button", name=say("inspect_ctc.later")).click()
    picture(visit, lambda now: now != whole)
    visit.page.get_by_role("button", name=say("inspect_ctc.whole")).click()
    picture(visit, lambda now: now == whole)
    assert visit.complaints == []


def test_all_tokens_can_be_shown(visit: Visit) -> None:
    visit.open("CTC microscope", TOOL)
    plot = visit.page.locator(".microscope .plot")
    before = picture(visit, is_full)
    switch = visit.page.get_by_label(re.compile(r"All \d+ tokens"))
    switch.check()
    picture(visit, lambda now: now != before)
    switch.uncheck()
    picture(visit, lambda now: now == before)
    visit.page.get_by_label(say("inspect_ctc.logarithmic")).check()
    picture(visit, lambda now: now != before)
    assert plot.get_attribute("role") == "slider"


def test_a_text_is_aligned_or_refused_and_the_numbers_are_kept(visit: Visit, tmp_path: Path) -> None:
    visit.open("CTC microscope", TOOL)
    visit.fill(TOOL, text="ab a")
    visit.run(TOOL)
    visit.page.locator(f"#{TOOL}-result", has_text="AB A").wait_for()
    visit.page.get_by_text(say("inspect_ctc.letters_table")).click()
    expect(visit.page.locator(f"#{TOOL}-result tbody tr:visible")).to_have_count(4)
    with visit.page.expect_download() as started:
        visit.page.locator(f"#{TOOL}-npz").click()
    started.value.save_as(tmp_path / "emissions.npz")
    with np.load(tmp_path / "emissions.npz") as file:
        frames, tokens = file["probabilities"].shape
        assert (frames, tokens) == (len(file["frame_times"]), len(file["tokens"]))
    visit.fill(TOOL, text="ab ñ<b>")
    visit.run(TOOL)
    notice = visit.page.locator(f"#{TOOL}-result .notice")
    notice.wait_for()
    assert notice.inner_text() == say("inspect_ctc.unspellable", characters="ñ < >")
    picture(visit, is_full)
    assert visit.page.locator(f"#{TOOL}-textgrid").count() == 0
    visit.clear(f"#{TOOL}-audio")
    expect(visit.page.locator(".microscope")).to_have_count(0)
    assert visit.complaints == []
