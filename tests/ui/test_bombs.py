"""Files and texts that would exhaust a host: each is refused in one sentence, and memory is as before."""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.bombs import ODD_NAMES, PICTURE_BOMBS, SOUND_BOMBS
from tests.memory import forget_peak, is_measurable, peak_mb, resident_mb
from tests.ui.calling import answered, refused, uploaded
from ui.catalogue import ToolName
from ui.service import Service
from ui.settings import Settings
from ui.words import say

PEAK_MB = 120
"""What a refusal may take while it is found out, a request of 10 MB included; the bombs ask for 144 to 30,000."""
LEFT_MB = 60
"""What may be left of it."""
PROCESSOR_SECONDS = 10
"""What a refusal may take, those of ffmpeg included; some of the bombs ask for hours."""
TEN_MEGABYTES = "word " * 2_000_000
BOMBS = {**PICTURE_BOMBS, **SOUND_BOMBS}
TOOLS: dict[str, ToolName] = {name: "classify_audio" if name in SOUND_BOMBS else "classify_image" for name in BOMBS}


@pytest.fixture(scope="module")
def service(settings: Settings, files: Callable[[str], str]) -> Service:
    """A service whose libraries are loaded: what they take is not the bombs'."""
    service = Service(settings)
    assert (
        ask(service, "classify_audio", files("sound.wav")) == ask(service, "classify_image", files("picture.png")) == ""
    )
    return service


@pytest.fixture(scope="module")
def warm(address: str, files: Callable[[str], str]) -> str:
    """The address of an app whose models are loaded: what they take is not the bombs'."""
    for tool, name in (("classify_audio", "sound.wav"), ("classify_image", "picture.png")):
        answered(address, tool, [uploaded(address, name, Path(files(name)).read_bytes())])
    return address


@pytest.fixture(scope="module")
def bomb(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Paths of bombs by name, each made once."""
    folder = tmp_path_factory.mktemp("bombs")

    def path(name: str) -> str:
        if not (folder / name).exists():
            (folder / name).write_bytes(BOMBS[name][0]())
        return str(folder / name)

    return path


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def calm() -> Iterator[None]:
    """Time and memory stay within bounds, and memory comes back."""
    if not is_measurable:
        pytest.skip("memory cannot be measured here")
    before, start = resident_mb(), processor_seconds()
    forget_peak()
    yield
    assert processor_seconds() - start < PROCESSOR_SECONDS
    assert peak_mb() - before < PEAK_MB
    assert resident_mb() - before < LEFT_MB


def processor_seconds() -> float:
    """Spent by this process and those that it has waited for."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def sentence_of(name: str, settings: Settings) -> str:
    return say(BOMBS[name][1], seconds=f"{settings.max_audio_seconds:g}", megapixels=f"{settings.max_megapixels:g}")


def ask(service: Service, tool: ToolName, path: str) -> str:
    """The sentence with which a file is refused; empty when it is not."""
    given = {"classify_audio": "audio", "classify_image": "image"}[tool]
    try:
        service.ask(tool, {given: path})
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", BOMBS)
def test_the_service_refuses_a_bomb_in_a_sentence(
    name: str, service: Service, bomb: Callable[[str], str], temporary: Path, request: pytest.FixtureRequest
) -> None:
    path = bomb(name)
    request.getfixturevalue("calm")
    assert ask(service, TOOLS[name], path) == sentence_of(name, service.settings)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("name", BOMBS)
def test_an_endpoint_refuses_a_bomb_in_a_sentence(
    name: str, warm: str, settings: Settings, bomb: Callable[[str], str], request: pytest.FixtureRequest
) -> None:
    path = bomb(name)
    request.getfixturevalue("calm")
    file = uploaded(warm, name, Path(path).read_bytes())
    assert refused(warm, TOOLS[name], [file]) == sentence_of(name, settings)


@pytest.mark.parametrize("tool", ["transcribe", "speaker_activity", "segment_image"])
def test_the_other_tools_on_files_survive_them_too(
    tool: ToolName, address: str, settings: Settings, bomb: Callable[[str], str]
) -> None:
    names = PICTURE_BOMBS if tool == "segment_image" else SOUND_BOMBS
    known = {sentence_of(name, settings) for name in names} | {say("sound.silent")}
    known.add(say("sound.too_long", seconds=f"{settings.max_transcription_seconds:g}"))
    for name in names:
        file = uploaded(address, name, Path(bomb(name)).read_bytes())
        assert refused(address, tool, [file]) in known, name


@pytest.mark.usefixtures("calm")
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("classify_text", [TEN_MEGABYTES]),
        ("tag_tokens", [TEN_MEGABYTES]),
        ("answer_question", ["what?", TEN_MEGABYTES]),
        ("answer_question", [TEN_MEGABYTES, "a film"]),
        ("choose", [TEN_MEGABYTES, ["warm", "dull"]]),
        ("choose", ["a film", ["warm", TEN_MEGABYTES]]),
        ("choose", ["a film", ["warm"] * 300_000]),
        ("fill_mask", ["<mask>" + TEN_MEGABYTES, 5]),
        ("continue_text", [TEN_MEGABYTES]),
        ("classify_text", ["fine", TEN_MEGABYTES]),
        ("classify_text", [{"text": TEN_MEGABYTES}]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_ten_megabytes_of_text_are_refused_in_a_sentence(tool: str, arguments: list[Any], address: str) -> None:
    assert 10 < len(refused(address, tool, arguments)) < 300


@pytest.mark.parametrize("text", ["word\n" * 2_000_000, "\n" * 10_000_000, "\r" * 10_000_000], ids=len)
@pytest.mark.usefixtures("calm")
def test_ten_megabytes_of_lines_are_refused_in_a_sentence(text: str, service: Service) -> None:
    with pytest.raises(ValueError, match="too long"):
        service.ask("classify_lines", {"lines": text})


def test_files_of_odd_names_are_taken_like_any_other(address: str, files: Callable[[str], str]) -> None:
    content = Path(files("picture.png")).read_bytes()
    assert len(ODD_NAMES) >= 200
    expected = answered(address, "classify_image", [uploaded(address, "picture.png", content)])
    taken = 0
    for name in ODD_NAMES:
        response = httpx.post(f"{address}/gradio_api/upload", files={"files": (name, content)})
        if response.status_code != 200:  # no file at all by this name, which says so
            assert response.status_code in (400, 422), name
            continue
        [path] = response.json()
        assert Path(path).name not in ("", ".", "..")
        assert not set(Path(path).name) & set('/\\\0\n\r<>"'), name
        if taken % 10 == 0:
            file = {"path": path, "meta": {"_type": "gradio.FileData"}}
            assert answered(address, "classify_image", [file]) == expected, name
        taken += 1
    assert taken >= 200
