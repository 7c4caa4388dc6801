"""Transcription as a product: long sound in steps, searches, the player's data, files, and somebody who speaks."""

from __future__ import annotations

import json
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from data2vec_core.tasks import Alternative, Transcript, Windows, Word
from ui.downloads import TRANSCRIPT_FORMATS, transcript_files
from ui.inputs import SoundFile, SoundInput
from ui.live import Listener, Listeners, _read
from ui.options import ChoiceInput
from ui.service import Answer, Service
from ui.settings import Settings
from ui.speech import show_transcript
from ui.steps import WORKER, Step, in_turns
from ui.views.notice import empty, is_working, working
from ui.views.player import played
from ui.views.transcript import transcript
from ui.words import say

Files = Callable[[str], str]
HOSTILE = "<img src=x onerror=alert(1)>${alert(1)}{{x}}"
HEARD = Transcript(
    text="ONE TWO",
    words=(
        Word(word="ONE", start=0.1, end=0.4, confidence=0.9),
        Word(word="TWO", start=0.5, end=0.8, confidence=0.25),
    ),
    duration=1.0,
    model="an4",
)


@pytest.fixture(scope="module")
def service(bundled_folder: Path) -> Service:
    return Service(Settings(bundled_folder=bundled_folder, threads=1))


@pytest.fixture(scope="module")
def minute(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A minute of noise."""
    path = tmp_path_factory.mktemp("long") / "minute.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(3).standard_normal(60 * 16_000), 16_000)
    return str(path)


def workers() -> set[threading.Thread]:
    """The threads that work in turns: what else runs in the process comes and goes as it likes."""
    return {thread for thread in threading.enumerate() if thread.name == WORKER}


class TestTurns:
    def test_work_goes_on_only_while_it_is_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ui.steps.TURN", 0.0)
        done = []

        def work(tell: Callable[[float], None]) -> str:
            for i in range(4):
                done.append(i)
                tell(i / 4)
            return "whole"

        steps = in_turns(work)
        assert done == []
        assert next(steps) == Step(0.0)
        assert done == [0]
        assert [*steps] == [Step(0.25), Step(0.5), Step(0.75), "whole"]

    def test_what_nobody_asks_for_any_more_ends_and_is_cleaned_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ui.steps.TURN", 0.0)
        told = []

        def work(tell: Callable[[float], None]) -> None:
            try:
                for i in range(100):
                    told.append(i)
                    tell(i / 100)
            finally:
                told.append(-1)

        before = workers()
        steps = in_turns(work)
        next(steps)
        assert len(workers() - before) == 1
        steps.close()  # type: ignore[attr-defined]
        assert told == [0, -1]
        assert workers() == before

    def test_errors_come_out_where_the_work_is_asked_for(self) -> None:
        def work(_: Callable[[float], None]) -> None:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            next(in_turns(work))

    def test_progress_in_quick_succession_ends_no_turn(self) -> None:
        def quick(tell: Callable[[float], None]) -> str:
            for i in range(50):
                tell(i / 50)
            return "whole"

        assert [*in_turns(quick)] == ["whole"]


class TestLongSound:
    def test_it_is_answered_in_steps_and_the_model_is_free_between_them(
        self, service: Service, minute: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ui.steps.TURN", 0.0)
        answers = service.stream("transcribe", {"audio": minute})
        steps = [next(answers) for _ in range(3)]
        assert all(isinstance(step, Step) for step in steps)
        with service.using("transcribe"):  # would wait for ever
            pass
        *more, last = answers
        fractions = [step.fraction for step in (*steps, *more)]  # type: ignore[union-attr]
        assert fractions == sorted(fractions)
        assert any(0 < fraction < 1 for fraction in fractions)
        assert isinstance(last, Answer)
        assert last.result.duration == pytest.approx(60)
        assert last.inputs["audio"].path == Path(minute)

    def test_who_stops_leaves_no_thread_behind(
        self, service: Service, minute: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ui.steps.TURN", 0.0)
        service.ask("transcribe", {"audio": minute})
        before = workers()
        answers = service.stream("transcribe", {"audio": minute})
        next(answers)
        assert len(workers() - before) == 1
        answers.close()
        assert workers() == before

    def test_the_limit_is_that_of_transcription(self, minute: str) -> None:
        kind = SoundInput("audio", is_long=True)
        settings = Settings(max_audio_seconds=1, max_transcription_seconds=60.5)
        assert kind.read(minute, settings) == SoundFile(Path(minute), 60.5)
        assert "1.00833 minutes" in kind.limit(settings)
        with pytest.raises(ValueError, match=say("sound.too_long", seconds="59")):
            kind.read(minute, Settings(max_transcription_seconds=59))

    def test_a_length_that_only_decoding_tells_is_limited_too(
        self, bundled_folder: Path, minute: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service = Service(Settings(bundled_folder=bundled_folder, threads=1, max_transcription_seconds=59))
        monkeypatch.setattr("ui.inputs._stated_seconds", lambda _: 0.0)
        with pytest.raises(ValueError, match=say("sound.too_long", seconds="59")):
            service.ask("transcribe", {"audio": minute})

    @pytest.mark.parametrize(
        ("name", "key"), [("silence.wav", "silent"), ("no_sound.wav", "unreadable"), ("empty.wav", "empty")]
    )
    def test_what_cannot_be_used_is_refused_in_words(self, service: Service, files: Files, name: str, key: str) -> None:
        sentences = {"silent": say("sound.silent"), "unreadable": say("sound.unreadable"), "empty": say("sound.empty")}
        with pytest.raises(ValueError, match=sentences[key]):
            service.ask("transcribe", {"audio": files(name)})


class TestSearch:
    def test_a_beam_names_the_likeliest_texts_of_a_short_clip(self, service: Service, files: Files) -> None:
        asked = {"audio": files("sound.wav"), "search": "beam", "beam": 4, "alternatives": 3}
        result = service.ask("transcribe", asked).result
        assert 1 <= len(result.alternatives) <= 3
        assert result.alternatives[0].text == result.text

    def test_the_best_path_names_none(self, service: Service, files: Files) -> None:
        result = service.ask("transcribe", {"audio": files("sound.wav"), "alternatives": 3}).result
        assert result.alternatives == ()
        assert set(result.to_json()) == {"text", "words", "duration", "model"}  # the contract of the endpoint

    def test_a_model_without_words_says_so(self, service: Service, files: Files) -> None:
        with pytest.raises(ValueError, match=say("transcribe.no_lexicon")):
            service.ask("transcribe", {"audio": files("sound.wav"), "search": "lexicon"})

    @pytest.mark.parametrize("value", ["", None, 3, "BEAM"])
    def test_another_search_is_refused(self, value: Any) -> None:
        kind = ChoiceInput("search", options=("best_path", "beam"))
        assert kind.read("beam", Settings()) == "beam"
        assert kind.default == "best_path"
        with pytest.raises(ValueError, match="search has to be one of: best_path, beam"):
            kind.read(value, Settings())

    def test_the_bundled_model_hears_in_short_windows_and_brings_its_words(self) -> None:
        service = Service(Settings(threads=1))
        with service.using("transcribe", "an4") as task:
            assert task.windows == Windows(seconds=5.0, overlap=2.0)  # type: ignore[attr-defined]
        asked = {"audio": "assets/examples/digits.wav", "search": "lexicon"}
        assert service.ask("transcribe", asked, "an4").result.text == "TWO NINE THREE FOUR ZERO"


class TestViews:
    def test_the_player_gets_its_words_in_few_bytes(self) -> None:
        given = played(Path("/somewhere/sound.wav"), HEARD).value
        assert given["words"] == "ONE\nTWO"
        assert np.frombuffer(b64decode(given["times"]), "<u4").tolist() == [100, 400, 500, 800]
        assert np.frombuffer(b64decode(given["sure"]), np.uint8).tolist() == [90, 25]
        assert given["audio"]["path"] == "/somewhere/sound.wav"
        assert given["audio"]["meta"] == {"_type": "gradio.FileData"}  # so that gradio serves it
        hour = Transcript(text="", words=HEARD.words * 5000, duration=3600, model="an4")
        assert len(json.dumps(played(Path("/somewhere/sound.wav"), hour).value)) < 250_000

    def test_alternatives_are_listed_and_escaped(self) -> None:
        texts = (Alternative(text=HOSTILE, log_probability=np.log(0.75)), Alternative(text="TWO", log_probability=-9.0))
        html = transcript(Transcript(text="", words=HEARD.words, duration=1, model="an4", alternatives=texts))
        assert "<img" not in html
        assert "75 %" in html
        assert "&lt; 0.1 %" in html or "< 0.1 %" in html
        none = say("transcribe.alternatives_none")
        assert none in transcript(HEARD, wants_alternatives=True)
        assert none not in transcript(HEARD)

    def test_a_clip_without_words_shows_neither_player_nor_files(self) -> None:
        nothing = Transcript(text="", words=(), duration=1.0, model="an4")
        inputs = {"audio": SoundFile(Path("x.wav"), 1), "search": "best_path", "alternatives": 5}
        html, *others = show_transcript(Answer(nothing, inputs, None))
        assert say("transcribe.no_words") in html
        assert [other.visible for other in others] == [False] * (1 + len(TRANSCRIPT_FORMATS))

    def test_a_transcript_is_kept_in_every_format(self) -> None:
        paths = [Path(path) for path in transcript_files(HEARD)]
        assert [path.name for path in paths] == [f"transcript.{ending}" for ending in TRANSCRIPT_FORMATS.values()]
        texts = [path.read_text(encoding="utf-8") for path in paths]
        assert [text.split("\n")[0] for text in texts] == ["ONE TWO", "1", "WEBVTT", "{", 'File type = "ooTextFile"']
        assert json.loads(texts[3])["words"][1]["confidence"] == 0.25

    def test_a_bar_says_how_far_the_work_is_and_is_known_again(self) -> None:
        html = working(0.256)
        assert 'role="progressbar"' in html
        assert 'aria-valuenow="26"' in html
        assert "26 %" in html
        assert is_working(html)
        assert not any(is_working(other) for other in (empty("x"), None, f"<p>{html}</p>"))


def noise(seconds: float) -> np.ndarray:
    return (0.1 * np.random.default_rng(5).standard_normal(int(16_000 * seconds))).astype(np.float32)


def waited(listener: Listener) -> bool:
    listener._thread.join(30)
    return listener.is_over


class TestListening:
    @pytest.fixture
    def listeners(self, service: Service) -> Iterator[Listeners]:
        listeners = Listeners(service)
        yield listeners
        for visitor in ("a", "b", "c"):
            listeners.forget(visitor)

    def test_chunks_are_heard_to_the_last_sample_and_all_is_forgotten(self, listeners: Listeners) -> None:
        listener = listeners.start("a", "")
        for _ in range(6):
            listener.take((16_000, noise(0.5)))
        text = listener.finish()
        assert text is not None
        assert (text.duration, text.provisional) == (3.0, "")
        assert waited(listener)
        listener.take((16_000, noise(0.5)))  # late: nobody hears it
        assert listener.text() == text
        listeners.forget("a")
        assert listeners.of("a") is None

    def test_a_rate_may_change(self, listeners: Listeners) -> None:
        listener = listeners.start("a", "")
        listener.take((16_000, noise(0.5)))
        listener.take((8_000, noise(0.5)))
        text = listener.finish()
        assert text is not None
        assert text.duration == pytest.approx(1.5, abs=0.01)

    def test_so_many_are_heard_at_once_and_each_anew(self, listeners: Listeners) -> None:
        first = listeners.start("a", "")
        listeners.start("b", "")
        with pytest.raises(ValueError, match="2 visitors are being listened to"):
            listeners.start("c", "")
        assert listeners.start("a", "") is not first
        assert waited(first)
        listeners.forget("b")
        listeners.start("c", "")
        assert len(listeners) == 2

    def test_time_is_limited(self, bundled_folder: Path) -> None:
        service = Service(Settings(bundled_folder=bundled_folder, threads=1, max_live_seconds=1))
        listener = Listeners(service).start("a", "")
        for _ in range(4):
            listener.take((16_000, noise(0.5)))
        assert waited(listener)
        text = listener.text()
        assert text is not None
        assert text.duration == 1.0

    def test_who_goes_without_a_word_is_not_waited_for(
        self, listeners: Listeners, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ui.live.PATIENCE", 0.05)
        assert waited(listeners.start("a", ""))
        dropped = listeners.start("b", "")
        listeners.forget("b")
        assert waited(dropped)

    def test_a_model_that_cannot_be_had_is_told(self, listeners: Listeners) -> None:
        listener = listeners.start("a", "nothing-of-the-kind")
        assert waited(listener)
        with pytest.raises(ValueError, match="nothing-of-the-kind"):
            listener.text()

    def test_a_chunk_keeps_its_rate_and_is_an_upload_of_bounded_length(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ui.inputs.get_upload_folder", lambda: str(tmp_path))
        path = tmp_path / "chunk.wav"
        soundfile.write(path, noise(0.5), 8_000)
        rate, samples = _read({"path": str(path)})
        assert (rate, len(samples)) == (8_000, 8_000)
        soundfile.write(path, noise(11), 16_000)
        with pytest.raises(ValueError, match="too long"):
            _read({"path": str(path)})
        path.write_text("these are words", encoding="utf-8")
        with pytest.raises(ValueError, match=say("sound.unreadable")):
            _read({"path": str(path)})
        with pytest.raises(ValueError, match=say("api.no_file")):
            _read({"path": "/etc/hostname"})


def test_a_visitor_is_told_apart_by_the_session(service: Service) -> None:
    listeners = Listeners(service)
    requests = [SimpleNamespace(session_hash=name) for name in ("x", "y")]
    for request in requests:
        listeners.start(request.session_hash, "")
    listeners.forget("x")
    assert listeners.of("x") is None
    assert listeners.of("y") is not None
    listeners.forget("y")
