"""What a visitor does, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.conftest import Visit
from ui.catalogue import TOOLS, ToolName
from ui.words import say

pytestmark = pytest.mark.e2e

Files = Callable[[str], str]
PANELS: list[tuple[str | None, ToolName]] = [
    (None, "transcribe"),
    ("CTC microscope", "inspect_ctc"),
    ("Classify sound", "classify_audio"),
    ("Same speaker?", "compare_speakers"),
    ("Who speaks when", "speaker_activity"),
    ("Text", "classify_text"),
    ("Tag", "tag_tokens"),
    ("Answer", "answer_question"),
    ("Choose", "choose"),
    ("Fill the mask", "fill_mask"),
    ("Continue", "continue_text"),
    ("Vision", "classify_image"),
    ("Segment", "segment_image"),
]
"""In the order in which a visitor may walk through them."""

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


def walk(visit: Visit) -> list[str]:
    """Visit every panel; the answers to their first examples."""
    answers = []
    for tab, tool in PANELS:
        visit.open(tab, tool)
        answers.append(visit.page.locator(f"#{tool}-result").inner_text())
    return answers


def test_every_panel_opens_with_an_answer_and_asks_no_other_host(visit: Visit) -> None:
    answers = walk(visit)
    assert [re.findall(r"Answered by ([\w-]+)", answer) for answer in answers] == [
        [TOOLS[tool].default_model] for _, tool in PANELS
    ]
    assert visit.complaints == []
    assert visit.other_hosts == []


@pytest.mark.parametrize("visit", [PHONE, PHONE | {"color_scheme": "dark"}], indirect=True, ids=["light", "dark"])
def test_a_phone_needs_no_sideways_scroll(visit: Visit) -> None:
    for tab, tool in PANELS:
        visit.open(tab, tool)
        assert visit.page.evaluate("document.documentElement.scrollWidth") == 390, tool
        if tool == "classify_text":
            visit.page.get_by_label(say("classify_text.many")).check()
            visit.wait_for("classify_lines")
            assert visit.page.evaluate("document.documentElement.scrollWidth") == 390, "classify_lines"


def brightness(visit: Visit, selector: str, property_name: str) -> float:
    """Of a computed colour, 0 to 255."""
    colour = visit.page.locator(selector).first.evaluate(
        "(element, name) => getComputedStyle(element)[name]", property_name
    )
    channels = [float(number) for number in re.findall(r"[\d.]+", colour)[:3]]
    return sum(channels) / 3


@pytest.mark.parametrize(
    ("visit", "is_dark"),
    [({"color_scheme": "light"}, False), ({"color_scheme": "dark"}, True)],
    indirect=["visit"],
    ids=["light", "dark"],
)
def test_the_page_follows_the_visitors_colour_scheme(visit: Visit, is_dark: bool) -> None:
    visit.open()
    ground, ink = brightness(visit, "body", "backgroundColor"), brightness(visit, ".intro p", "color")
    assert (ground < 60 and ink > 200) if is_dark else (ground > 240 and ink < 60)


def test_an_uploaded_sound_is_transcribed_and_classified(visit: Visit, files: Files) -> None:
    for tab, tool in PANELS[:2]:
        visit.open(tab, tool)
        visit.bring(tool, files("no_sound.wav"))
        assert say("sound.unreadable") in visit.wait_for(tool, ".failed")
        visit.bring(tool, files("sound.wav"))
        visit.wait_for(tool)
    assert visit.other_hosts == []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("silence.wav", say("sound.silent")),
        ("long.wav", say("sound.too_long", seconds="20")),
    ],
)
def test_a_sound_that_cannot_be_used_is_refused_in_words(name: str, sentence: str, visit: Visit, files: Files) -> None:
    visit.open()
    visit.bring("transcribe", files(name))
    assert sentence in visit.wait_for("transcribe", ".failed")
    assert visit.complaints == []


def test_an_uploaded_picture_is_classified(visit: Visit, files: Files) -> None:
    visit.open("Vision", "classify_image")
    for name, key in (("no_picture.png", "picture.unreadable"), ("large.png", "picture.too_large")):
        visit.bring("classify_image", files(name))
        assert say(key, megapixels="0.5") in visit.wait_for("classify_image", ".failed")
        visit.page.locator("#classify_image-examples button").first.click()
        visit.wait_for("classify_image")
    visit.bring("classify_image", files("no_picture.png"))
    visit.wait_for("classify_image", ".failed")
    visit.bring("classify_image", files("picture.png"))
    visit.wait_for("classify_image", ".bars")


def test_an_uploaded_picture_is_segmented_and_can_be_kept(visit: Visit, files: Files, tmp_path: Path) -> None:
    visit.open("Vision > Segment", "segment_image")
    visit.bring("segment_image", files("no_picture.png"))
    visit.wait_for("segment_image", ".failed")
    assert visit.page.locator("#segment_image-view").count() == 0
    visit.bring("segment_image", files("picture.png"))
    visit.wait_for("segment_image")
    picture = visit.page.locator("#segment_image-view canvas")
    picture.wait_for()
    assert "The photo with its classes drawn over it" in (picture.get_attribute("aria-label") or "")
    with visit.page.expect_download() as started:
        visit.page.locator("#segment_image-mask").click()
    started.value.save_as(tmp_path / "mask.png")
    mask = Image.open(tmp_path / "mask.png")
    assert (mask.mode, mask.size) == ("L", (60, 40))


def test_a_typed_sentence_is_classified_and_cannot_become_markup(visit: Visit) -> None:
    visit.open("Text", "classify_text")
    box = visit.page.locator("#classify_text-text textarea")
    box.fill("")
    visit.page.locator("#classify_text-run").click()
    assert say("text.missing") in visit.wait_for("classify_text", ".failed")
    box.fill("<img src=x onerror=alert(1)> ${alert(1)} {{x}} \u202e and a very " + "long" * 200)
    visit.page.locator("#classify_text-run").click()
    visit.wait_for("classify_text", ".bars")
    model = visit.page.locator("#classify_text-model input")
    model.fill("<img src=x onerror=alert(1)>${alert(1)}")
    model.press("Enter")
    visit.page.locator("#classify_text-run").click()
    answer = visit.wait_for("classify_text", ".failed")
    assert "There is no model called <img src=x onerror=alert(1)>${alert(1)} here" in answer
    assert visit.page.locator("#classify_text-result img").count() == 0
    assert visit.complaints == []


def test_an_example_fills_the_input_and_is_answered(visit: Visit) -> None:
    visit.open("Text", "classify_text")
    box = visit.page.locator("#classify_text-text textarea")
    before = box.input_value()
    visit.page.locator("#classify_text-examples button").nth(1).click()
    visit.page.wait_for_function(
        "before => document.querySelector('#classify_text-text textarea').value !== before", arg=before
    )
    visit.wait_for("classify_text")


@pytest.mark.parametrize("visit", [{"permissions": ["microphone"]}], indirect=True)
def test_a_recording_is_transcribed(visit: Visit) -> None:
    visit.open()
    source = visit.page.locator("#transcribe-audio")
    source.get_by_label("Clear").click()
    visit.page.locator("#transcribe-run").click()
    assert say("sound.missing") in visit.wait_for("transcribe", ".failed")
    source.get_by_label("Record audio").click()
    source.get_by_role("button", name="Record", exact=True).click()
    visit.page.wait_for_timeout(1500)  # of the browser's beeping fake microphone
    with visit.page.expect_response(lambda response: "/upload" in response.url):
        source.get_by_role("button", name="Stop", exact=True).click()
    source.get_by_label("Clear").wait_for()
    visit.page.locator("#transcribe-run").click()
    visit.wait_for("transcribe")
