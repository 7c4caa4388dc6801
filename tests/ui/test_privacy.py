"""What one visitor brings is nobody else's to see."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.ui.calling import answered, called, refused, uploaded
from ui.settings import Settings
from ui.words import LANGUAGES, say, speaking

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def upload(address: str, files: Callable[[str], str]) -> str:
    """Where somebody's picture lies."""
    return str(uploaded(address, "holiday.png", Path(files("picture.png")).read_bytes())["path"])


def fetched(address: str, path: str) -> int:
    """What a request for a file is answered with, the path sent as it is."""
    with httpx.Client() as client:
        return client.send(client.build_request("GET", f"{address}{path}")).status_code


def test_an_upload_lies_under_a_name_that_nobody_guesses(address: str, upload: str) -> None:
    folder = Path(upload).parent
    assert re.fullmatch("[0-9a-f]{64}", folder.name)  # 256 bits, which depend on a secret of this host
    assert fetched(address, f"/gradio_api/file={upload}") == 200
    assert fetched(address, f"/gradio_api/file={folder.parent / ('0' * 64) / 'holiday.png'}") in (403, 404)


def test_no_folder_is_listed(address: str, upload: str) -> None:
    folder = Path(upload).parent
    for place in (folder, folder.parent, folder.parent.parent, Path("/tmp"), ROOT, ROOT / "assets" / "examples"):
        for path in (str(place), f"{place}/"):
            assert fetched(address, f"/gradio_api/file={path}") in (403, 404), path


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/proc/self/environ",
        str(ROOT / "app.py"),
        str(ROOT / "README.md"),
        str(ROOT / ".git" / "config"),
        "app.py",
        "../../etc/passwd",
        f"{ROOT}/assets/examples/../../app.py",
        f"{ROOT}/assets/examples/%2e%2e/%2e%2e/app.py",
        f"{ROOT}/assets/examples/..%2f..%2fapp.py",
        f"{ROOT}/assets/examples/inputs.json/../../../app.py",
        "file:///etc/passwd",
        "http://127.0.0.1:1/x",
        "%2fetc%2fpasswd",
        os.path.expanduser("~/.bashrc"),
    ],
)
def test_no_other_file_is_handed_out(path: str, address: str) -> None:
    for place in (f"/gradio_api/file={path}", f"/gradio_api/file/{path}", f"/gradio_api/file={quote(path, safe='')}"):
        assert fetched(address, place) in (400, 403, 404), place


def test_a_path_around_the_folder_of_uploads_is_not_read(address: str, upload: str) -> None:
    outside = [f"{Path(upload).parent}/../../../../etc/hostname", f"{upload}/../../..", "/etc/hostname\0.png"]
    for path in outside:
        kind, said = called(address, "classify_image", [{"path": path, "meta": {"_type": "gradio.FileData"}}])
        assert kind == "error"
        assert "labels" not in str(said)


def test_refusals_name_no_place_on_the_host(address: str, files: Callable[[str], str]) -> None:
    home = str(Path.home())
    for endpoint, name in (("classify_image", "no_picture.png"), ("transcribe", "no_sound.wav")):
        file = uploaded(address, name, Path(files(name)).read_bytes())
        sentences = [refused(address, endpoint, [file])]
        sentences += [refused(address, endpoint, [file, model]) for model in ("no/such", "nothing", "~root", "..")]
        for sentence in sentences:
            assert not re.search(r"/(?:tmp|home|root|work|usr|proc)/|Traceback|\.py", sentence), sentence
            assert str(ROOT) not in sentence
            assert home not in sentence or home == "/"


def test_results_of_two_visitors_lie_apart(address: str, files: Callable[[str], str]) -> None:
    pictures = [Path(files(name)).read_bytes() for name in ("picture.png", "picture.png")]
    pictures[1] += b"\0"  # another file, the same picture
    given = [uploaded(address, "holiday.png", content) for content in pictures]
    assert given[0]["path"] != given[1]["path"]
    made = [answered(address, "segment_image", [one])["overlay"]["path"] for one in given]
    for path in made:
        assert re.search("/[0-9a-f]{64}/", path)


def test_another_visitors_events_are_not_handed_out(address: str) -> None:
    started = httpx.post(f"{address}/gradio_api/call/classify_text", json={"data": ["a secret film", "sst2"]}).json()
    assert re.fullmatch("[0-9a-f]{32}", started["event_id"])
    wrong = started["event_id"][:-1] + ("0" if started["event_id"][-1] != "0" else "1")
    text = ""
    with suppress(httpx.ReadTimeout, httpx.RemoteProtocolError):  # it waits for what never comes, or breaks off
        text = httpx.get(f"{address}/gradio_api/call/classify_text/{wrong}", timeout=5).text
    assert "labels" not in text
    assert "secret" not in text


@pytest.mark.parametrize("place", ["/monitoring", "/monitoring/summary", "/gradio_api/vibe-code"])
def test_nothing_tells_of_other_visits(place: str, address: str) -> None:
    assert httpx.get(f"{address}{place}", follow_redirects=True).status_code in (401, 403, 404)


def test_nobody_runs_a_model_past_the_queue(address: str) -> None:
    answer = httpx.post(f"{address}/gradio_api/run/classify_text", json={"data": ["a film", "sst2"]}, timeout=60)
    assert answer.status_code in (401, 404)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_says_when_files_are_deleted(language: str, address: str, settings: Settings) -> None:
    with speaking(language):
        sentence = say("limits.files", minutes=f"{settings.keep_files_minutes:g}")
    page = httpx.get(f"{address}/?lang={language}", follow_redirects=True, timeout=60).text
    assert sentence in page.encode().decode("unicode-escape", errors="ignore") or sentence in page
