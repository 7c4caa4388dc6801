"""The view "Training" in a browser: the replay is moved through, and a small model is trained and stopped."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from analysis.recordings import load_recording
from tests.e2e.conftest import Visit
from tests.e2e.test_accessibility import audit
from tests.e2e.walk import painted, settle, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PHONE = {"viewport": {"width": 390, "height": 844}}


def arrive(visit: Visit, path: str = "/") -> Page:
    """At the replay, once it is drawn."""
    page = visit.page
    page.goto(visit.home + path)
    page.locator("[role=tab][data-tab-id=inside]").click()
    page.locator("[role=tab][data-tab-id=training]").click()
    page.locator(".replay:not([hidden])").wait_for()
    settle(page)
    return page


@pytest.fixture
def page(visit: Visit) -> Iterator[Page]:
    yield arrive(visit)
    assert visit.complaints == []
    assert visit.other_hosts == []


def test_a_link_opens_the_chosen_recordings(visit: Visit) -> None:
    page = arrive(visit)
    page.locator(".replay .first").select_option("k1")
    page.locator(".replay .second").select_option("")
    expect(page).to_have_url(re.compile("recording=k1"))
    assert "beside" not in page.url
    page.goto(page.url)
    page.locator(".replay:not([hidden])").wait_for()
    expect(page.locator(".replay .first")).to_have_value("k1")
    expect(page.locator(".replay .second")).to_have_value("")
    assert visit.complaints == []


def test_moving_asks_the_server_for_nothing_and_tells_the_numbers(page: Page) -> None:
    recording = load_recording("healthy")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    canvases = [page.locator(f".replay .{part} canvas") for part in ("map", "gaze", "curves")]
    before = [painted(canvas) for canvas in canvases]
    page.locator(".scrub").focus()
    for _ in range(14):
        page.keyboard.press("ArrowLeft")
    step = int(recording.steps[14])
    expect(page.locator(".transport .at")).to_have_text(f"step {step} of 1600")
    now = page.locator(".now").inner_text()
    assert f"The whole method, step {step}: loss {recording.loss[14]:.2f}" in now
    assert "tau = 0: the teacher is the student, step" in now
    for canvas, picture in zip(canvases, before, strict=True):
        until(page, partial(painted, canvas), picture.__ne__)
    assert [url for url in requests if not url.startswith("data:") and "heartbeat" not in url] == []


def test_it_plays_to_the_end_and_pauses(page: Page) -> None:
    play = page.locator(".play")
    expect(play).to_contain_text("Play")
    play.focus()
    page.keyboard.press("Space")
    expect(play).to_contain_text("Pause")
    expect(page.locator(".now")).to_have_attribute("aria-live", "off")
    page.wait_for_function("document.querySelector('.scrub').value > 3 && document.querySelector('.scrub').value < 28")
    page.keyboard.press("Space")
    expect(play).to_contain_text("Play")
    expect(page.locator(".now")).to_have_attribute("aria-live", "polite")
    at = page.locator(".scrub").input_value()
    canvas = page.locator(".replay .map canvas")
    picture = painted(canvas)
    assert painted(canvas) == picture
    assert page.locator(".scrub").input_value() == at


def test_another_recording_is_fetched_once_and_either_stands_alone(page: Page) -> None:
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url) if "component_server" in request.url else None)
    second = page.locator(".replay .second")
    for name, title in (("k1", "K = 1: the last layer alone"), ("", ""), ("k1", "K = 1: the last layer alone")):
        second.select_option(name)
        side = page.locator(".side").nth(1)
        if title:
            expect(side.locator(".title")).to_have_text(title)
        else:
            expect(side).to_be_hidden()
    assert len(fetched) == 1
    page.locator(".replay .first").select_option("unnormalised")
    expect(page.locator(".side .title").first).to_have_text("No normalisation of the targets")
    assert len(fetched) == 2


def test_any_patch_of_any_head_may_look(page: Page) -> None:
    recording = load_recording("healthy")
    picture = page.locator(".replay .gaze canvas").first
    picture.scroll_into_view_if_needed()
    picture.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(picture).to_have_attribute("aria-valuetext", "row 1, column 1")
    page.keyboard.press("ArrowDown")
    expect(picture).to_have_attribute("aria-valuenow", "7")
    page.locator("[data-head='2']").click()
    row = recording.attention[-1, 2, 7]
    best = int(row[1:].argmax())
    expected = f"From row 2, column 1, most attention goes to row {best // 6 + 1}, column {best % 6 + 1}"
    expect(page.locator("#training-replay .told")).to_contain_text(expected)
    box = picture.bounding_box()
    assert box is not None
    picture.click(position={"x": box["width"] * 0.95, "y": box["height"] * 0.95})
    expect(picture).to_have_attribute("aria-valuetext", "row 6, column 6")
    page.get_by_role("button", name="Let the class token look").click()
    expect(picture).to_have_attribute("aria-valuetext", "the class token")


def test_a_point_says_its_class_and_a_class_stands_out(page: Page) -> None:
    recording = load_recording("healthy")
    canvas = page.locator(".replay .map canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    reach = 1.06 * float(np.abs(recording.positions).max())
    item = int(np.abs(recording.positions[-1]).sum(axis=1).argmax())  # at the rim, where no other covers it
    x, y = recording.positions[-1, item].tolist()
    canvas.hover(position={"x": box["width"] / 2 * (1 + x / reach), "y": box["height"] / 2 * (1 - y / reach)})
    name = recording.about.classes[recording.labels[item]].replace("_", " ")
    expect(page.locator("#training-replay .told")).to_have_text(f"This point is a picture of the class: {name}")
    page.mouse.move(5, 5)
    before = painted(canvas)
    kind = page.get_by_role("button", name="leopard")
    kind.click()
    expect(kind).to_have_attribute("aria-pressed", "true")
    until(page, partial(painted, canvas), before.__ne__)


def test_all_numbers_are_a_table_and_files(page: Page) -> None:
    recording = load_recording("healthy")
    page.locator(".replay details summary").click()
    table = page.locator(".replay details table").first
    expect(table.locator("tbody tr")).to_have_count(len(recording.steps))
    assert table.locator("tbody tr").nth(3).locator("th").inner_text() == str(recording.steps[3])
    with page.expect_download() as waited:
        page.locator(".source [data-file=csv]").first.click()
    rows = list(csv.DictReader(io.StringIO(Path(waited.value.path()).read_text(encoding="utf-8-sig"))))
    assert waited.value.suggested_filename == "healthy.csv"
    assert float(rows[5]["loss"]) == pytest.approx(float(recording.loss[5]), rel=1e-4)
    with page.expect_download() as waited:
        page.locator(".source [data-file=npz]").nth(1).click()
    assert waited.value.suggested_filename == "tau0.npz"
    assert load_recording(waited.value.path().rename(f"{waited.value.path()}.npz")).about.title.startswith("tau = 0")


def test_a_model_learns_until_it_is_stopped(page: Page) -> None:
    lab = page.locator(".lab")
    expect(lab.locator(".csv")).to_be_disabled()
    page.locator("#training-preset-tau0").click()
    page.wait_for_function("/step [1-9]/.test(document.querySelector('.lab .progress .at').textContent)")
    expect(lab.locator(".key")).to_contain_text("this run: tau 0, K 3")
    expect(page.locator("#training-tau-start input[type=number]")).to_have_value("0")
    stop = page.locator("#training-stop")
    stop.click()
    expect(lab.locator(".said")).to_have_text("Stopped.")
    expect(stop).to_be_disabled()
    at = lab.locator(".progress .at").inner_text()
    lab.locator("summary").click()
    expect(lab.locator("tbody tr").nth(1)).to_be_visible()
    with page.expect_download() as waited:
        lab.locator(".csv").click()
    rows = list(csv.DictReader(io.StringIO(Path(waited.value.path()).read_text(encoding="utf-8-sig"))))
    assert rows[0]["step"] == "0"
    assert rows[-1]["distance_block_4"] == "0"
    assert at.startswith(f"step {rows[-1]['step']} of")
    page.locator("#training-preset-k1").click()
    page.wait_for_function("document.querySelector('.lab .key').textContent.includes('run before: tau 0, K 3')")
    page.locator("#training-stop").click()
    expect(lab.locator(".said")).to_have_text("Stopped.")


@pytest.mark.parametrize(
    ("visit", "path"),
    [({}, "/"), ({"color_scheme": "dark"}, "/"), (PHONE, "/zh-CN"), ({**PHONE, "color_scheme": "dark"}, "/")],
    indirect=["visit"],
)
def test_nobody_is_shut_out_and_nothing_overflows(visit: Visit, path: str) -> None:
    page = arrive(visit, path)
    page.locator(".replay details summary").click()
    assert [str(finding) for finding in audit(page, "training") if finding.fault is None] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert visit.complaints == []


@pytest.mark.parametrize("visit", [{"reduced_motion": "reduce"}], indirect=True)
def test_where_motion_is_unwelcome_the_points_jump(page: Page) -> None:
    page.locator(".play").click()
    page.wait_for_function("document.querySelector('.scrub').value == 1")
    canvas, step = page.locator(".replay .map canvas"), page.locator(".scrub")

    def twice() -> tuple[str, str, str, str]:
        return step.input_value(), painted(canvas), painted(canvas), step.input_value()

    _, first, second, _ = until(page, twice, lambda seen: seen[0] == seen[3])
    assert first == second  # nothing moves between two steps
    page.locator(".play").click()
