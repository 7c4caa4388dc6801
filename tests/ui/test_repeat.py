"""The lines under a result: they run, and say the same as the page."""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.ui.test_page import ENDPOINTS
from ui.catalogue import ToolName
from ui.page import build
from ui.service import Answer, Service
from ui.settings import Settings
from ui.views import repeat
from ui.views.repeat import ADDRESS, Lines, below, lines_of

NASTY = 'a "warm" film, it\'s $HOME `id` ${x} {y} <b>&amp; \\ 温暖 🎬 \u202e\ue001\x7f\n'
ASKED: dict[ToolName, dict[str, Any]] = {
    "transcribe": {"audio": "sound.wav"},
    "classify_audio": {"audio": "sound.wav"},
    "compare_speakers": {"audio_a": ["sound.wav"], "audio_b": "other.wav"},
    "speaker_activity": {"audio": "sound.wav"},
    "classify_text": {"text": NASTY},
    "tag_tokens": {"text": NASTY},
    "answer_question": {"question": 'what\'s "it"?', "context": NASTY},
    "choose": {"prompt": NASTY, "choices": ["it's warm", '"dull"']},
    "fill_mask": {"text": f"{NASTY}<mask>", "top_k": 3},
    "continue_text": {"prompt": NASTY, "max_new_tokens": 4, "temperature": 0.7, "seed": 3},
    "classify_image": {"image": "picture.png"},
    "segment_image": {"image": "picture.png"},
}
"""With files by their names in the fixture `files`."""


@pytest.fixture(scope="module")
def service(settings: Settings) -> Service:
    return Service(settings)


Ask = Callable[..., Answer]


@pytest.fixture
def ask(service: Service, files: Callable[[str], str]) -> Ask:
    """What the page is answered."""

    def placed(value: Any) -> Any:
        if isinstance(value, list):
            return [placed(each) for each in value]
        return files(value) if isinstance(value, str) and value.endswith((".wav", ".png")) else value

    return lambda tool, **inputs: service.ask(tool, {name: placed(value) for name, value in inputs.items()})


@pytest.fixture
def place(tmp_path: Path, files: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the lines name, as the working directory."""
    for name, source in (
        ("your-file.wav", "sound.wav"),
        ("your-file-1.wav", "sound.wav"),
        ("your-file-2.wav", "other.wav"),
        ("your-file-3.wav", "other.wav"),
        ("your-picture.jpg", "picture.png"),
    ):
        shutil.copy(files(source), tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rounded(value: Any) -> Any:
    """Numbers to four places, and without files, which have other names each time."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items() if key not in ("mask", "overlay")}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value


def printed(code: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "lines", "exec"), {})
    return out.getvalue()


@pytest.mark.parametrize("tool", ASKED)
@pytest.mark.usefixtures("place")
def test_the_python_lines_give_the_result_of_the_page(tool: ToolName, ask: Ask, bundled_folder: Path) -> None:
    answer = ask(tool, **ASKED[tool])
    model = str(bundled_folder / answer.result.model)
    python = lines_of(tool, model, answer.inputs).python
    assert python
    assert rounded(ast.literal_eval(printed(python))) == rounded(answer.result.to_json() | {"model": model})


def test_the_lines_name_the_weights_where_these_change_the_numbers() -> None:
    given = {"text": "a film"}
    assert 'from_pretrained("sst2", linear="int8")' in (lines_of("classify_text", "sst2", given, "int8").python or "")
    assert 'from_pretrained("sst2")' in (lines_of("classify_text", "sst2", given, "packed").python or "")


@pytest.mark.usefixtures("place")
def test_python_lines_of_tools_that_are_not_one_call(ask: Ask, bundled_folder: Path) -> None:
    def lines(tool: ToolName, **inputs: Any) -> tuple[Any, str]:
        answer = ask(tool, **inputs)
        return answer.result, lines_of(tool, str(bundled_folder / answer.result.model), answer.inputs).python or ""

    result, python = lines("compare_speakers", audio_a=["sound.wav", "other.wav"], audio_b="other.wav")
    assert ast.literal_eval(printed(python))["similarity"] == pytest.approx(result.similarity)
    result, python = lines("classify_lines", lines=f"a film\n{NASTY}")
    heard = printed(python).splitlines()
    assert [f"'{each.labels[0].label}'" in line for line, each in zip(heard, result.classifications, strict=True)]
    result, python = lines("inspect_ctc", audio="sound.wav", text="abc")
    assert ast.literal_eval(printed(python).splitlines()[0])["text"] == result.transcript.text
    assert len(printed(python).splitlines()) == 2
    result, python = lines("transcribe", audio="sound.wav", search="beam", beam=4, alternatives=2)
    heard = ast.literal_eval(printed(python))
    assert heard["text"] == result.text
    assert len(heard["alternatives"]) == len(result.alternatives) > 0


@pytest.mark.parametrize("tool", ASKED)
@pytest.mark.usefixtures("place")
def test_the_client_lines_give_the_result_of_the_page(tool: ToolName, ask: Ask, address: str) -> None:
    answer = ask(tool, **ASKED[tool])
    client = lines_of(tool, answer.result.model, answer.inputs).client
    assert client
    heard = printed(client.replace(ADDRESS, address)).split("\n")[-2]  # the client greets first
    expected = answer.result.to_json()
    assert rounded(ast.literal_eval(heard)) == {
        key: value for key, value in rounded(expected).items() if key in ast.literal_eval(heard)
    }


@pytest.mark.parametrize("tool", ASKED)
def test_the_shell_lines_give_the_result_of_the_page(tool: ToolName, ask: Ask, address: str, place: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    answer = ask(tool, **ASKED[tool])
    http = lines_of(tool, answer.result.model, answer.inputs).http
    assert http
    assert "\u202e" not in http  # would turn the line round for the eye
    done = subprocess.run(
        ["sh", "-c", http.replace(ADDRESS, address)], cwd=place, capture_output=True, text=True, timeout=120, check=True
    )
    assert "event: complete" in done.stdout, done.stdout
    [heard] = json.loads(done.stdout.rpartition("data: ")[2].strip())
    assert heard["model"] == answer.result.model
    expected = rounded(answer.result.to_json())
    assert rounded(heard) == {key: expected[key] for key in rounded(heard)}


OF_THE_INSIDE = {"predict_masked", "attention_map", "embed", "compare_layers"}
"""Whose lines are in the notebooks and the README: a view shows more than one call gives."""


def test_every_endpoint_has_its_lines(settings: Settings) -> None:
    assert set(repeat.ENDPOINTS) == ENDPOINTS - {"list_models", *OF_THE_INSIDE} == set(ASKED)
    info = build(settings).get_api_info()["named_endpoints"]
    for name, taken in repeat.ENDPOINTS.items():
        named = [parameter["parameter_name"] for parameter in info[f"/{name}"]["parameters"]]
        runtime = [one for one in taken if one == "runtime"]  # came after the model, where callers do not stumble on it
        assert [*(one for one in taken if one not in runtime), "model", *runtime] == named, name


def test_what_an_endpoint_does_not_take_is_said(ask: Ask) -> None:
    answer = ask("continue_text", prompt="a film", max_new_tokens=2, top_k=7, top_p=0.5)
    lines = lines_of("continue_text", "causal", answer.inputs)
    assert (lines.client, lines.http, lines.beyond) == (None, None, ("top_k", "top_p"))
    assert "top_k=7" in (lines.python or "")
    assert "(top_k, top_p)" in below("continue_text", answer)
    answer = ask("compare_speakers", audio_a=["sound.wav", "other.wav"], audio_b="other.wav")
    assert lines_of("compare_speakers", "speakers", answer.inputs).beyond == ("audio_a",)


def test_a_tool_without_known_lines_shows_none(monkeypatch: pytest.MonkeyPatch, ask: Ask) -> None:
    monkeypatch.setattr(repeat, "_PYTHON", {})
    answer = ask("classify_lines", lines="a film")
    assert lines_of("classify_lines", "sst2", answer.inputs) == Lines(python=None, client=None, http=None)
    assert "<details" not in below("classify_lines", answer)


def test_no_text_becomes_markup(ask: Ask) -> None:
    html = below("classify_text", ask("classify_text", text=f"{ADDRESS} {NASTY} <img src=x onerror=alert(1)>"))
    assert "<img" not in html
    assert "<b>" not in html
    codes = re.findall(r"<code>(.*?)</code>", html, flags=re.DOTALL)
    assert len(codes) == 3
    shown = [unescape(re.sub(r"</?span[^>]*>", "", code)) for code in codes]
    assert all("<img src=x onerror=alert(1)>" in code for code in shown)
    assert [code.count('class="address"') for code in codes] == [0, 1, 1]  # the app's own, not the text's


@pytest.mark.parametrize("tool", ["classify_text", "segment_image"])
def test_a_result_can_be_kept_as_a_file(tool: ToolName, ask: Ask) -> None:
    answer = ask(tool, **ASKED[tool])
    html = below(tool, answer)
    assert f'download="{tool}.json"' in html
    [content] = re.findall(r'href="data:application/json;base64,([^"]*)"', html)
    assert json.loads(base64.b64decode(content)) == answer.result.to_json()
