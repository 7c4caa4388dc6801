"""The frame of the inside views: what the strip selects, what a link says of it, and when a view is made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio.components import Component

from data2vec_core.checkpoints.card import MODALITIES
from ui.inside import VIEWS as INSIDE_VIEWS
from ui.inside.selection import OWN, VIEWS, Looked, Selection, inside_examples, read_selection, source_of, whole
from ui.inside.tab import Inside, Pairs, Updates, View
from ui.known_models import known_models
from ui.service import Service
from ui.settings import Settings
from ui.views.selector import selectable
from ui.words import load_words, say, speaking

HOSTILE: tuple[Any, ...] = (None, "", "x" * 5000, "${alert(1)}", -7, 10**30, float("nan"), [], {"a": 1}, True)


class Seen(View):
    """Keeps what it is shown."""

    name = "stage"
    link_names = ("k",)

    def __init__(self, inside: Inside) -> None:
        super().__init__(inside)
        self.number = gr.Slider(1, 9, value=2, step=1)
        self.text = gr.HTML()
        self.looked: list[tuple[Looked, tuple[Any, ...]]] = []

    @property
    def outputs(self) -> list[Component]:
        return [self.text]

    @property
    def settings(self) -> list[Component]:
        return [self.number]

    def show(self, looked: Looked, *settings: Any) -> Sequence[Any]:
        self.looked.append((looked, settings))
        return [f"{looked.selection.model} {settings}"]

    def link(self, given: Mapping[str, list[str]]) -> tuple[Pairs, Updates]:
        k = given.get("k", ["2"])[0]
        return [("k", k)], {self.number: gr.update(value=int(k))}


class Apart(View):
    """Has models of its own."""

    name = "training"
    looks = False

    def __init__(self, inside: Inside) -> None:
        super().__init__(inside)
        self.text = gr.HTML()
        self.shown = 0

    @property
    def outputs(self) -> list[Component]:
        return [self.text]

    def show(self, looked: Looked | None, *settings: Any) -> Sequence[Any]:
        assert looked is None
        assert not settings
        self.shown += 1
        return ["apart"]


@pytest.fixture
def settings(bundled_folder: Path) -> Settings:
    return Settings(bundled_folder=bundled_folder, max_characters=100)


@pytest.fixture
def inside(settings: Settings) -> Iterator[Inside]:
    with gr.Blocks():
        yield Inside(Service(settings), (Seen, Apart))


def values(inside: Inside, **changes: Any) -> list[Any]:
    """Of the strip's inputs, as the page opens."""
    strip = inside.strip
    given = {"modality": "vision", "example": "chelsea", "model": "vision", "role": "student"} | changes
    own = {modality: given.get(f"own_{modality}") for modality in strip.own}
    place = given.get("place", {"layer": 2, "head": 1, "position": 3})
    return [*(given[name] for name in ("modality", "example", "model", "role")), *own.values(), place]


@pytest.mark.parametrize("modality", MODALITIES)
def test_every_modality_has_examples_with_names_of_their_own(modality: str) -> None:
    examples = inside_examples(modality)
    assert len(examples) >= 6
    assert len({one.name for one in examples}) == len(examples) == len({one.label for one in examples})
    assert OWN not in {one.name for one in examples}
    with speaking("zh-CN"):
        assert [one.name for one in inside_examples(modality)] == [one.name for one in examples]


def test_photographs_bring_their_credit() -> None:
    credits = [one.credit for one in inside_examples("vision") if "photographs" in one.source]
    assert len(credits) == 31
    assert all(credits)


@pytest.mark.parametrize("value", HOSTILE)
def test_whatever_the_page_sends_is_a_selection(value: Any, settings: Settings) -> None:
    given = {"modality": value, "example": "chelsea", "model": value, "role": value, "place": value}
    given |= {"modality": "vision", "own": {"vision": None}}
    selection = read_selection(given, settings)
    assert selection.role in VIEWS
    assert (selection.layer, selection.head, selection.position) == (1, 0, 0)
    assert read_selection({**given, "modality": value if value.__hash__ else "audio", "example": "digits"}, settings)


@pytest.mark.parametrize("value", HOSTILE)
def test_numbers_that_are_none_are_not_taken(value: Any) -> None:
    assert whole(value, 5, least=0) in (5, 1)  # True is 1


def test_ones_own_text_has_the_limits_of_any(settings: Settings) -> None:
    given = {"modality": "text", "example": OWN, "model": "text", "role": "student", "place": {}}
    assert read_selection({**given, "own": {"text": "a film"}}, settings).source == "a film"
    for text in ("", "  ", "a" * 101):
        with pytest.raises(ValueError, match="text|character"):
            read_selection({**given, "own": {"text": text}}, settings)


def test_a_file_that_is_no_upload_is_not_read(settings: Settings) -> None:
    given = {"modality": "vision", "example": OWN, "model": "vision", "role": "student", "place": {}}
    for own in ("/etc/passwd", {"path": "/etc/passwd"}):
        with pytest.raises(ValueError, match="file"):
            read_selection({**given, "own": {"vision": own}}, settings)


def test_samples_of_ones_own_come_with_their_rate() -> None:
    common = {"model": "m", "role": "student", "layer": 1, "head": 0, "position": 0}
    sound = Selection(modality="audio", example=OWN, source=(16_000, "samples"), **common)  # type: ignore[arg-type]
    assert source_of(sound) == ("samples", 16_000)
    file = Selection(modality="audio", example="digits", source="digits.wav", **common)  # type: ignore[arg-type]
    assert source_of(file) == ("digits.wav", None)


def test_a_view_is_made_once_for_a_selection(inside: Inside) -> None:
    view = inside.views["stage"]
    assert isinstance(view, Seen)
    given = [*values(inside), 4]
    name, made, problem, credit, place, text, apart = inside._refreshed("stage", {}, given)
    assert (name, problem, credit) == ("stage", "", "")
    assert text == "vision (4,)"
    assert apart == gr.skip()
    assert place["value"]["layers"] == view.looked[0][0].subject.depth
    assert (place["value"]["layer"], place["value"]["head"], place["value"]["position"]) == (2, 1, 3)
    again = inside._refreshed("stage", made, given)
    assert again[5] == gr.skip()
    assert len(view.looked) == 1
    other = inside._refreshed("stage", made, [*values(inside, role="teacher"), 4])
    assert other[5] == "vision (4,)"
    assert len(view.looked) == 2


def test_no_view_is_made_before_the_tab_is_open(inside: Inside) -> None:
    assert inside._refreshed("", {}, [*values(inside), 4])[1] == {}


def test_a_view_with_models_of_its_own_needs_none(inside: Inside) -> None:
    given = [*values(inside, model="nobody's"), 4]
    *_, apart = inside._refreshed("training", {}, given)
    assert apart == "apart"
    assert inside._refreshed("training", {"training": ()}, given)[-1] == gr.skip()
    assert not inside.service.loaded()


def test_what_goes_wrong_is_said_above_the_views(inside: Inside) -> None:
    for changes, key in (
        ({"model": "text"}, say("inside.other_modality", model="text")),
        ({"example": OWN}, say("picture.missing")),
    ):
        found = inside._refreshed("stage", {}, [*values(inside, **changes), 4])
        assert key in found[2]
        assert found[1] == {}


def test_another_modality_brings_its_examples_and_its_encoder(inside: Inside) -> None:
    example, model, *own = inside.strip.changed("audio", "chelsea", "vision")
    assert example["value"] == "digits"
    assert model["value"] == "audio"
    assert [one["visible"] for one in own] == [True, False, False]
    assert {name for _, name in model["choices"]} >= {"audio", "an4", "speakers"}
    example, model, *_ = inside.strip.changed("audio", "months", "my/own")
    assert (example["value"], model["value"]) == ("months", "my/own")


def test_a_link_restores_what_was_selected(inside: Inside) -> None:
    given = {"modality": ["text"], "example": ["text2"], "model": ["sst2"], "role": ["teacher"], "layer": ["2"]}
    pairs, updates = inside.link("stage", {**given, "head": ["1"], "position": ["5"], "k": ["3"]})
    assert dict(pairs) == {
        **{name: one[0] for name, one in given.items()},
        "head": "1",
        "position": "5",
        "k": "3",
    }
    strip = inside.strip
    assert updates[strip.modality]["value"] == "text"
    assert updates[strip.model]["value"] == "sst2"
    assert {name: updates[strip.selector]["value"][name] for name in ("layer", "head", "position")} == {
        "layer": 2,
        "head": 1,
        "position": 5,
    }
    assert set(updates) <= set(inside.changed())


@pytest.mark.parametrize("text", ["", "<script>", "own", "9" * 400, "-5", "ünknown", "../../etc"])
def test_a_link_that_says_nonsense_leads_to_the_beginning(text: str, inside: Inside) -> None:
    pairs, _ = inside.link("stage", {name: [text] for name in inside.keys - {"k"}})
    said = dict(pairs)
    assert (said["modality"], said["example"], said["model"], said["role"]) == (
        "vision",
        "chelsea",
        "vision",
        "student",
    )
    assert (said["layer"], said["head"], said["position"]) == ("1", "0", "0")


def test_what_can_be_selected_fits_into_a_message(inside: Inside) -> None:
    with inside.looking(values(inside)) as looked:
        told = selectable(looked)
    assert told["labels"][0] == say("inside.class_token")
    assert told["least"] == -1
    assert len(told["labels"]) == 1 + len(looked.shown)
    assert len(json.dumps(told)) < 50_000


def test_places_beyond_the_model_come_back_within(inside: Inside) -> None:
    far = values(inside, place={"layer": 99, "head": 99, "position": 9999})
    with inside.looking(far) as looked:
        assert looked.layer == looked.subject.depth
        assert looked.head == looked.subject.heads
        assert looked.position == len(looked.shown) - 1
    with inside.looking(
        values(inside, modality="text", example="text1", model="text", place={"position": -1})
    ) as looked:
        assert looked.position == 0


def test_every_model_of_a_modality_can_be_looked_into(settings: Settings) -> None:
    service = Service(settings)
    for modality in MODALITIES:
        names = [entry.name for entry in service.subjects(modality)]
        assert names[0] == modality, "the encoder with a teacher comes first"
        assert set(names) == {
            one.name for one in known_models(settings.bundled_folder) if one.card.modality == modality
        }


def test_the_report_tells_what_it_lacks(inside: Inside) -> None:
    told, file = inside.report.make({"stage": ("x",)}, *values(inside), 4)
    assert say("inside.no_figures") in told
    assert file == gr.skip()


def test_words_of_the_report_are_those_of_the_library() -> None:
    from analysis.report import WORDS
    from ui.inside.report import report_words

    assert report_words() == dict(WORDS)
    with speaking("zh-CN"):
        assert report_words().keys() == WORDS.keys()
        assert report_words()["title"] == load_words("zh-CN")["report.title"]


@pytest.mark.parametrize(
    ("modality", "role"), [("audio", "student"), ("text", "teacher"), ("vision", "student"), ("vision", "difference")]
)
def test_the_report_of_a_visit_has_the_figures_of_every_view_that_was_opened(
    modality: str, role: str, settings: Settings
) -> None:
    with gr.Blocks():
        whole_inside = Inside(Service(settings), INSIDE_VIEWS)
    example = inside_examples(modality)[0].name
    given = values(whole_inside, modality=modality, example=example, model=modality, role=role)
    own = [part.value for view in whole_inside.views.values() for part in view.settings]
    told, path = whole_inside.report.make({"stage": (), "attention": (), "training": ()}, *given, *own)
    assert told == ""
    page = Path(path).read_text(encoding="utf-8")
    titles = ["masked_input", "target_tiles", "masked_errors", "training", "training_maps"]
    titles.append("attention_difference" if role == "difference" else "attention_grid")
    assert all(say(f"figure.{kind}") in page for kind in titles)
    assert page.count("<svg") >= len(titles) + 1
    assert "http-equiv" in page
    assert modality in page
