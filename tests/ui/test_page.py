"""The page as it is built: tabs, endpoints, queues, limits in words; and its handlers without a server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio.utils import get_upload_folder

from data2vec_core.checkpoints.errors import CheckpointError
from ui.catalogue import TOOLS
from ui.page import build, launch_options
from ui.panel import MODEL_QUEUE, Panel
from ui.service import Service
from ui.settings import Settings
from ui.text import build as build_text
from ui.words import say

ENDPOINTS = {"transcribe", "classify_audio", "classify_text", "classify_image", "segment_image", "list_models"}
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def config(settings: Settings) -> dict[str, Any]:
    return build(settings).config  # type: ignore[return-value]


def labels(config: dict[str, Any], kind: str) -> list[str]:
    return [component["props"]["label"] for component in config["components"] if component["type"] == kind]


def test_tabs(config: dict[str, Any]) -> None:
    tabs = ["Transcribe", "Classify sound", "Speech", "Text", "Classify picture", "Segment", "Vision"]
    assert sorted(labels(config, "tabitem")) == sorted(tabs)
    assert all(component["props"]["elem_id"] for component in config["components"] if component["type"] == "tabitem")


def test_six_endpoints_are_public_and_all_plumbing_is_private(config: dict[str, Any]) -> None:
    public = {event["api_name"] for event in config["dependencies"] if event["api_visibility"] != "private"}
    assert public == ENDPOINTS


def test_every_event_that_runs_a_model_waits_in_one_queue(settings: Settings) -> None:
    demo = build(settings)
    runs = [
        function
        for function in demo.fns.values()
        if function.name in ENDPOINTS - {"list_models"} or function.name in {"run", "open", "choose_example"}
    ]
    assert len(runs) == 5 + 3 * 5
    assert {(function.concurrency_id, function.concurrency_limit) for function in runs} == {
        (MODEL_QUEUE, settings.parallel_runs)
    }


def test_model_choosers_list_bundled_and_public_models(config: dict[str, Any]) -> None:
    choosers = {
        component["props"]["elem_id"].removesuffix("-model"): component["props"]
        for component in config["components"]
        if component["type"] == "dropdown"
    }
    assert set(choosers) == set(TOOLS)
    offered = {value for chooser in choosers.values() for _, value in chooser["choices"]}
    public = {f"facebook/data2vec-{name}" for name in ("audio-base-960h", "audio-base", "text-base", "vision-base")}
    assert offered >= public | {"facebook/data2vec-vision-base-ft1k"} | {tool.default_model for tool in TOOLS.values()}
    assert all(chooser["allow_custom_value"] for chooser in choosers.values())


def test_every_limit_is_told_to_the_visitor(config: dict[str, Any]) -> None:
    told = " ".join(str(c["props"].get("value")) for c in config["components"] if c["type"] == "html")
    for text in ("20 seconds", "2000 characters", "0.5 million pixels", "2 MB", "32 visitors", "60 minutes"):
        assert text in told


def test_the_server_keeps_to_itself(settings: Settings) -> None:
    options = launch_options(settings)
    assert not {"share", "server_name", "server_port"} & options.keys()  # left to gradio's own variables
    assert options["max_file_size"] == "2mb"
    assert [options[name] for name in ("enable_monitoring", "run_history", "ssr_mode", "show_error")] == [False] * 4
    demo = build(settings)
    assert not demo.analytics_enabled
    assert demo.delete_cache == (600, 3600)


class Asked:
    """Stands in for the service of one panel."""

    def __init__(self, settings: Settings, error: Exception) -> None:
        self.settings = settings
        self.error = error

    def models_for(self, _: str) -> list[Any]:
        return []

    def ask(self, *_: Any) -> Any:
        raise self.error

    ask_example = ask


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("too <long>"), "too &lt;long&gt;"),
        (CheckpointError("no network"), "no network"),
        (RuntimeError("/secret"), say("error.unexpected")),
    ],
)
def test_an_error_takes_the_place_of_the_result(error: Exception, told: str, settings: Settings) -> None:
    with gr.Blocks():
        panel = build_text(Asked(settings, error), settings)  # type: ignore[arg-type]
    [result] = panel.run("a text", "sst2")
    assert 'role="alert"' in result
    assert told in result
    assert "/secret" not in result


def panel_of(settings: Settings, builder: Callable[[Service, Settings], Panel]) -> Panel:
    with gr.Blocks():
        return builder(Service(settings), settings)


def test_a_panel_answers_its_first_example_once(settings: Settings) -> None:
    panel = panel_of(settings, build_text)
    is_open, result = panel.open(False)
    assert is_open
    assert "Answered by <strong>sst2</strong>" in result
    again = panel.open(True)
    assert again[0] is True
    assert again[1] == gr.skip()


def test_a_chosen_example_fills_the_input(settings: Settings) -> None:
    panel = panel_of(settings, build_text)
    source, result = panel.choose_example(1, "sst2")
    assert source == panel._examples[1].source
    assert "headline" in result


def test_the_page_refuses_a_path_that_is_no_upload(settings: Settings) -> None:
    from ui.speech import build as build_speech

    panel = panel_of(settings, build_speech)
    assert "has to be uploaded" in panel.run({"path": "/etc/hostname"}, "an4")[0]
    assert say("sound.missing") in panel.run(None, "an4")[0]
    assert say("sound.unreadable") in panel.run({"path": f"{get_upload_folder()}/none.wav"}, "an4")[0]


def test_the_app_opens_without_what_is_slow_to_import() -> None:
    code = (
        "import sys, app; slow = {'torch', 'librosa', 'numba', 'umap', 'sklearn', 'matplotlib', 'transformers'};"
        "print(type(app.demo).__name__, sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "Blocks []"
