"""The view of attention: what goes to the page, files, links, and its endpoints."""

from __future__ import annotations

import base64
import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from analysis.attention_view import Quantised, sink_places
from analysis.subject import VIEWS, Subject
from ui.inside import attention as module
from ui.inside.attention import Attention, read_settings
from ui.inside.attention_files import KINDS, made_file
from ui.inside.selection import InsideExample, Looked, Selection, inside_examples
from ui.inside.tab import Inside
from ui.service import Service
from ui.settings import Settings
from ui.views.attention import START, phrases, spelled_path
from ui.views.scripts import script
from ui.words import say

Files = Callable[[str], str]
MODALITIES = ("audio", "text", "vision")
MOST = 1_500_000
"""Characters that one view may send."""


SHORT = InsideExample("text1", "a warm film", "a warm film")
"""The tiny model of texts reads no longer ones."""


@pytest.fixture(scope="module")
def view(settings: Settings) -> Attention:
    with gr.Blocks():
        inside = Inside(Service(settings), (Attention,))
    found = inside.views["attention"]
    assert isinstance(found, Attention)
    return found


@pytest.fixture(scope="module")
def look(settings: Settings) -> Callable[..., Looked]:
    """Selections by modality, with the model in memory."""
    folder = settings.bundled_folder
    assert folder is not None

    def looking(modality: str, model: str = "", **places: Any) -> Looked:
        subject = Subject.from_pretrained(folder / (model or modality))
        named = {one.name: one for one in inside_examples(modality)}
        one = {"audio": named.get("one"), "text": SHORT}.get(modality) or next(iter(named.values()))
        about: dict[str, Any] = {"role": "student", "layer": 2, "head": 1, "position": 3} | places
        selection = Selection(
            modality=modality,  # type: ignore[arg-type]
            example=one.name,
            source=one.source,
            model=model or modality,
            **about,
        )
        return Looked(selection, subject, subject.show(one.source))

    return looking


def restored(packed: dict[str, Any], *, signed: bool) -> np.ndarray:
    codes = np.frombuffer(base64.b64decode(packed["codes"]), np.uint8).reshape(packed["shape"])
    scales = np.frombuffer(base64.b64decode(packed["scales"]), "<f4").reshape(packed["shape"][:-1])
    return Quantised(codes, scales, signed).restored()


@pytest.mark.parametrize("role", VIEWS)
@pytest.mark.parametrize("modality", MODALITIES)
def test_the_page_is_given_every_weight_of_a_short_input(
    modality: str, role: str, view: Attention, look: Callable[..., Looked]
) -> None:
    looked = look(modality, role=role)
    [value] = view.show(looked, START)
    text = json.dumps(value)
    assert len(text) < MOST
    maps = value["maps"]
    assert maps["whole"]
    expected = looked.subject.attention(looked.shown, 2, "teacher" if role == "teacher" else "student")
    if role == "difference":
        expected = expected - looked.subject.attention(looked.shown, 2, "teacher")
    found = restored(maps["small"], signed=role == "difference")[1]
    assert found == pytest.approx(expected, abs=float(np.abs(expected).max()) / 100)
    assert len(value["labels"]) == expected.shape[-1]
    assert not value["isEmpty"]
    assert value["sinks"] == sink_places(looked.shown)
    assert ("photo" in value) == (modality == "vision")
    assert ("sound" in value) == (modality == "audio")


def test_of_a_long_input_little_goes_to_the_page(
    view: Attention, look: Callable[..., Looked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WHOLE", 100)
    monkeypatch.setattr(module, "SMALL", 1200)
    monkeypatch.setattr(module, "LARGE", 1200)
    looked = look("audio")
    [value] = view.show(looked, START)
    maps, count = value["maps"], len(looked.shown)
    assert not maps["whole"]
    assert np.prod(maps["small"]["shape"]) <= 1200
    assert np.prod(maps["large"]["shape"]) <= 1200
    rows = restored(maps["rows"], signed=False)
    assert rows.shape == (looked.subject.depth, looked.subject.heads, count)
    assert rows[1] == pytest.approx(looked.subject.attention(looked.shown, 2)[:, 3], abs=1e-2)
    [answer] = view.answer(looked, {**START, "sinks": "hidden"})
    assert answer["maps"]["sinksAreHidden"]
    assert (restored(answer["maps"]["rows"], signed=False)[..., 0] == 0).all()
    assert max(answer["maps"]["hidden"]) > 0


def test_a_model_without_a_teacher_says_so(view: Attention, look: Callable[..., Looked]) -> None:
    [value] = view.show(look("vision", "objects", role="difference"), START)
    assert value["isEmpty"]
    assert value["remarks"] == [say("attention.no_difference")]
    [value] = view.show(look("vision", "objects", role="teacher"), START)
    assert not value["isEmpty"]
    assert value["remarks"] == [say("attention.no_teacher")]


def test_rollout_and_relevance_come_when_they_are_asked_for(view: Attention, look: Callable[..., Looked]) -> None:
    looked = look("vision", "objects")
    [answer] = view.answer(looked, {**START, "mode": "rollout"})
    weights = restored(answer["maps"]["small"], signed=False)
    assert weights.shape[1] == 1
    assert weights.sum(axis=-1) == pytest.approx(np.ones(weights.shape[:-1]), abs=0.05)
    [answer] = view.answer(looked, {**START, "mode": "class"})
    assert answer["label"] in looked.subject.encoder.config.labels or answer["label"]
    assert len(answer["values"]) == weights.shape[-1]
    [answer] = view.answer(look("vision"), {**START, "mode": "class"})
    assert "objects" in answer["why"]
    assert "values" not in answer


@pytest.mark.parametrize("role", VIEWS)
def test_the_check_silences_every_place(role: str, view: Attention, look: Callable[..., Looked]) -> None:
    looked = look("text", role=role)
    [found] = view.check(looked)
    count = len(looked.shown)
    assert (len(found["raw"]), len(found["change"])) == (count, count)
    assert sum(found["raw"]) == pytest.approx(1, abs=1e-3)
    assert sum(found["change"]) == pytest.approx(1, abs=1e-3)
    assert -1 <= found["rho"] <= 1
    assert (found["layer"], found["head"], found["position"]) == (2, 1, 3)


def test_the_check_of_many_places_takes_them_together(
    view: Attention, look: Callable[..., Looked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_SILENCED", 3)
    [found] = view.check(look("text"))
    assert len(found["raw"]) == len(found["starts"]) == 3
    assert sum(found["raw"]) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("modality", MODALITIES)
def test_heads_are_measured_over_the_examples(
    modality: str, view: Attention, look: Callable[..., Looked], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = look(modality, role="difference")
    examples = [SHORT] if modality == "text" else inside_examples(modality)
    monkeypatch.setattr(module, "inside_examples", lambda _: examples)
    monkeypatch.setattr(module, "MOST_ITEMS", 3)
    [found] = view.measure(looked)
    assert found["items"] == min(3, len(examples))
    assert [one["role"] for one in found["roles"]] == ["student", "teacher"]
    assert np.shape(found["roles"][0]["distance"]) == (looked.subject.depth, looked.subject.heads)
    assert (found["roles"][0]["kinds"] is not None) == (modality == "audio")
    json.dumps(found)


def test_letters_stand_above_a_sound_that_the_model_reads(view: Attention, look: Callable[..., Looked]) -> None:
    looked = look("audio", "an4")
    [value] = view.show(looked, START)
    frames = [frame for run in value["path"] for frame in range(run["first"], run["last"])]
    assert value["path"]
    assert len(set(frames)) == len(frames)
    assert max(frames) < len(looked.shown)
    [other] = view.show(look("audio"), START)
    assert other["path"] == []
    assert say("attention.no_path") in other["remarks"]
    emissions = view._emissions(looked)
    assert spelled_path(emissions) == value["path"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("modality", MODALITIES)
def test_files_hold_the_exact_numbers(modality: str, kind: str, look: Callable[..., Looked]) -> None:
    looked = look(modality)
    path = Path(made_file(kind, looked, "raw", None, None))
    assert path.suffix == f".{kind}"
    whole = looked.subject.attention(looked.shown, 2)
    if kind == "csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        weights = [float(row["weight"]) for row in rows]
        assert weights == pytest.approx(whole[0, looked.shown.place(3)].tolist(), abs=1e-6)
        assert rows[0]["position"] == str(-looked.shown.class_tokens)
    elif kind == "npz":
        with np.load(path) as arrays:
            assert arrays["attention"] == pytest.approx(whole, abs=1e-6)
            assert json.loads(bytes(arrays["statement"]))["model"] == modality
    else:
        assert path.stat().st_size > 1000


@pytest.mark.parametrize("mode", ["rollout", "class"])
def test_files_of_the_other_modes(mode: str, view: Attention, look: Callable[..., Looked]) -> None:
    looked = look("vision", "objects")
    [answer] = view.keep("csv", looked, {**START, "mode": mode})
    rows = list(csv.reader(Path(answer["path"]).read_text(encoding="utf-8-sig").splitlines()))
    assert rows[0][2] == ("relevance" if mode == "class" else "weight")
    total = sum(float(row[2]) for row in rows[1:])
    assert (total == pytest.approx(1, abs=1e-4)) == (mode == "rollout")
    assert view.keep("png", looked, {**START, "mode": mode})[0]["name"] == "attention.png"


def test_a_difference_has_its_figure(view: Attention, look: Callable[..., Looked]) -> None:
    [answer] = view.keep("svg", look("text", role="difference"), START)
    assert "<svg" in Path(answer["path"]).read_text(encoding="utf-8")


@pytest.mark.parametrize("role", VIEWS)
def test_a_report_has_all_heads_and_one(role: str, view: Attention, look: Callable[..., Looked]) -> None:
    looked = look("vision", role=role)
    grid, large = view.plates(looked, START)
    assert grid.statement.model == large.statement.model == "vision"
    assert large.statement.layers == (2,)


def test_a_layer_of_a_difference_is_a_difference(look: Callable[..., Looked]) -> None:
    looked = look("vision", role="difference")
    with np.load(made_file("npz", looked, "raw", None, None)) as arrays:
        student, teacher = (looked.subject.attention(looked.shown, 2, role) for role in ("student", "teacher"))
        assert arrays["attention"] == pytest.approx(student - teacher, abs=1e-6)


@pytest.mark.parametrize("modality", ["audio", "text", "vision"])
def test_every_phrase_that_the_script_says_is_sent(modality: str) -> None:
    assert set(re.findall(r"phrases\.(\w+)", script(*module.PICTURES))) <= phrases(modality).keys()


def test_links_carry_the_switches_and_nothing_else(view: Attention) -> None:
    given = {"attention": ["rollout"], "colours": ["head"], "sinks": ["hidden"]}
    pairs, updates = view.link(given)
    assert dict(pairs) == {name: value[0] for name, value in given.items()}
    assert updates[view.bar]["value"] == {"mode": "rollout", "scale": "head", "sinks": "hidden"}
    pairs, updates = view.link({"attention": ["<script>"], "sinks": ["shown"]})
    assert pairs == []
    assert updates[view.bar]["value"] == START


@pytest.mark.parametrize("said", [None, 3, [], {"mode": 7}, {"mode": "flow", "scale": None, "sinks": ["hidden"]}])
def test_what_the_switches_cannot_say_counts_for_nothing(said: Any) -> None:
    assert read_settings(said) == START


# The endpoints --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(address: str) -> Client:
    return Client(address, verbose=False, analytics_enabled=False)


def test_attention_map_by_http(client: Client, files: Files) -> None:
    found = client.predict(modality="text", text="a warm film", layer=2, head=1, query=0, api_name="/attention_map")
    assert found.keys() == {"weights", "shape", "labels", "model"}
    assert found["model"] == "text"
    assert found["shape"] == [len(found["weights"])] == [len(found["labels"])]
    assert sum(found["weights"]) == pytest.approx(1, abs=1e-5)
    picture = {"modality": "vision", "file": handle_file(files("picture.png"))}
    whole = client.predict(**picture, role="difference", api_name="/attention_map")
    assert whole["shape"] == [len(whole["labels"])] * 2
    assert np.sum(whole["weights"], axis=1) == pytest.approx(np.zeros(len(whole["labels"])), abs=1e-5)
    row = client.predict(**picture, role="difference", query=-1, api_name="/attention_map")
    assert row["weights"] == pytest.approx(whole["weights"][0])
    sound = {"modality": "audio", "file": handle_file(files("sound.wav"))}
    assert client.predict(**sound, query=5, api_name="/attention_map")["labels"][0] == "0.00 s"


def test_embed_by_http(client: Client, files: Files) -> None:
    found = client.predict(modality="text", text="a warm film", layer=2, api_name="/embed")
    assert found.keys() == {"vector", "model"}
    other = client.predict(modality="text", text="a warm film", layer=2, pooling="first", api_name="/embed")
    assert len(other["vector"]) == len(found["vector"])
    assert other["vector"] != found["vector"]
    picture = handle_file(files("picture.png"))
    assert client.predict(modality="vision", file=picture, api_name="/embed")["model"] == "vision"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"modality": "smell"}, "has to be one of"),
        ({"modality": "text"}, "no text"),
        ({"modality": "audio"}, "no sound|sound"),
        ({"modality": "text", "text": "x", "layer": 99}, "layer=99"),
        ({"modality": "text", "text": "x", "role": "both"}, "role='both'"),
        ({"modality": "text", "text": "x", "query": 99}, "position=99"),
        ({"modality": "text", "text": "x", "model": "vision"}, "another modality"),
    ],
)
def test_what_cannot_be_answered_is_told(client: Client, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(AppError, match=said):
        client.predict(**asked, api_name="/attention_map")
