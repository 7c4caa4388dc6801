"""The Vision tab in a real browser: a segmented picture looked at closely, reasons for a class, many pictures."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from tests.e2e.conftest import Visit
from tests.e2e.walk import drawn
from ui.words import say

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

Files = Callable[[str], str]


def kept(visit: Visit, button: str, path: Path) -> Image.Image:
    """A file of the page."""
    with visit.page.expect_download() as started:
        visit.page.locator(button).click()
    started.value.save_as(path)
    return Image.open(path)


def pixels_of(visit: Visit) -> np.ndarray:
    """(height, width, 3): what the widget shows, once it has nothing more to draw."""
    drawn(visit.page)
    pixels = visit.page.locator("#segment_image-view canvas").first.evaluate(
        """(canvas) => {
            const image = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return [canvas.width, canvas.height, ...image.data];
        }"""
    )
    width, height, *values = pixels
    return np.array(values, np.uint8).reshape(height, width, 4)[..., :3]


@pytest.fixture
def segmented(visit: Visit, tmp_path: Path) -> Visit:
    """A picture of two classes at the least, segmented."""
    visit.open("Vision > Segment", "segment_image")
    picture = tmp_path / "half.png"
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, 30:] = 255
    Image.fromarray(pixels).save(picture)
    visit.bring("segment_image", str(picture))
    visit.page.locator(".segments[data-ready]").wait_for()
    visit.wait_for("segment_image")
    if visit.page.locator(".segments .legend button").count() < 2:
        pytest.skip("these random weights see one class everywhere")
    return visit


def said(visit: Visit) -> Locator:
    return visit.page.locator(".segments .said")


def test_the_page_draws_what_the_files_hold(segmented: Visit, tmp_path: Path) -> None:
    page = segmented.page
    for label in ("Both", "Fill", "Contour"):
        page.get_by_label(label, exact=True).check()
        for palette in ("Petroff", "Okabe-Ito"):
            page.get_by_label(palette).check()
            shown = pixels_of(segmented).astype(int)
            file = np.asarray(kept(segmented, "#segment_image-coloured", tmp_path / "overlay.png")).astype(int)
            assert shown.shape == file.shape
            # the photo comes as JPEG, which moves its colours a little; the classes' colours are exact
            assert np.abs(shown - file).mean() < 4, (label, palette)
    expect(page.locator("#segment_image-file")).to_be_hidden()  # its part is to be clicked by the page
    ids = np.asarray(kept(segmented, "#segment_image-mask", tmp_path / "ids.png"))
    colours = kept(segmented, "#segment_image-colours", tmp_path / "colours.png")
    assert ids.shape == (40, 60)
    assert len(np.unique(np.asarray(colours.convert("RGB")).reshape(-1, 3), axis=0)) == len(np.unique(ids))
    assert segmented.complaints == []


def test_a_class_is_shown_alone_by_legend_picture_and_keys(segmented: Visit, tmp_path: Path) -> None:
    page = segmented.page
    canvas, rows = page.locator(".segments canvas"), page.locator(".segments .legend button")
    ids = np.asarray(kept(segmented, "#segment_image-mask", tmp_path / "ids.png"))
    everything = pixels_of(segmented)
    rows.first.click()
    expect(rows.first).to_have_attribute("aria-pressed", "true")
    expect(said(segmented)).to_contain_text("is shown")
    assert (pixels_of(segmented) != everything).any()
    page.get_by_role("button", name=say("segment_image.all")).click()
    expect(said(segmented)).to_have_text(say("segment_image.all_shown"))
    assert (pixels_of(segmented) == everything).all()

    box = canvas.bounding_box()
    assert box is not None
    canvas.click(position={"x": box["width"] * 0.9, "y": box["height"] * 0.9})
    chosen = page.locator('.segments .legend button[aria-pressed="true"]')
    expect(chosen).to_have_count(1)
    assert chosen.get_attribute("data-id") == str(ids[36, 54])
    page.keyboard.press("Escape")
    expect(chosen).to_have_count(0)

    canvas.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".segments .cursor")).to_be_visible()
    expect(said(segmented)).to_contain_text("of the picture")
    page.keyboard.press("Enter")
    expect(chosen).to_have_count(1)
    assert chosen.get_attribute("data-id") == str(ids[20, 28])  # left of the middle by a fortieth of the longer side
    only = np.asarray(kept(segmented, "#segment_image-coloured", tmp_path / "only.png"))
    assert np.abs(only.astype(int) - pixels_of(segmented)).mean() < 4
    assert segmented.complaints == []


def test_the_slider_uncovers_the_photo_and_nothing_asks_the_model(segmented: Visit) -> None:
    page = segmented.page
    calls: list[str] = []
    page.on("request", lambda request: calls.append(request.url) if "/queue/join" in request.url else None)
    classes = pixels_of(segmented)
    slider = page.locator(".segments .split input")
    slider.fill("100")
    bare = pixels_of(segmented)
    assert (bare != classes).any()
    slider.fill("50")
    both = pixels_of(segmented)
    assert (both[:, :30] == bare[:, :30]).all()
    assert (both[:, 30:] == classes[:, 30:]).all()
    divider = page.locator(".segments .divider").bounding_box()
    assert divider is not None
    page.mouse.move(divider["x"] + 12, divider["y"] + 5)
    page.mouse.down()
    page.mouse.move(divider["x"] - 200, divider["y"] + 5)
    page.mouse.up()
    assert 0 < int(slider.input_value()) < 50
    slider.fill("0")
    page.locator("#segment_image-opacity input[type=number]").fill("0")
    page.locator("#segment_image-opacity input[type=number]").press("Tab")
    page.get_by_label("Fill", exact=True).check()
    assert (pixels_of(segmented) == bare).all()
    assert calls == []
    assert segmented.complaints == []


def test_a_map_is_compared_and_a_wrong_one_says_why(segmented: Visit, files: Files, tmp_path: Path) -> None:
    page = segmented.page
    own = kept(segmented, "#segment_image-mask", tmp_path / "own.png")
    page.get_by_role("button", name=say("score_map.title")).click()
    place, scores = "#segment_image-label_map", page.locator("#segment_image-scores")
    page.locator(place).locator("input[type=file]").set_input_files(tmp_path / "own.png")
    expect(scores).to_contain_text("Mean IoU 1.000, pixel accuracy 100.0 %, over 2,400 pixels.")
    expect(scores.locator("tbody tr")).to_have_count(len(np.unique(np.asarray(own))))
    page.locator(place).get_by_label("Clear").or_(page.locator(place).get_by_label("Remove this file")).first.click()
    expect(scores.locator("table")).to_have_count(0)
    page.locator(place).locator("input[type=file]").set_input_files(files("picture.png"))
    expect(scores).to_contain_text(say("score_map.unreadable"))
    segmented.run("segment_image")  # the comparison goes with the picture
    expect(scores.locator(".failed")).to_have_count(0)
    assert segmented.complaints == []


def test_what_mattered_is_drawn_and_asked_for_another_class(visit: Visit, files: Files, tmp_path: Path) -> None:
    visit.open("Vision", "classify_image")
    visit.bring("classify_image", files("picture.png"))
    figure = visit.page.locator("#relevance-figure")
    figure.locator("img").wait_for()
    first = figure.locator("figcaption").inner_text()
    chooser = visit.page.locator("#relevance-class").get_by_role("radio")
    expect(chooser.first).to_be_checked()
    chooser.nth(1).check()
    expect(figure.locator("figcaption")).not_to_have_text(first)
    assert figure.locator("img").get_attribute("alt")
    assert kept(visit, "#relevance-png", tmp_path / "relevance.png").size == (60, 40)
    visit.clear("#classify_image-image")
    visit.wait_for("classify_image", ".empty")
    expect(figure).to_have_count(0)
    assert visit.complaints == []


def test_many_pictures_become_a_gallery_and_a_table(visit: Visit, files: Files, tmp_path: Path) -> None:
    visit.open("Vision", "classify_image")
    visit.page.get_by_label(say("classify_images.many"), exact=True).check()
    visit.wait_for("classify_images")
    place = visit.page.locator("#classify_images-images")
    place.get_by_label("Clear").first.click()
    visit.wait_for("classify_images", ".empty")
    hostile = tmp_path / "<img src=x onerror=alert(1)> ${alert(1)}.png"
    Image.open(files("picture.png")).save(hostile)
    place.locator("input[type=file]").set_input_files([files("picture.png"), str(hostile), files("no_picture.png")])
    expect(place.locator("tr")).to_have_count(3)
    visit.run("classify_images")
    result = visit.page.locator("#classify_images-result")
    expect(result.locator(".small").first).to_contain_text("3 of 3 pictures")
    expect(result.locator(".pictures li")).to_have_count(3)
    expect(result.locator(".pictures img")).to_have_count(2)
    assert say("picture.unreadable") in result.inner_text()
    with visit.page.expect_download() as started:
        visit.page.locator("#classify_images-csv").click()
    started.value.save_as(tmp_path / "classes.csv")
    with (tmp_path / "classes.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [bool(row["label"]) for row in rows] == [True, True, False]
    assert visit.complaints == []
