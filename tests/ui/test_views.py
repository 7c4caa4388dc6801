"""Results as HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from data2vec_core.checkpoints.card import Card, Metric
from data2vec_core.tasks.results import (
    Activity,
    Alternative,
    Answer,
    Choice,
    Classification,
    ClassShare,
    Continuation,
    Entity,
    FilledText,
    Filling,
    LabelScore,
    LiveText,
    TaggedText,
    Transcript,
    Turn,
    Verification,
    Word,
)
from ui.known_models import ModelEntry
from ui.runs import ComparedVoices
from ui.views.choices import weighed
from ui.views.continued import continued
from ui.views.fillings import fillings
from ui.views.labels import display_name, label_bars, percent
from ui.views.lines import classified_lines
from ui.views.live import heard
from ui.views.notice import empty, failed, made_by, outside
from ui.views.passage import answer_in_passage
from ui.views.segments import shares_table
from ui.views.tables import details_table
from ui.views.tags import tagged
from ui.views.transcript import transcript
from ui.views.voices import lanes, overlap, similarity, turns
from ui.words import say

HOSTILE = "<img src=x onerror=alert(1)>${alert(1)}{{x}}"
KNOWN_TAGS = {"p", "span", "ol", "ul", "li", "details", "summary", "table", "thead", "tbody", "tr", "th", "td"}
KNOWN_TAGS |= {"i", "div", "figure", "figcaption", "strong", "mark"}


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
    other = Alternative(text=text, log_probability=-1.0)
    share = ClassShare(label=text, id=1, fraction=0.5)
    return [
        transcript(Transcript(model=text, text=text, words=(word,), duration=2.0, alternatives=(other,))),
        heard(LiveText(model=text, stable=text, provisional=text, duration=2.0), is_over=False),
        transcript(Transcript(model=text, text=text, words=(), duration=2.0)),
        label_bars([LabelScore(label=text, score=0.7)] * 9),
        shares_table([share]),
        tagged(text, TaggedText(model=text, entities=(Entity(text=text, label=text, start=2, end=9, score=0.5),))),
        tagged(text, TaggedText(model=text, entities=())),
        answer_in_passage(text * 99, Answer(model=text, answer=text, start=500, end=500 + len(text), score=0.5)),
        weighed([text, text], Choice(model=text, choice=1, scores=(0.4, 0.6))),
        fillings("a <mask>", FilledText(model=text, predictions=(Filling(token=text, score=0.5, text=f"a {text}"),))),
        fillings("no mask", FilledText(model=text, predictions=(Filling(token=text, score=0.5, text=text),))),
        continued(text, 7, Continuation(model=text, text=text + text)),
        classified_lines([text], [Classification(model=text, labels=(LabelScore(label=text, score=0.5),))]),
        details_table(text, [text, text], [(text, text)]),
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


def test_a_transcript_says_how_much_it_is() -> None:
    words = tuple(Word(word=word, start=0.25, end=0.5, confidence=0.98) for word in ("TWO", "NINE"))
    assert "2 words in 2.0 s" in transcript(Transcript(model="an4", text="TWO NINE", words=words, duration=2.0))


def test_words_that_may_change_look_unlike_those_that_stay() -> None:
    text = LiveText(model="an4", stable="TWO", provisional=" NI", duration=2.0)
    html = heard(text, is_over=False)
    assert '<span class="firm">TWO</span><i class="tentative"> NI</i>' in html
    assert "may still change" in html
    assert "No word yet" in heard(LiveText(model="an4", stable="", provisional="", duration=1.0), is_over=False)


def test_a_clip_without_words_says_so() -> None:
    assert "heard no words" in transcript(Transcript(model="an4", text="", words=(), duration=2.0))


def test_bars_show_five_classes_and_fold_the_rest() -> None:
    labels = [LabelScore(label=f"grand_piano_{i}", score=0.5**i) for i in range(1, 9)]
    shown, _, folded = label_bars(labels).partition("<details>")
    assert shown.count("<li>") == 5
    assert folded.count("<li>") == 3
    assert '<p class="headline">grand piano 1</p>' in shown
    assert "Other classes (3)" in folded


def test_a_result_says_which_model_made_it_and_what_from() -> None:
    known = entry(
        title="Numbers", trained_on="35 minutes", metrics=(Metric("WER", 0.4, "valid"), Metric("WER", 0.421, "test"))
    )
    assert Tags(made_by("an4", known)).text == (
        "Answered by an4: Numbers. Trained on 35 minutes. WER: 42.1 % on the test split."
    )
    assert "a model that you named" in made_by("someone/model", None)


def test_a_score_that_is_no_share_is_a_number() -> None:
    assert "Perplexity: 93.4 on the test split" in made_by("mlm", entry(metrics=(Metric("perplexity", 93.4, "test"),)))


def test_an_input_unlike_the_training_data_is_pointed_out() -> None:
    assert "unlike everything that the model was trained on" in outside(True)
    assert outside(False) == outside(None) == ""


def entities(*places: tuple[int, int, str]) -> TaggedText:
    text = "play Hello by Adele"
    found = (Entity(text=text[a:b], label=label, start=a, end=b, score=0.9) for a, b, label in places)
    return TaggedText(model="m", entities=tuple(found))


def test_entities_are_marked_where_they_stand_each_with_its_label() -> None:
    html = tagged("play Hello by Adele", entities((5, 10, "album"), (14, 19, "artist")))
    assert Tags(html).text.startswith("play Helloalbum by Adeleartist")
    assert re.findall(r'--own:(#\w+)"', html) == re.findall(r'swatch" style="background:(#\w+)"', html)
    assert '<th scope="row">Adele</th><td>artist</td><td>14</td><td>19</td><td>90 %</td>' in html
    assert say("tag_tokens.nothing") in tagged("play Hello by Adele", entities())


def test_an_answer_is_marked_in_the_passage_and_a_long_one_is_cut() -> None:
    found = Answer(model="m", answer="Rome", start=8, end=12, score=0.5)
    html = answer_in_passage("  table Rome, 7 pm", found)
    assert '<p class="reading">  table <mark class="found">Rome</mark>, 7 pm</p>' in html
    assert "The whole passage" not in html
    passage = "x " * 200 + "Rome" + " y" * 200
    html = answer_in_passage(passage, Answer(model="m", answer="Rome", start=400, end=404, score=0.5))
    assert len(Tags(html.partition("<details>")[0]).text) < 550
    assert passage in Tags(html).text


def test_options_stay_in_their_order_and_the_best_is_named_in_words() -> None:
    html = weighed(["music", "weather"], Choice(model="m", choice=1, scores=(0.25, 0.75)))
    assert '<p class="headline">weather</p>' in html
    shown = Tags(html.partition("<ol")[2].partition("</ol>")[0].partition(">")[2]).text
    assert shown == "music25 %weather fits best75 %"


@pytest.mark.parametrize(
    ("text", "filling", "marked"),
    [
        ("a <mask> film", Filling(token="fine", score=0.5, text="a fine film"), "a [fine] film"),
        ("a film <mask>", Filling(token=".", score=0.5, text="a film."), "a film[.]"),
        ("<mask> <mask>, a", Filling(token="a a", score=0.5, text="a a, a"), "[a] [a], a"),
        ("aa <mask>a", Filling(token="a", score=0.5, text="aa aa"), "aa [a]a"),
    ],
)
def test_what_was_filled_in_is_marked(text: str, filling: Filling, marked: str) -> None:
    html = fillings(text, FilledText(model="m", predictions=(filling,)))
    row = re.search(r'<span class="name reading">(.*?)</span>', html)
    assert row is not None
    assert row[1].replace('<mark class="found">', "[").replace("</mark>", "]") == marked


def test_what_was_written_is_marked_and_the_seed_is_told() -> None:
    html = continued("so it  ", 7, Continuation(model="m", text="so it goes"))
    assert '<span class="given">so it</span><mark class="found"> goes</mark>' in html
    assert "Drawn with seed 7" in html


def compared(similarity: float, *alone: float) -> ComparedVoices:
    together = Verification(model="m", similarity=similarity, threshold=0.2, same_speaker=similarity >= 0.2)
    return ComparedVoices(together=together, alone=alone or (similarity,), model="m")


def test_similarity_lies_on_its_scale_beside_the_threshold() -> None:
    html = similarity(compared(0.5))
    assert '<span class="threshold" style="left:60.00%"></span><span class="dot" style="left:75.00%"></span>' in html
    assert "Probably one voice" in html
    assert "The similarity is 0.50. From 0.20 on" in html
    assert say("compare_speakers.why") in html
    assert say("compare_speakers.several", clips=1)[:5] not in html
    assert "Probably two voices" in similarity(compared(-1))


def test_each_clip_of_a_voice_has_its_own_similarity() -> None:
    html = similarity(compared(0.5, 0.4, -0.5))
    assert re.findall(r'class="own" style="left:([\d.]+)%', html) == ["70.00", "25.00"]
    assert '<th scope="row">Clip 2 alone</th><td>-0.50</td>' in html
    assert say("compare_speakers.several", clips=2) in html


def test_turns_lie_in_the_lanes_of_their_voices_and_their_overlap_below_them() -> None:
    spoken = (Turn(speaker="first", start=0, end=2), Turn(speaker="second", start=1, end=4))
    result = Activity(model="m", segments=spoken, duration=5.0)
    assert [(name, list(stretches)) for name, _, stretches in lanes(result)] == [
        ("First voice", [(0, 2)]),
        ("Second voice", [(1, 4)]),
        ("Both at once", [(1, 2)]),
    ]
    assert len({colour for _, colour, _ in lanes(result)}) == 3
    html = turns(result)
    assert Tags(html.partition('<ul class="shares">')[2].partition("</ul>")[0]).text == (
        "First voice2.0 s · 40 %Second voice3.0 s · 60 %Both at once1.0 s · 20 %"
    )
    assert '<th scope="row">Second voice</th><td>1.00</td><td>4.00</td><td>3.00</td>' in html
    assert "heard nobody speak" in turns(Activity(model="m", segments=(), duration=5.0))


def test_overlap_is_where_two_stretches_meet() -> None:
    assert overlap([(0, 2), (3, 5)], [(1, 4)]) == [(1, 2), (3, 4)]
    assert overlap([(0, 1)], [(1, 2)]) == []


def test_lines_are_counted_and_those_outside_say_so() -> None:
    def one(label: str, is_outside: bool | None) -> Classification:
        return Classification(model="m", labels=(LabelScore(label=label, score=0.5),), outside=is_outside)

    html = classified_lines(["a", "b", "c"], [one("good", False), one("bad", True)])
    assert "2 of 3 lines: good 1, bad 1" in html
    assert '<th scope="row">b</th><td>bad</td><td>50 %</td><td>yes</td>' in html
    assert "Outside" not in classified_lines(["a"], [one("good", None)])


@pytest.mark.parametrize(
    ("fraction", "text"), [(1.0, "100 %"), (0.834, "83 %"), (0.0534, "5.3 %"), (0.0001, "< 0.1 %"), (0.0, "0 %")]
)
def test_percentages_have_the_digits_they_can_bear(fraction: float, text: str) -> None:
    assert percent(fraction) == text


def test_labels_read_like_words() -> None:
    assert [display_name(label) for label in ("_unknown_", "sea_turtle", "_")] == ["unknown", "sea turtle", "_"]
    assert [display_name(label) for label in ("timeRange", "LOC", "B2B")] == ["time range", "LOC", "B2B"]


def test_the_stylesheet_asks_no_other_host() -> None:
    css = (Path(__file__).resolve().parents[2] / "ui" / "theme.css").read_text(encoding="utf-8")
    assert "http" not in css
    assert "@import" not in css
