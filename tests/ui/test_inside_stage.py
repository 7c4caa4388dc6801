"""The stage without a browser: what a visitor asks for, what is sent to the page, the files, and the endpoint."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from analysis.masked_prediction import MaskedPrediction, predict_masked
from ui.inside.selection import Looked, Selection
from ui.inside.stage import Stage, lacks, predicted
from ui.inside.stage_files import stage_file
from ui.service import Service
from ui.settings import Settings
from ui.views.stage import FIGURES, FORMATS, START
from ui.views.stage_data import Asked, drawn, place_of, read_positions, written_positions
from ui.words import say

Files = Callable[[str], str]
TEXT = "a film that is warm and wise, and it moves you"
KINDS = ("audio", "text", "vision")


@pytest.fixture(scope="module")
def service(settings: Settings) -> Service:
    return Service(settings)


@pytest.fixture
def look(service: Service, files: Files) -> Callable[..., Looked]:
    def looked(kind: Any, model: str = "") -> Looked:
        source = {"audio": files("sound.wav"), "text": TEXT, "vision": files("picture.png")}[kind]
        selection = Selection(kind, "own", source, model or kind, "student", 1, 0, 0, "given")
        with service.subject(selection.model) as subject:
            return Looked(selection, subject, subject.show(source))

    return looked


def decoded(text: str, kind: str = "u1") -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype=kind)


def asked(looked: Looked, **value: Any) -> Asked:
    return Asked.of({**START, **value}, looked)


@pytest.mark.parametrize(
    ("text", "positions"),
    [
        ("3-7,12", [3, 4, 5, 6, 7, 12]),
        ("12,3-3,3", [3, 12]),
        ("18-99", [18, 19]),
        ("99", []),
        ("7-3", []),
        ("-1,a,٣,1e3,, 4", []),
        ("0-999999999999", [0]),
        ("", []),
    ],
)
def test_a_short_list_of_positions(text: str, positions: list[int]) -> None:
    assert read_positions(text, 20) == positions
    assert read_positions(written_positions(positions), 20) == positions


def test_positions_are_written_in_runs() -> None:
    assert written_positions([12, 3, 4, 5, 3]) == "3-5,12"
    assert written_positions([]) == ""


def test_what_is_asked_holds_for_the_input_and_the_model_that_it_was_asked_of(look: Callable[..., Looked]) -> None:
    looked = look("text")
    value = {"k": 2, "tensor": "hidden", "seed": 5, "masked": "2-3", "of": place_of(looked)}
    assert asked(looked, **value) == Asked(2, "hidden", 5, (2, 3))
    assert asked(looked, **{**value, "of": []}) == Asked(2, "hidden", 5, (2, 3)), "a link is for what it selects"
    other_input = [*place_of(looked)[:3], "another text"]
    assert asked(looked, **{**value, "of": other_input}) == Asked(2, "hidden", 5)
    assert asked(looked, **{**value, "of": ["text", "other", "own", "given"]}) == Asked(seed=5)


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        {"k": 99, "tensor": "values", "seed": -1, "masked": "900-999"},
        {"k": "x", "tensor": 3, "seed": None, "masked": "0"},  # <s>
        {"k": -1, "seed": float("nan"), "masked": {"a": 1}, "of": 0},
    ],
)
def test_what_cannot_be_is_the_methods_own(value: Any, look: Callable[..., Looked]) -> None:
    assert Asked.of(value, look("text")) == Asked()


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_is_sent_what_the_analysis_finds(kind: str, look: Callable[..., Looked]) -> None:
    looked = look(kind)
    wanted = asked(looked, seed=3)
    found = predicted(looked, wanted)
    data = drawn(looked, found, wanted, [])
    same = predict_masked(looked.subject.pretraining, looked.shown.batch, seed=3)
    assert decoded(data["masked"]).tolist() == same.is_masked.astype(int).tolist()
    depth, count, masked = looked.subject.depth, len(looked.shown), len(same.positions)
    assert len(data["labels"]) == count
    for tensor in ("hidden", "feed_forward"):
        one = data["tensors"][tensor]
        assert decoded(one["tiles"]).size == decoded(one["targets"]).size == depth * count * 3
        assert decoded(one["predicted"]).size == masked * 3, "the predictor says the same against every target"
        for k in range(1, depth + 1):
            target = same.target(k, tensor)
            errors = same.errors(target)

            def row(name: str, k: int = k, one: Any = one) -> np.ndarray:
                return decoded(one[name], "<u2").reshape(depth, masked, -1)[k - 1]

            assert row("error")[:, 0] / 65535 * one["most"] == pytest.approx(errors.error, abs=one["most"] / 60_000)
            assert row("cosine")[:, 0] / 65535 * 2 - 1 == pytest.approx(errors.cosine, abs=1e-4)
            assert row("rank")[:, 0].tolist() == errors.rank.tolist()
            assert row("nearest").tolist() == same.nearest(target, 3).tolist()
            assert one["means"][k - 1]["error"] == pytest.approx(errors.error.mean())
            assert one["means"][k - 1]["agreement"] == pytest.approx(target.agreement())
    json.dumps(data)


def test_special_tokens_cannot_be_hidden(look: Callable[..., Looked]) -> None:
    looked = look("text")
    data = drawn(looked, predicted(looked, Asked()), Asked(), [])
    maskable = decoded(data["maskable"])
    assert maskable[0] == maskable[-1] == 0
    assert maskable[1:-1].all()
    assert data["read"][0] == "<s>"


def test_a_token_that_stands_for_another_is_shown_as_the_student_read_it(look: Callable[..., Looked]) -> None:
    looked = look("text")
    for seed in range(200):
        found = predicted(looked, Asked(seed=seed))
        assert found.shown_ids is not None
        ids = looked.shown.batch["input_ids"][0].numpy()
        tokenizer: Any = looked.subject.processor
        other = found.is_masked & (found.shown_ids != ids) & (found.shown_ids != tokenizer.mask_id)
        if other.any():
            break
    at = int(np.flatnonzero(other)[0])
    assert found.shown_ids is not None
    read = drawn(looked, found, Asked(seed=seed), [])["read"]
    assert read[at] == tokenizer.tokens([int(found.shown_ids[at])])[0].removeprefix("Ġ")
    hidden = np.flatnonzero(found.shown_ids == tokenizer.mask_id)
    assert {read[place] for place in hidden} <= {"<mask>"}


@pytest.mark.parametrize("model", ["an4", "sst2", "objects"])
def test_an_untrained_head_is_never_shown(model: str, look: Callable[..., Looked]) -> None:
    kind = {"an4": "audio", "sst2": "text", "objects": "vision"}[model]
    looked = look(kind, model)
    assert not looked.subject.has_predictor
    found = predicted(looked, Asked())
    assert found.predictions is None
    notes = lacks(looked, found)
    assert notes[:2] == [say("stage.no_predictor"), say("stage.no_teacher")]
    assert (say("stage.no_mask_embedding") in notes) == (kind == "vision")
    data = drawn(looked, found, Asked(), notes)
    assert not data["isPredicted"]
    masked = len(found.positions)
    assert decoded(data["tensors"]["hidden"]["predicted"]).size == looked.subject.depth * masked * 3, "one for every K"


def test_models_with_teacher_and_predictor_lack_nothing(look: Callable[..., Looked]) -> None:
    looked = look("vision")
    assert lacks(looked, predicted(looked, Asked())) == []


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_to_keep(kind: str, look: Callable[..., Looked]) -> None:
    looked = look(kind)
    wanted = Asked(k=1, tensor="hidden", seed=2)
    found = predicted(looked, wanted)
    errors = found.errors(found.target(1, "hidden"))
    table = Path(stage_file(looked, found, wanted, "csv")).read_text(encoding="utf-8-sig").splitlines()
    assert table[0].startswith("position,place," + ("read," if kind == "text" else "") + "error,cosine,rank,nearest")
    assert len(table) == 1 + len(found.positions)
    with np.load(stage_file(looked, found, wanted, "npz")) as file:
        assert file["error"] == pytest.approx(errors.error)
        assert np.square(file["predictions"] - file["targets"][file["is_masked"]]).mean(axis=1) == pytest.approx(
            errors.error, rel=1e-4
        )
        stated = json.loads(bytes(file["statement"]))
    assert (stated["model"], stated["seed"], stated["more"]["K"]) == (kind, 2, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_figures_to_keep(kind: str, look: Callable[..., Looked]) -> None:
    looked = look(kind)
    found = predicted(looked, Asked())
    starts = {"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG"}
    for figure, ending in zip(FIGURES, FORMATS, strict=True):
        path = Path(stage_file(looked, found, Asked(), f"{figure}.{ending}"))
        assert path.read_bytes().startswith(starts[ending])
        assert path.suffix == f".{ending}"


def test_a_report_has_its_figures(look: Callable[..., Looked]) -> None:
    looked = look("vision")
    plates = list(Stage.plates(object.__new__(Stage), looked, {**START, "seed": 4}))
    assert len(plates) == len(FIGURES)
    assert all(plate.statement.model == "vision" and plate.statement.seed == 4 for plate in plates)


@pytest.mark.parametrize("wanted", ["", "txt", "errors.exe", "../errors.svg", "errors", "."])
def test_no_other_file_is_made(wanted: str, look: Callable[..., Looked]) -> None:
    looked = look("vision")
    with pytest.raises(ValueError, match="no such file"):
        stage_file(looked, predicted(looked, Asked()), Asked(), wanted)


@pytest.mark.parametrize("has_predictor", [True, False])
def test_half_a_minute_of_speech_and_a_model_of_base_size_stay_light(
    has_predictor: bool, look: Callable[..., Looked]
) -> None:
    random, frames, depth = np.random.default_rng(0), 1499, 12
    looked = look("audio")
    labels = tuple(f"{frame / 50:.2f} s" for frame in range(frames))
    samples = random.standard_normal(480_000).astype(np.float32)
    shown = dataclasses.replace(looked.shown, labels=labels, waveform=samples, step=0.02)
    layers: Any = {
        name: random.standard_normal((depth, frames, 8)).astype(np.float32) for name in ("hidden", "feed_forward")
    }
    is_masked = random.random(frames) < 0.49
    found = MaskedPrediction(
        is_masked=is_masked,
        shown_ids=None,
        predictions=random.standard_normal((int(is_masked.sum()), 8)).astype(np.float32) if has_predictor else None,
        layers=layers,
        is_counted=np.ones(frames, dtype=bool),
        rule=looked.subject.pretraining.method.targets,
        student_layers=None if has_predictor else layers,
    )
    data = drawn(Looked(looked.selection, looked.subject, shown), found, Asked(), [])
    assert 100_000 < len(json.dumps(data)) < 1_500_000


# The endpoint


@pytest.fixture(scope="module")
def client(address: str) -> Client:
    return Client(address, verbose=False, analytics_enabled=False)


def test_predict_masked(client: Client, look: Callable[..., Looked]) -> None:
    answer = client.predict("text", text=TEXT, masked=[2, 5], k=1, api_name="/predict_masked")
    assert answer.keys() == {"positions", "error", "cosine", "rank", "chance"}
    looked = look("text")
    found = predict_masked(looked.subject.pretraining, looked.shown.batch, [2, 5])
    errors = found.errors(found.target(1))
    assert answer["positions"] == [2, 5]
    assert answer["error"] == pytest.approx(errors.error, rel=1e-5)
    assert answer["cosine"] == pytest.approx(errors.cosine, abs=1e-5)
    assert answer["rank"] == errors.rank.tolist()
    assert answer["chance"] == pytest.approx(1 / len(looked.shown))


@pytest.mark.parametrize(("modality", "name"), [("audio", "sound.wav"), ("vision", "picture.png")])
def test_predict_masked_of_a_file(modality: str, name: str, client: Client, files: Files) -> None:
    def answer(seed: int) -> Any:
        return client.predict(modality, file=handle_file(files(name)), seed=seed, api_name="/predict_masked")

    first, again, other = answer(1), answer(1), answer(2)
    assert first == again
    assert first["positions"] != other["positions"], "another seed hides other places"
    assert len(first["error"]) == len(first["positions"]) == len(first["rank"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"modality": "smell", "text": TEXT}, "modality"),
        ({"modality": "text", "text": " "}, say("text.missing")),
        ({"modality": "audio", "text": TEXT}, say("sound.missing")),
        ({"modality": "text", "text": TEXT, "model": "vision"}, "another modality"),
        ({"modality": "text", "text": TEXT, "masked": [0]}, "special tokens"),
        ({"modality": "text", "text": TEXT, "masked": [999]}, "masked has to be a whole number from 0 to"),
        ({"modality": "text", "text": TEXT, "masked": ["x"]}, "masked has to be a whole number from 0 to"),
        ({"modality": "text", "text": TEXT, "k": 99}, "k has to be a whole number from 1 to"),
        ({"modality": "text", "text": TEXT, "seed": -1}, "seed has to be a whole number from 0 to"),
    ],
)
def test_predict_masked_refuses_in_words(arguments: dict[str, Any], sentence: str, client: Client) -> None:
    with pytest.raises(AppError) as caught:
        client.predict(**arguments, api_name="/predict_masked")
    assert sentence in caught.value.message
