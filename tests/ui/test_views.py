"""Results as HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from analysis.figures.overlay import class_colours
from data2vec_core.checkpoints.card import Card, Metric
from data2vec_core.tasks.results import ClassShare, LabelScore, Transcript, Word
from ui.catalogue import ModelEntry
from ui.views.labels import display_name, label_bars, percent
from ui.views.legend import legend
from ui.views.notice import empty, failed, made_by
from ui.views.transcript import transcript

HOSTILE = "<img src=x onerror=alert(1)>${alert(1)}{{x}}"
KNOWN_TAGS = {"p", "span", "ol", "ul", "li", "details", "summary", "table", "thead", "tbody", "tr", "th", "td"}
KNOWN_TAGS |= {"div", "figure", "figcaption", "strong"}


class Tags(HTMLParser):
    """Collects the tags, and checks that they close in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not any(name.startswith("on") for name, _ in attrs)
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def entry(**fields: object) -> ModelEntry:
    return ModelEntry(card=Card(name="an4", modality="audio", task="transcription", **fields))  # type: ignore[arg-type]


def views_of(text: str) -> list[str]:
    word = Word(word=text, start=0.5, end=1.0, confidence=0.9)
    share = ClassShare(label=text, id=1, fraction=0.5)
    return [
        transcript(Transcript(model=text, text=text, words=(word,), duration=2.0)),
        transcript(Transcript(model=text, text=text, words=(), duration=2.0)),
        label_bars([LabelScore(label=text, score=0.7)] * 9),
        legend([share], class_colours({1: text})),
        empty(text),
        failed(text),
        made_by(text, None),
        made_by(text, entry(title=text, trained_on=text, description=text, metrics=(Metric(text, 0.5, text),))),
    ]


def test_what_comes_from_outside_is_text_and_never_markup() -> None:
    for html in views_of(HOSTILE):
        tags = Tags(html)
        assert tags.seen <= KNOWN_TAGS
        assert "<img src=x onerror=alert(1)>" in tags.text.replace("_", " ")


def test_a_transcript_shows_every_word_with_its_time_and_confidence() -> None:
    words = (
        Word(word="TWO", start=0.25, end=0.5, confidence=0.98),
        Word(word="NINE", start=0.75, end=1.25, confidence=0.5),
    )
    html = transcript(Transcript(model="an4", text="TWO NINE", words=words, duration=2.0))
    assert re.findall(r'<th scope="row">(\w+)</th><td>([\d.]+)</td><td>([\d.]+)</td><td>(\d+) %', html) == [
        ("TWO", "0.25", "0.50", "98"),
        ("NINE", "0.75", "1.25", "50"),
    ]
    assert "left:37.50%;width:25.00%" in html  # NINE, along two seconds
    assert "2 words in 2.0 s" in html


def test_a_clip_without_words_says_so() -> None:
    assert "heard no words" in transcript(Transcript(model="an4", text="", words=(), duration=2.0))


def test_bars_show_five_classes_and_fold_the_rest() -> None:
    labels = [LabelScore(label=f"grand_piano_{i}", score=0.5**i) for i in range(1, 9)]
    shown, _, folded = label_bars(labels).partition("<details>")
    assert shown.count("<li>") == 5
    assert folded.count("<li>") == 3
    assert '<p class="headline">grand piano 1</p>' in shown
    assert "Other classes (3)" in folded


def test_the_legend_paints_things_and_leaves_the_background_hollow() -> None:
    classes = [ClassShare(label="background", id=0, fraction=0.75), ClassShare(label="cat", id=1, fraction=0.25)]
    html = legend(classes, {0: None, 1: (86, 180, 233)})
    assert html.index("background") < html.index("cat")
    assert '<span class="swatch hollow"></span>' in html
    assert '<span class="swatch solid" style="background:#56b4e9"></span>' in html
    assert "25 %" in html


def test_a_result_says_which_model_made_it_and_what_from() -> None:
    known = entry(
        title="Numbers", trained_on="35 minutes", metrics=(Metric("WER", 0.4, "valid"), Metric("WER", 0.421, "test"))
    )
    assert Tags(made_by("an4", known)).text == (
        "Answered by an4: Numbers. Trained on 35 minutes. WER 42.1 % on the test split."
    )
    assert "a model that you named" in made_by("someone/model", None)


@pytest.mark.parametrize(
    ("fraction", "text"), [(1.0, "100 %"), (0.834, "83 %"), (0.0534, "5.3 %"), (0.0001, "< 0.1 %"), (0.0, "0 %")]
)
def test_percentages_have_the_digits_they_can_bear(fraction: float, text: str) -> None:
    assert percent(fraction) == text


def test_labels_read_like_words() -> None:
    assert [display_name(label) for label in ("_unknown_", "sea_turtle", "_")] == ["unknown", "sea turtle", "_"]


def test_the_stylesheet_asks_no_other_host() -> None:
    css = (Path(__file__).resolve().parents[2] / "ui" / "theme.css").read_text(encoding="utf-8")
    assert "http" not in css
    assert "@import" not in css
