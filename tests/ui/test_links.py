"""Links to a place of the page: what they may say, and where the page's own lead."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import quote, urlencode

import gradio as gr
import pytest

from ui import start, tour
from ui.catalogue import TOOLS
from ui.fields import RowsField
from ui.links import FOREIGN_KEYS, LONGEST_TEXT, OWN_KEYS, Links
from ui.page import build
from ui.service import Service
from ui.settings import Settings
from ui.words import LANGUAGES, load_words


@pytest.fixture(scope="module")
def links(settings: Settings) -> Links:
    """Those of the English page."""
    made: list[Links] = []

    class Kept(Links):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            made.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ui.page.Links", Kept)
        build(settings, Service(settings))
    assert len(made) == len(LANGUAGES)
    return made[0]


def query(links: Links, link: str) -> str | None:
    """A link as the page would write it; None for one that leads nowhere."""
    place, _ = links.read(link)
    return place.query if place else None


def value(links: Links, link: str, tool: str, name: str) -> Any:
    """What an input holds after a link was followed."""
    _, updates = links.read(link)
    field = links.panels[tool].fields[name]  # type: ignore[index]
    held = [updates[part] for part in field.inputs]
    held = [each["value"] if isinstance(each, dict) else each for each in held]
    return held if isinstance(field, RowsField) else held[0]


def test_a_link_opens_its_tabs_and_fills_in_what_it_says(links: Links) -> None:
    link = "?tab=text&tool=fill_mask&model=mlm&text=the+%3Cmask%3E+%F0%9F%8E%AC&top_k=7"
    place, updates = links.read(link)
    assert place is not None
    assert (place.tab, place.tool, place.may_run) == ("text", "fill_mask", True)
    assert f"?{place.query}" == link
    selected = [update.selected for update in updates.values() if isinstance(update, gr.Tabs)]
    assert set(selected) == {"fill_mask", "text"}
    assert value(links, link, "fill_mask", "text") == "the <mask> 🎬"
    assert value(links, link, "fill_mask", "top_k") == 7


def test_what_a_link_leaves_out_is_as_in_its_example(links: Links) -> None:
    examples = links.panels["continue_text"].examples
    assert value(links, "?tool=continue_text&example=2", "continue_text", "prompt") == examples[2].inputs["prompt"]
    assert value(links, "?tool=continue_text", "continue_text", "seed") == examples[0].inputs["seed"]
    assert value(links, "?tool=continue_text&seed=9", "continue_text", "seed") == 9
    assert value(links, "?tool=continue_text", "continue_text", "top_p") == 0.95


def test_lists_are_told_apart_by_mode(links: Links) -> None:
    assert value(links, "?tool=choose&choices=a&choices=b&choices=c", "choose", "choices")[:4] == ["a", "b", "c", None]
    _, updates = links.read("?tool=classify_lines")
    [mode] = links.panels["classify_lines"].shown_by
    assert updates[mode]["value"] == "many"


@pytest.mark.parametrize(
    ("link", "kept"),
    [
        ("?tool=fill_mask&top_k=900", "tab=text&tool=fill_mask&top_k=20"),
        ("?tool=fill_mask&top_k=-3", "tab=text&tool=fill_mask&top_k=1"),
        ("?tool=fill_mask&top_k=4.4", "tab=text&tool=fill_mask&top_k=4"),
        ("?tool=continue_text&temperature=0.33", "tab=text&tool=continue_text&temperature=0.35"),
        *(
            (f"?tool=fill_mask&{rest}", "tab=text&tool=fill_mask")
            for rest in (
                "top_k=nan",
                "top_k=inf",
                "top_k=x",
                "top_k=",
                "top_k=1e999",
                "text=",
                "example=9",
                "example=-1",
            )
        ),
        ("?tool=continue_text&seed=99999999999", "tab=text&tool=continue_text&seed=2147483647"),
        (f"?tool=fill_mask&text={'x' * LONGEST_TEXT}", f"tab=text&tool=fill_mask&text={'x' * LONGEST_TEXT}"),
        (f"?tool=fill_mask&text={'x' * (LONGEST_TEXT + 1)}", "tab=text&tool=fill_mask"),
        ("?tool=fill_mask&text=a%00b", "tab=text&tool=fill_mask"),
        ("?tool=choose&choices=" + "x" * 301, "tab=text&tool=choose"),
        ("?tool=fill_mask&model=sst2", "tab=text&tool=fill_mask"),
        ("?tool=fill_mask&model=/etc", "tab=text&tool=fill_mask"),
        ("?tool=fill_mask&model=someone/large", "tab=text&tool=fill_mask"),
        ("?tool=transcribe&audio=/etc/passwd", "tab=speech&tool=transcribe"),
        ("?tool=compare_speakers&audio_a=/etc/passwd&audio_b=x", "tab=speech&tool=compare_speakers"),
        ("?tab=vision&tool=fill_mask", "tab=text&tool=fill_mask"),
        ("?tab=vision&tool=explain_image", "tab=vision"),
        ("?tab=vision&tool=nothing", "tab=vision"),
        ("tab=start", "tab=start"),
    ],
)
def test_what_does_not_fit_is_bounded_or_left_out(link: str, kept: str, links: Links) -> None:
    assert query(links, link) == kept


@pytest.mark.parametrize(
    "link",
    ["", "?", "?tool=nothing", "?tab=../x", "?tab=transcribe", "x" * 9000, "?" + "a=1&" * 200, "%ff=%fe", None, 7],
)
def test_a_link_to_nowhere_changes_nothing(link: Any, links: Links) -> None:
    assert links.read(link) == (None, {})
    assert links.follow(link)[links.place] == "null"


def test_a_model_that_would_be_downloaded_waits_for_the_visitor(links: Links) -> None:
    place, updates = links.read("?tool=transcribe&model=facebook/data2vec-audio-base-960h")
    assert place is not None
    assert place.query == "tab=speech&tool=transcribe&model=facebook%2Fdata2vec-audio-base-960h"
    assert not place.may_run
    assert updates[links.panels["transcribe"].model]["value"] == "facebook/data2vec-audio-base-960h"


def test_every_panel_can_be_linked_to(links: Links) -> None:
    assert links.panels.keys() >= {name for name, tool in TOOLS.items() if tool.part_of is None}
    for name, panel in links.panels.items():
        place, updates = links.read(f"?tool={name}")
        assert place is not None
        assert place.tool == name
        assert place.may_run, name
        assert updates[panel.is_open] is True
        assert set(updates) <= set(links.changed())


def test_a_link_that_was_read_reads_the_same_again(links: Links) -> None:
    text = 'a "b" & c=d; ${e} {{f}} <g> \u202e 温暖 #h %20 +'
    link = urlencode({"tool": "continue_text", "prompt": text, "temperature": 1.25, "seed": 3, "top_p": 0.5})
    first = query(links, link)
    assert first is not None
    assert query(links, first) == first
    assert value(links, first, "continue_text", "prompt") == text


def test_no_input_is_called_like_a_part_of_the_address() -> None:
    names = {one.name for tool in TOOLS.values() for one in tool.inputs}
    assert not names & {*OWN_KEYS, *FOREIGN_KEYS}


def page_links(html: str) -> list[str]:
    return [unescape(link) for link in re.findall(r'<a [^>]*href="([^"]*)"[^>]*data-link', html)]


def built(builder: Any) -> str:
    with gr.Blocks() as demo:
        builder()
    [html] = [str(block.value) for block in demo.blocks.values() if isinstance(block, gr.HTML)]
    return html


def test_every_link_of_the_first_page_and_of_the_tour_leads_somewhere(links: Links) -> None:
    found = page_links(built(start.build))
    assert len(found) == 3
    for link in found:
        assert f"?{query(links, link)}" == link
    found = page_links(built(tour.build))
    assert len(found) == len(tour.STEPS)
    for link in found:
        place, _ = links.read(link)
        assert place is not None, link
        assert f"?{place.query}" == link.replace("%20", "+")
        assert place.may_run == (place.tool is not None), link


def test_the_tour_has_a_question_and_an_answer_at_each_step() -> None:
    html = built(tour.build)
    assert html.count("<details>") == html.count("data-stop=") == len(tour.STEPS)
    assert "ten steps" in load_words("en")["start.learn"]
    assert len(tour.STEPS) == 10
    for step in tour.STEPS:
        for key in (step.title, step.task, step.question, step.answer):
            assert len({load_words(language)[key] for language in LANGUAGES}) == len(LANGUAGES)


def test_a_text_in_a_link_is_no_markup(links: Links) -> None:
    text = "<img src=x onerror=alert(1)>"
    assert text not in str(query(links, f"?tool=fill_mask&text={quote(text)}"))
