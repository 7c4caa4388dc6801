"""Replay and live training: what the page is sent, and how processes and those who wait for one are handled."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest

from analysis.live_settings import LiveSettings
from analysis.recordings import RECORDINGS_FOLDER, bundled_recordings, load_recording
from ui.inside import training_lab
from ui.inside.tab import Inside
from ui.inside.training import FIRST, REPLAY, Training, all_recordings, fetch_recording
from ui.inside.training_lab import PRESETS, Lab, settings_of
from ui.inside.training_process import CHILD, ROOT, Ended, Full, Line, Started, Trainings, Waiting
from ui.service import Service
from ui.settings import Settings
from ui.views import replay, training
from ui.views.scripts import script
from ui.words import speaking

MOST = 1_500_000
"""Characters that one view may send."""
MOMENT = {
    "step": 5,
    "seconds": 1.5,
    "tau": 0.99,
    "loss": 0.123456789,
    "target_spread": 1.0,
    "prediction_spread": 0.5,
    "distance": [0.1, 0.2],
    "effective_rank": [3.0, 4.0],
    "knn": [0.5, 0.25],
    "cka": [1.0, None, 0.5],
}
FIRST_MOMENT = MOMENT | {"step": 0, "tau": None, "loss": None, "distance": None}
DATA = {"pieces": 8, "photographs": 2, "chance": 0.5}


def numbers(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


@pytest.fixture(scope="module")
def service() -> Service:
    return Service(Settings())


# The replay -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", bundled_recordings())
def test_what_is_drawn_is_what_was_recorded(name: str) -> None:
    recording, drawn = load_recording(name), fetch_recording({"name": name, "what": "drawn"})
    shape, grid = recording.positions.shape, recording.about.grid
    positions = (numbers(drawn["positions"], "<u2").reshape(shape) - 32768.0) / 32767 * drawn["reach"]
    np.testing.assert_allclose(positions, recording.positions, atol=drawn["reach"] / 30_000)
    assert np.abs(positions).max() == pytest.approx(drawn["reach"], rel=1e-3)  # of the whole run: the axes never move
    peaks = numbers(drawn["peaks"], "<u2").reshape(*recording.attention.shape[:3], 1) / 65535
    codes = numbers(drawn["attention"], "u1").reshape(recording.attention.shape)
    np.testing.assert_allclose(codes / 255 * peaks, recording.attention, atol=2e-5)
    np.testing.assert_allclose(drawn["numbers"]["loss"], recording.loss, rtol=1e-5)
    np.testing.assert_allclose(drawn["numbers"]["knn_teacher"], recording.knn[:, 1], rtol=1e-5)
    np.testing.assert_allclose(drawn["numbers"]["cka_layer_4"], recording.cka[:, 4], rtol=1e-5)
    np.testing.assert_allclose(drawn["numbers"]["distance_block_1"], recording.distance[:, 0], rtol=1e-5)
    assert (drawn["grid"], drawn["heads"], drawn["layer"]) == (list(grid), recording.attention.shape[1], 4)
    assert drawn["picture"].startswith("data:image/jpeg;base64,")


def test_no_view_sends_too_much() -> None:
    recordings = all_recordings()
    assert set(FIRST) <= set(recordings)
    assert len(json.dumps(fetch_recording({"what": "opening"}))) < MOST
    sizes = [len(json.dumps(fetch_recording({"name": name, "what": "drawn"}))) for name in recordings]
    assert max(sizes) < MOST / 4


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({}, FIRST),
        ({"name": "k1", "beside": "healthy"}, ("k1", "healthy")),
        ({"name": "k1"}, ("k1", "")),
        ({"name": "k1", "beside": None}, ("k1", "")),
        ({"name": "k1", "beside": "../k1"}, ("k1", "")),
        ({"name": "nothing", "beside": "k1"}, FIRST),
        ({"name": ["k1"], "beside": {}}, FIRST),
    ],
)
def test_an_address_says_what_the_replay_opens_with(asked: dict[str, Any], shown: tuple[str, str]) -> None:
    value = fetch_recording({"what": "opening", **asked})
    assert (value["first"], value["second"]) == shown
    assert [one["name"] for one in value["recordings"]] == [name for name in shown if name]


def test_a_link_tells_of_recordings_that_are_there(service: Service) -> None:
    with gr.Blocks():
        view = Inside(service, [Training]).views["training"]
    assert view.link({"recording": ["k1"], "beside": ["tau0"]}) == ([("recording", "k1"), ("beside", "tau0")], {})
    assert view.link({"recording": ["k1"], "beside": ["<b>"]}) == ([("recording", "k1")], {})
    assert view.link({"beside": ["tau0"]}) == ([], {})
    assert view.link({}) == ([], {})


def test_undefined_numbers_are_none_on_the_page_and_empty_in_the_table() -> None:
    recording = load_recording("healthy")
    recording.cka[3, 2] = np.nan
    assert replay.drawn("healthy", recording)["numbers"]["cka_layer_2"][3] is None
    rows = list(csv.DictReader(io.StringIO(replay.recording_csv(recording).decode("utf-8-sig"))))
    assert rows[3]["cka_layer_2"] == ""
    assert len(rows) == len(recording.steps)
    assert float(rows[-1]["loss"]) == pytest.approx(float(recording.loss[-1]), rel=1e-5)
    assert rows[-1]["step"] == "1600"


def test_the_files_are_the_numbers_and_the_recording() -> None:
    table, whole = (fetch_recording({"name": "k1", "what": what}) for what in ("csv", "npz"))
    assert (table["file"], whole["file"]) == ("k1.csv", "k1.npz")
    assert base64.b64decode(table["content"]) == replay.recording_csv(load_recording("k1"))
    assert base64.b64decode(whole["content"]) == (RECORDINGS_FOLDER / "k1.npz").read_bytes()


@pytest.mark.parametrize(
    "asked",
    [
        [],
        None,
        "healthy",
        {"name": "../models/text/card", "what": "npz"},
        {"name": "healthy", "what": "pickle"},
        {"name": ["healthy"], "what": "csv"},
        {"name": "healthy"},
    ],
)
def test_nothing_else_is_fetched(asked: object) -> None:
    with pytest.raises(ValueError, match="could not be fetched"):
        fetch_recording(asked)


def test_a_recording_is_told_in_the_language_of_the_page() -> None:
    with speaking("zh-CN"):
        drawn = replay.drawn("tau0", load_recording("tau0"))
    assert drawn["title"] == "tau = 0：教师就是学生"
    assert drawn["classes"][5] == "三角钢琴"
    assert "种子 0" in drawn["facts"]
    assert "seed 0" in replay.facts(load_recording("tau0"))
    assert "layer 0 is the input of the first block" in replay.facts(load_recording("tau0"))


@pytest.mark.parametrize("make", [replay.template, training.template])
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_frames_hold_nothing_that_gradio_would_fill_in(make: Any, language: str) -> None:
    with speaking(language):
        frame = make()
    assert [sign for sign in ("${", "{{", "`", "\\") if sign in frame] == []


@pytest.mark.parametrize(
    ("parts", "phrases"), [(REPLAY, replay._phrases), (("training_curves", "training"), training.phrases)]
)
def test_every_phrase_that_a_script_says_is_sent(parts: tuple[str, ...], phrases: Any) -> None:
    assert set(re.findall(r"phrases\.(\w+)", script(*parts))) <= phrases().keys()


def test_the_first_picture_is_the_whole_method_beside_a_collapse(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gr.Blocks():
        made = Training(SimpleNamespace(service=service))  # type: ignore[arg-type]
    assert made.replay.value is None  # nothing before the tab is opened
    assert (made.outputs, made.show(None)) == ([], [])
    value = fetch_recording({"what": "opening"})
    assert [one["name"] for one in value["recordings"]] == list(FIRST)
    assert [one["name"] for one in value["choices"]] == bundled_recordings()
    monkeypatch.setattr("ui.inside.training.all_recordings", dict)
    with pytest.raises(ValueError, match="could not be fetched"):  # installed without its assets
        fetch_recording({"what": "opening"})


# The line of those who wait ---------------------------------------------------------------------------------


def test_the_line_moves_up_whoever_leaves() -> None:
    line = Line(most_waiting=2)
    first, second, third = line.join(), line.join(), line.join()
    assert [line.place(one) for one in (first, second, third)] == [0, 1, 2]
    with pytest.raises(Full):
        line.join()
    line.leave(second)
    line.leave(second)  # of no effect
    assert [line.place(one) for one in (first, third)] == [0, 1]
    line.leave(first)
    assert line.place(third) == 0
    assert len(line) == 1


# Processes --------------------------------------------------------------------------------------------------

ENDLESS = f"""
import json, os, sys, time
settings = json.loads(sys.stdin.readline())
print(json.dumps({{**{DATA!r}, "pid": os.getpid(), "seed": settings["seed"]}}), flush=True)
while True:
    print('{{"step": 1}}', flush=True)
    time.sleep(0.05)
"""


def child(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.fixture
def endless() -> Iterator[Trainings]:
    trainings = Trainings(child(ENDLESS))
    yield trainings
    for visitor in ("a", "b", "c"):
        trainings.forget(visitor)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def begun(run: Iterator[Any]) -> int:
    """Until the first word of the process; its number."""
    assert isinstance(next(run), Started)
    return int(next(run)["pid"])


def test_closing_a_run_ends_its_process_and_leaves_the_line(endless: Trainings) -> None:
    run = endless.run("a", {"seconds": 60, "seed": 3})
    pid = begun(run)
    assert is_alive(pid)
    assert next(run) == {"step": 1}
    run.close()  # type: ignore[attr-defined]
    assert not is_alive(pid)
    assert len(endless.line) == 0
    assert not endless.has("a")


def test_the_settings_reach_the_process(endless: Trainings) -> None:
    run = endless.run("a", {"seconds": 60, "seed": 3})
    next(run)
    assert next(run)["seed"] == 3  # type: ignore[index]
    run.close()  # type: ignore[attr-defined]


def test_one_runs_at_a_time_and_the_others_learn_their_place(endless: Trainings) -> None:
    first, second, third = (endless.run(name, {"seconds": 60, "seed": 0}) for name in "abc")
    begun(first)
    assert next(second) == Waiting(1)
    assert next(third) == Waiting(2)
    endless.forget("b")
    assert list(second) == []
    assert next(third) == Waiting(1)
    first.close()  # type: ignore[attr-defined]
    assert is_alive(begun(third))


def test_a_visitor_who_goes_ends_the_run_from_another_thread(endless: Trainings) -> None:
    run = endless.run("a", {"seconds": 60, "seed": 0})
    pid = begun(run)
    threading.Timer(0.2, endless.forget, ["a"]).start()
    assert {event["step"] for event in run} == {1}  # type: ignore[index] # comes to its end, without a word on why
    assert not is_alive(pid)
    assert len(endless.line) == 0


def test_a_second_run_of_a_visitor_replaces_the_first(endless: Trainings) -> None:
    first = endless.run("a", {"seconds": 60, "seed": 0})
    begun(first)
    second = endless.run("a", {"seconds": 60, "seed": 0})
    assert next(second) == Waiting(1)
    assert [event for event in first if event != {"step": 1}] == []
    assert is_alive(begun(second))
    assert endless.has("a")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ('import sys; sys.stdin.readline(); print(\'{"end": "done"}\')', "done"),
        ('import sys; sys.stdin.readline(); print(\'{"end": "diverged"}\')', "diverged"),
        ("import sys; sys.stdin.readline()", "failed"),
        ("raise SystemExit(3)", "failed"),
    ],
)
def test_how_a_process_ended_is_told(code: str, why: str) -> None:
    assert list(Trainings(child(code)).run("a", {"seconds": 60})) == [Started(), Ended(why)]


def test_a_process_that_overruns_its_time_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.inside.training_process.LATE", 0.2)
    assert list(Trainings(child("import time; time.sleep(600)")).run("a", {"seconds": 0.1}))[-1] == Ended("failed")


def real_child() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(CHILD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )


def test_a_process_whose_app_has_died_ends_by_itself() -> None:
    process = real_child()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps({"seconds": 100}) + "\n")
    process.stdin.flush()
    assert "pieces" in json.loads(process.stdout.readline())
    if Path(f"/proc/{process.pid}").is_dir():
        assert os.getpriority(os.PRIO_PROCESS, process.pid) >= 15
    process.stdin.close()
    assert process.wait(timeout=30) == 0
    process.stdout.close()


def test_a_real_run_from_end_to_end() -> None:
    events = list(Trainings().run("a", {"seconds": 2, "seed": 1}))
    assert events[0] == Started()
    assert events[1]["photographs"] == 31  # type: ignore[index]
    assert events[2]["step"] == 0  # type: ignore[index]
    assert events[-2]["step"] > 0  # type: ignore[index]
    assert events[-1] == Ended("done")


# The lab ----------------------------------------------------------------------------------------------------


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Lab:
    lines = "\n".join(map(json.dumps, (DATA, FIRST_MOMENT, MOMENT, {"end": "done"})))
    trainings = Trainings(child(f"import sys; sys.stdin.readline(); print({lines!r})"))
    monkeypatch.setattr(training_lab, "trainings_of", lambda _: trainings)
    with gr.Blocks():
        return Lab(Service(Settings()))


REQUEST: Any = SimpleNamespace(session_hash="a")
VALUES = (0.99, 0.996, 3, 0.65, True, 0.003, 0, 60)


def test_a_run_is_told_from_start_to_end(lab: Lab) -> None:
    shown = list(lab.run(REQUEST, *VALUES))
    assert [one["state"] for one in shown] == ["starting", "running", "running", "ended"]
    assert shown[0]["columns"] is None  # the curves of the last run stay until there are others
    last = shown[-1]
    assert last["columns"]["step"] == [0, 5]
    assert last["columns"]["loss"] == [None, 0.12346]
    assert last["columns"]["distance_block_2"] == [None, 0.2]
    assert last["columns"]["cka_layer_1"] == [None, None]
    assert last["columns"]["knn_teacher"] == [0.25, 0.25]
    assert last["data"] == DATA
    assert "5 of 400" in last["said"]
    assert shown[1]["run"] == 1
    assert next(iter(lab.run(REQUEST, *VALUES)))["state"] == "starting"


def test_whoever_waits_is_told_the_place(lab: Lab) -> None:
    lab._trainings.line.join()
    run = lab.run(REQUEST, *VALUES)
    said = next(run)
    assert said["state"] == "waiting"
    assert "Your place in line: 1" in said["said"]
    run.close()  # type: ignore[attr-defined]
    assert len(lab._trainings.line) == 1


def test_a_line_that_is_full_is_told(lab: Lab) -> None:
    for _ in range(9):
        lab._trainings.line.join()
    [said] = lab.run(REQUEST, *VALUES)
    assert said["state"] == "ended"
    assert "Too many" in said["said"]


@pytest.mark.parametrize(
    "values", [(0.99, 0.996, 3, 0.65, True, 0.003, None, 60), (2, *VALUES[1:]), ("x", *VALUES[1:])]
)
def test_settings_that_cannot_be_used_are_refused_in_a_sentence(lab: Lab, values: tuple[Any, ...]) -> None:
    [said] = lab.run(REQUEST, *values)
    assert "cannot be used" in said["said"]


def test_stopping_keeps_the_curves(lab: Lab) -> None:
    value, button = lab.stop(REQUEST)
    assert (value["state"], value["columns"]) == ("ended", None)
    assert not button.interactive
    assert not lab.rest(REQUEST).interactive


def test_presets_leave_out_one_thing_each() -> None:
    plain = LiveSettings()
    differing = {
        name: {field for field in vars(plain) if getattr(preset, field) != getattr(plain, field)}
        for name, preset in PRESETS.items()
    }
    assert differing == {
        "healthy": set(),
        "tau0": {"tau_start", "tau_end"},
        "k1": {"top_layers"},
        "unnormalised": {"is_normalised"},
    }


def test_settings_are_told_in_words() -> None:
    assert settings_of(VALUES) == LiveSettings()
    assert training.settings_in_words(LiveSettings()) == (
        "tau 0.99–0.996, K 3, 65 % hidden, normalised, rate 0.003, seed 0"
    )
    steady = LiveSettings(tau_start=0, tau_end=0, is_normalised=False)
    assert training.settings_in_words(steady).startswith("tau 0, K 3, 65 % hidden, not normalised")
