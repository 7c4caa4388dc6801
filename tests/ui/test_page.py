"""The page as it is built: tabs, endpoints, queues, limits in words; and its handlers without a server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio.components import Component
from gradio.utils import get_upload_folder

from data2vec_core.checkpoints.errors import CheckpointError
from ui.catalogue import TOOLS
from ui.examples import shipped_examples
from ui.inside import VIEWS
from ui.page import build, launch_options
from ui.panel import MODEL_QUEUE, Panel
from ui.service import Service
from ui.settings import Settings
from ui.speech import build as build_speech
from ui.speech import show_similarity
from ui.text import build as build_text
from ui.text import show_choice, show_continuation
from ui.words import LANGUAGES, say

NOT_PUBLIC = {"classify_lines", "inspect_ctc", "explain_image", "classify_images", "score_map"}
INSIDE = {"predict_masked", "attention_map", "embed", "compare_layers"}
"""Endpoints of the inside views."""
ENDPOINTS = {*TOOLS, *INSIDE, "list_models"} - NOT_PUBLIC
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def config(settings: Settings) -> dict[str, Any]:
    return build(settings).config  # type: ignore[return-value]


def labels(config: dict[str, Any], kind: str) -> list[str]:
    here = set(config["page"][""]["components"])
    return [
        component["props"]["label"]
        for component in config["components"]
        if component["type"] == kind and component["id"] in here
    ]


def test_tabs(config: dict[str, Any]) -> None:
    speech = ["Transcribe", "CTC microscope", "Classify sound", "Same speaker?", "Who speaks when"]
    texts = ["Classify", "Tag", "Answer", "Choose", "Fill the mask", "Continue"]
    inside = [say(f"{view.name}.tab") for view in VIEWS]
    tabs = [
        "Start",
        "Speech",
        *speech,
        "Text",
        *texts,
        "Vision",
        "Classify picture",
        "Segment",
        "Inside",
        *inside,
        "Models",
    ]
    assert sorted(labels(config, "tabitem")) == sorted(tabs)
    assert all(component["props"]["elem_id"] for component in config["components"] if component["type"] == "tabitem")


def test_the_endpoints_are_public_and_all_plumbing_is_private(config: dict[str, Any]) -> None:
    public = {event["api_name"] for event in config["dependencies"] if event["api_visibility"] != "private"}
    assert public == ENDPOINTS


def test_every_event_that_runs_a_model_waits_in_one_queue(settings: Settings) -> None:
    demo = build(settings)
    runs = [
        function
        for function in demo.fns.values()
        if function.name in ENDPOINTS - {"list_models"}
        or (
            function.name in {"run", "open", "choose_example", "explain_class", "compare_maps"}
            and function.fn.__module__ != "ui.inside.training_lab"  # which trains in a process of its own
        )
    ]
    assert len(runs) == 12 + len(INSIDE) + (3 * 15 + 2) * len(LANGUAGES)
    assert {(function.concurrency_id, function.concurrency_limit) for function in runs} == {
        (MODEL_QUEUE, settings.parallel_runs)
    }


def test_model_choosers_list_bundled_and_public_models(config: dict[str, Any]) -> None:
    choosers = {
        component["props"]["elem_id"].removesuffix("-model"): component["props"]
        for component in config["components"]
        if component["type"] == "dropdown" and component["props"]["elem_id"].endswith("-model")
    }
    for elsewhere in ("live", "layers-other"):
        choosers.pop(elsewhere, None)
    assert {name for _, name in choosers.pop("inside")["choices"]} >= {"vision", "objects"}
    assert set(choosers) == {name for name, tool in TOOLS.items() if tool.part_of is None}
    offered = {value for chooser in choosers.values() for _, value in chooser["choices"]}
    public = {f"facebook/data2vec-{name}" for name in ("audio-base-960h", "audio-base", "text-base", "vision-base")}
    assert offered >= public | {"facebook/data2vec-vision-base-ft1k"} | {tool.default_model for tool in TOOLS.values()}
    assert all(chooser["allow_custom_value"] for chooser in choosers.values())


def test_every_limit_is_told_to_the_visitor(config: dict[str, Any]) -> None:
    told = " ".join(str(c["props"].get("value")) for c in config["components"] if c["type"] == "html")
    limits = (
        "20 seconds",
        "2000 characters",
        "20000 characters",
        "200 lines",
        "0.5 million pixels",
        "up to 32.",
        "2 MB",
        "32 visitors",
    )
    for text in (*limits, "60 minutes"):
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

    def knows(self, _: str) -> bool:
        return True

    def stream(self, *_: Any) -> Any:
        raise self.error

    ask_example = stream


def panel_of(service: Service, builder: Callable[[Service], Panel]) -> Panel:
    with gr.Blocks():
        return builder(service)


def asked(panel: Panel, model: str = "", **given: Any) -> str:
    """What a panel shows at last when its components hold these values, and settings that are not given their own."""
    held: dict[Component, Any] = {part: part.value for field in panel.fields.values() for part in field.inputs}
    for one in panel._tool.inputs:
        if not one.is_setting:
            held |= dict.fromkeys(panel.fields[one.name].inputs)
    for name, value in given.items():
        parts = panel.fields[name].inputs
        held |= zip(parts, value if len(parts) > 1 else [value], strict=False)
    *_, values = panel.run({panel.model: model, **held})
    return str(values[0])


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("too <long>"), "too &lt;long&gt;"),
        (CheckpointError("no network"), "no network"),
        (RuntimeError("/secret"), say("error.unexpected")),
    ],
)
def test_an_error_takes_the_place_of_the_result(error: Exception, told: str, settings: Settings) -> None:
    panel = panel_of(Asked(settings, error), build_text)  # type: ignore[arg-type]
    result = asked(panel, text="a text")
    assert 'role="alert"' in result
    assert told in result
    assert "/secret" not in result


def test_a_panel_answers_its_first_example_once(settings: Settings) -> None:
    panel = panel_of(Service(settings), build_text)
    is_open, result = panel.open(False)
    assert is_open
    assert "Answered by <strong>sst2</strong>" in result
    again = panel.open(True)
    assert again[0] is True
    assert again[1] == gr.skip()


def test_a_panel_without_its_model_opens_empty_and_says_why_it_cannot_answer(settings: Settings) -> None:
    panel = panel_of(Service(settings, models=()), build_text)
    assert panel.open(False)[1] == gr.skip()
    assert "no model called sst2 here" in asked(panel, text="a text")


def test_a_chosen_example_fills_the_input(settings: Settings) -> None:
    panel = panel_of(Service(settings), build_text)
    text, result = panel.choose_example(1, "sst2")
    assert text == shipped_examples("classify_text")[1].inputs["text"]
    assert "headline" in result


def test_a_chosen_example_fills_every_row_and_setting(settings: Settings) -> None:
    service = Service(settings)
    panel = panel_of(service, partial(Panel, name="choose", show=show_choice))
    prompt, shown, more, *rows, result = panel.choose_example(1, "")
    example = shipped_examples("choose")[1].inputs
    assert (prompt, shown) == (example["prompt"], 2)
    assert more.interactive
    assert [(row["value"], row["visible"]) for row in rows[:3]] == [
        (example["choices"][0], True),
        (example["choices"][1], True),
        (None, False),
    ]
    assert "fits best" in result
    panel = panel_of(service, partial(Panel, name="continue_text", show=show_continuation))
    example = shipped_examples("continue_text")[0].inputs
    assert panel.choose_example(0, "")[:6] == [example["prompt"], 30, 0.8, 50, 0.95, example["seed"]]


def test_rows_that_stay_empty_do_not_count(settings: Settings) -> None:
    panel = panel_of(Service(settings), partial(Panel, name="choose", show=show_choice))
    html = asked(panel, prompt="a film", choices=["warm", "", None, "dull"])
    assert html.count("<li>") == 2
    assert say("choose.miscounted", fewest=2, most=6) in asked(panel, prompt="a film", choices=["warm", " "])


def test_a_text_grows_on_the_page(settings: Settings) -> None:
    panel = panel_of(Service(settings), partial(Panel, name="continue_text", show=show_continuation))
    settings_given = {"max_new_tokens": 3, "temperature": 1, "top_k": 0, "top_p": 1, "seed": 5}
    held = {panel.fields[name].inputs[0]: value for name, value in {"prompt": "a film", **settings_given}.items()}
    pages = [values[0] for values in panel.run({panel.model: "", **held})]
    assert 2 <= len(pages) <= 4
    assert all("Drawn with seed 5" in page and "Answered by" in page for page in pages)


def test_the_page_refuses_a_path_that_is_no_upload(settings: Settings) -> None:
    panel = panel_of(Service(settings), build_speech)
    assert "has to be uploaded" in asked(panel, audio={"path": "/etc/hostname"})
    assert say("sound.missing") in asked(panel, audio=None)
    assert say("sound.unreadable") in asked(panel, audio={"path": f"{get_upload_folder()}/none.wav"})
    voices = panel_of(Service(settings), partial(Panel, name="compare_speakers", show=show_similarity))
    assert "has to be uploaded" in asked(voices, audio_a=[{"path": "/etc/hostname"}], audio_b=None)
    assert "The first voice needs a clip" in asked(voices, audio_a=[None], audio_b=None)


@pytest.mark.parametrize("is_there", [True, False])
def test_tools_are_offered_to_assistants_where_the_extra_is_installed(
    is_there: bool, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.page.find_spec", lambda _: object() if is_there else None)
    assert launch_options(settings)["mcp_server"] is is_there


def test_the_app_opens_without_what_is_slow_to_import() -> None:
    code = (
        "import sys, app;"
        "slow = {'torch', 'librosa', 'numba', 'umap', 'sklearn', 'matplotlib', 'transformers', 'tensorflow', 'keras'};"
        "print(type(app.demo).__name__, sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "Blocks []"
