"""Anything at all, sent to every public endpoint: an answer or a sentence, never a failure, and the app lives on.

What is sent is drawn from the schema that the app publishes: each argument is sometimes of its type, sometimes not.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.lab import running
from tests.tasks.conftest import checkpoints  # noqa: F401 - a fixture
from tests.ui.calling import parameters
from tests.ui.conftest import bundled_folder  # noqa: F401 - a fixture
from ui.settings import Settings
from ui.words import say

ENDPOINTS = (
    "transcribe",
    "classify_audio",
    "compare_speakers",
    "speaker_activity",
    "classify_text",
    "tag_tokens",
    "answer_question",
    "choose",
    "fill_mask",
    "continue_text",
    "classify_image",
    "segment_image",
    "list_models",
)
SECRET = "the secret of another visitor"

_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_words = st.text() | st.sampled_from(
    ["a <mask> film", "${7*7}", "{{7*7}}", "<img src=x onerror=alert(1)>", "\0", "\ud800", "~root", "../..", "x" * 3000]
)
_anything = st.recursive(
    _scalars | _words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)
_paths = st.sampled_from(["/etc/passwd", "", ".", "x.wav", "\0", "/" * 5000]) | st.text()
_files = st.fixed_dictionaries(
    {},
    optional={
        "path": _paths | _anything,
        "url": _paths | _anything,
        "meta": st.just({"_type": "gradio.FileData"}) | _anything,
        "size": _scalars,
        "orig_name": _words,
        "is_stream": _scalars,
    },
)


def _argument(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Of its type as a rule, as the published schema describes it; anything otherwise."""
    kind = schema.get("type")
    if kind == "string":
        fitting: st.SearchStrategy[Any] = _words
    elif kind in ("integer", "number"):
        fitting = st.integers(-5, 200) | st.floats(-5, 5)
    elif kind == "array":
        fitting = st.lists(_words, max_size=8)
    elif kind == "object" or "properties" in schema or "$ref" in schema:
        fitting = _files
    else:
        fitting = _anything
    return fitting | fitting | _anything


@pytest.fixture(scope="module")
def fuzzed(bundled_folder: Any) -> Iterator[str]:  # noqa: F811
    """The address of an app that downloads nothing."""
    limits = Settings(bundled_folder=bundled_folder, threads=1, public=True, allow_hub=False, allow_local_folders=False)
    with running(limits) as address:
        yield address


def asked(address: str, endpoint: str, body: bytes) -> tuple[int, str]:
    """Status and last words of a call."""
    headers = {"Content-Type": "application/json"}
    start = httpx.post(f"{address}/gradio_api/call/{endpoint}", content=body, headers=headers, timeout=120)
    if start.status_code != 200:
        return start.status_code, start.text
    event = start.json()["event_id"]
    answer = httpx.get(f"{address}/gradio_api/call/{endpoint}/{event}", timeout=120)
    return answer.status_code, answer.text


@pytest.mark.slow
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_anything_is_answered_or_refused(endpoint: str, fuzzed: str, caplog: pytest.LogCaptureFixture) -> None:
    schemas = [one["type"] for one in parameters(fuzzed)[endpoint]]
    arguments = st.tuples(*map(_argument, schemas)).map(list) | st.lists(_anything, max_size=len(schemas) + 2)

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(arguments)
    def check(values: list[Any]) -> None:
        body = json.dumps({"data": values}).encode("ascii", errors="replace")
        with caplog.at_level(logging.ERROR, "ui.errors"):
            status, said = asked(fuzzed, endpoint, body)
        assert status < 500, said
        assert "Traceback" not in said
        assert "site-packages" not in said
        assert "root:x:" not in said
        assert SECRET not in said
        assert say("error.unexpected") not in said, [record.exc_text for record in caplog.records]
        assert "event: complete" in said or "event: error" in said or status in (400, 404, 422)

    asked(fuzzed, "classify_text", json.dumps({"data": [SECRET, "sst2"]}).encode())
    check()
    _, said = asked(fuzzed, "classify_text", json.dumps({"data": ["a film", "sst2"]}).encode())
    assert "event: complete" in said  # for whoever comes next


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=st.binary(max_size=200) | _anything.map(lambda value: json.dumps(value).encode("ascii", errors="replace")))
def test_a_body_that_is_no_call_is_refused(fuzzed: str, body: bytes) -> None:
    status, said = asked(fuzzed, "classify_text", body)
    assert status < 500 or status == 500 and "Traceback" not in said, said
