"""Transcription while somebody speaks: the microphone in chunks, and a text that grows.

A chunk that comes while the last one is being handled would be lost, so chunks are only laid down where they arrive.
One thread a visitor hears them, and takes as many at once as have come in the meantime.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import gradio as gr
from gradio.context import Context

from ui.errors import sentence
from ui.fields import PLUMBING
from ui.inputs import Sound, upload_path
from ui.refusals import refusals_in_words
from ui.service import Service
from ui.views.live import heard, waiting
from ui.views.notice import failed, introduction
from ui.words import in_language, say

if TYPE_CHECKING:
    from data2vec_core.tasks import LiveText

_log = logging.getLogger(__name__)

CHUNK: Final = 0.5
"""Seconds of sound that a browser sends at a time."""
LONGEST_CHUNK: Final = 10.0
"""Seconds: more is no chunk."""
PATIENCE: Final = 10.0
"""Seconds without a chunk after which a visitor has gone."""


class Listener:
    """Hears one visitor, in a thread of its own, until the end of the sound or of the visitor's time."""

    def __init__(self, service: Service, model: str) -> None:
        self._service = service
        self._model = model
        self._changed = threading.Condition()
        self._chunks: list[Sound] = []
        self._is_ending = False
        self._is_dropped = False
        self._seconds = 0.0
        self._latest: LiveText | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether nothing is heard any more."""
        return not self._thread.is_alive()

    def take(self, chunk: Sound) -> None:
        """Lay down the next sound, unless the visitor's time is over."""
        rate, samples = chunk
        with self._changed:
            if not self._is_ending:
                self._chunks.append(chunk)
                self._seconds += len(samples) / rate
                self._is_ending = self._seconds >= self._service.settings.max_live_seconds
                self._changed.notify()

    def text(self) -> LiveText | None:
        """What has been understood so far; None before the first look.

        Raises:
            Exception: what has ended the listening.
        """
        if self._error is not None:
            raise self._error
        return self._latest

    def finish(self, patience: float = 30.0) -> LiveText | None:
        """Hear what is left, and give the whole text."""
        with self._changed:
            self._is_ending = True
            self._changed.notify()
        self._thread.join(patience)
        return self.text()

    def drop(self) -> None:
        """Forget the sound: nobody waits for its text."""
        with self._changed:
            self._is_ending = self._is_dropped = True
            self._changed.notify()

    def _listen(self) -> None:
        try:
            self._hear_all()
        except Exception as error:  # told to the visitor with the next chunk
            self._error = error

    def _hear_all(self) -> None:
        from data2vec_core.tasks import LiveTranscriber, Transcriber  # brings in torch

        with self._service.using("transcribe", self._model) as task:
            assert isinstance(task, Transcriber)
            live = LiveTranscriber(task)
        while True:
            with self._changed:
                has_news = self._changed.wait_for(lambda: self._chunks or self._is_ending, PATIENCE)
                chunks, self._chunks = self._chunks, []
                is_last = self._is_ending or not has_news
            if self._is_dropped:
                return
            with self._service.using("transcribe", self._model), refusals_in_words(self._service.settings):
                for rate, samples in _joined(chunks):
                    self._latest = live.feed(samples, rate)
                if is_last:
                    self._latest = live.finish()
                    return


class Listeners:
    """All visitors who are heard, by what tells them apart."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._listeners: dict[str, Listener] = {}

    def start(self, visitor: str, model: str) -> Listener:
        """Hear a visitor from now on, and forget what was heard before.

        Raises:
            ValueError: enough others are heard.
        """
        with self._lock:
            if (last := self._listeners.pop(visitor, None)) is not None:
                last.drop()
            self._listeners = {name: each for name, each in self._listeners.items() if not each.is_over}
            if len(self._listeners) >= self._service.settings.live_visitors:
                raise ValueError(say("live.too_many", visitors=self._service.settings.live_visitors))
            listener = self._listeners[visitor] = Listener(self._service, model)
            return listener

    def of(self, visitor: str) -> Listener | None:
        """Who hears a visitor, if anyone does."""
        return self._listeners.get(visitor)

    def forget(self, visitor: str) -> None:
        """The visitor has gone, or has all that there is."""
        with self._lock:
            if (listener := self._listeners.pop(visitor, None)) is not None:
                listener.drop()

    def __len__(self) -> int:
        """How many visitors are known."""
        return len(self._listeners)


_LISTENERS: WeakKeyDictionary[Service, Listeners] = WeakKeyDictionary()
"""One for the pages of all languages."""


def listeners_of(service: Service) -> Listeners:
    """The visitors whom the app of a service hears."""
    return _LISTENERS.setdefault(service, Listeners(service))


class LivePanel:
    """The microphone and the text. Building it lays it out and wires it."""

    def __init__(self, service: Service, model: gr.Dropdown) -> None:
        """
        Args:
            model: of the tool for files, whose models these are, too.
        """
        self._listeners = listeners_of(service)
        self._settings = service.settings
        gr.HTML(introduction(say("transcribe.mode_live"), say("live.intro")), elem_classes=["intro", "html-plain"])
        with gr.Row(elem_classes="tool"):
            with gr.Column(scale=5, min_width=300):
                microphone = gr.Audio(
                    sources=["microphone"],
                    type="filepath",
                    streaming=True,
                    label=say("live.microphone"),
                    buttons=[],
                    elem_id="live-microphone",
                )
                limits = {
                    "seconds": f"{service.settings.max_live_seconds:g}",
                    "minutes": service.settings.keep_files_minutes,
                }
                gr.HTML(f'<p class="small">{escape(say("live.limit", **limits))}</p>', elem_classes="html-plain")
                own_model = gr.Dropdown(
                    choices=[(str(label), str(name)) for label, name in model.choices],
                    value=model.value,
                    label=model.label,
                    info=model.info,
                    allow_custom_value=True,
                    elem_id="live-model",
                )
            with gr.Column(scale=7, min_width=300, elem_classes="answer"):
                text = gr.HTML(waiting(say("live.empty")), elem_id="live-text", elem_classes=["result", "html-plain"])
        microphone.start_recording(in_language(self.start), own_model, text, **PLUMBING)
        microphone.stream(
            in_language(self.hear),
            microphone,
            text,
            stream_every=CHUNK,
            time_limit=int(service.settings.max_live_seconds) + 2,
            concurrency_limit=None,  # a stream holds its place for as long as somebody speaks, and runs no model itself
            preprocess=False,
            api_visibility="private",
            show_progress="hidden",
        )
        microphone.stop_recording(in_language(self.finish), None, text, **PLUMBING)
        assert Context.root_block is not None
        Context.root_block.unload(self.leave)

    def start(self, model: str, request: gr.Request) -> str:
        """Somebody begins to speak."""

        def answer() -> str:
            self._listeners.start(_visitor(request), model)
            return waiting(say("live.loading"))

        return self._told(answer)

    def hear(self, chunk: Any, request: gr.Request) -> Any:
        """The next sound; the text as far as it is understood."""

        def answer() -> Any:
            listener = self._listeners.of(_visitor(request))
            if listener is None or chunk is None:
                return gr.skip()
            with refusals_in_words(self._settings):
                listener.take(_read(chunk))
            text = listener.text()
            return gr.skip() if text is None else heard(text, is_over=listener.is_over)

        return self._told(answer)

    def finish(self, request: gr.Request) -> Any:
        """Somebody has ended."""

        def answer() -> Any:
            visitor = _visitor(request)
            listener = self._listeners.of(visitor)
            if listener is None:
                return gr.skip()
            try:
                text = listener.finish()
            finally:
                self._listeners.forget(visitor)
            return waiting(say("live.empty")) if text is None else heard(text, is_over=True)

        return self._told(answer)

    def leave(self, request: gr.Request) -> None:
        """Somebody has closed the page."""
        self._listeners.forget(_visitor(request))

    def _told(self, answer: Callable[[], Any]) -> Any:
        try:
            return answer()
        except Exception as error:
            return failed(sentence(error))


def _visitor(request: gr.Request) -> str:
    return str(request.session_hash)


def _read(chunk: Any) -> Sound:
    """A chunk at its own rate: chunks that were resampled one by one would not meet.

    Raises:
        ValueError: not an upload, or not a chunk of sound.
    """
    import soundfile

    from data2vec_core.processing.audio_io import load_audio

    path = upload_path(chunk)
    try:
        rate = soundfile.info(path).samplerate
    except (soundfile.LibsndfileError, TypeError):
        raise ValueError(say("sound.unreadable")) from None
    return rate, load_audio(str(path), target_rate=rate, max_seconds=LONGEST_CHUNK)


def _joined(chunks: list[Sound]) -> list[Sound]:
    """Neighbours of one rate as one."""
    import numpy as np

    if len({rate for rate, _ in chunks}) != 1:
        return chunks
    return [(chunks[0][0], np.concatenate([samples for _, samples in chunks]))]
