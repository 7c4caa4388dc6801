"""The loaded models of a running app, and the one way to ask them."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data2vec_core.checkpoints.errors import CheckpointError
from ui.catalogue import TOOLS, ModelEntry, Task, Tool, ToolName, known_models
from ui.examples import Example
from ui.inputs import refusals_in_words
from ui.settings import Settings
from ui.words import say

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_BARE_NAME = re.compile(r"[\w-][\w.-]*")

Report = Callable[[float, str], None]
"""Called with a fraction from 0 to 1 and what is being done."""


@dataclass(frozen=True)
class Answer:
    """What a model said, and of what."""

    result: Any
    """The dataclass of the tool's task."""
    inputs: Mapping[str, Any]
    """By name, as they were checked: a `Sound`, a text, an RGB picture, a number, several of these."""
    entry: ModelEntry | None
    """What is known about the model; None for one that a visitor named."""


@dataclass
class _Slot:
    """Room for one loaded model. Its lock is held while the model is loaded and while it runs."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    task: Task | None = None


class Service:
    """Keeps the models used last, loads each once however many ask, and runs each for one visitor at a time.

    Nothing is loaded before someone asks.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        models: Sequence[ModelEntry] | None = None,
        load: Callable[[Tool, str], Task] | None = None,
    ) -> None:
        """
        Args:
            models: what to list; the bundled and the public ones by default.
            load: builds a task from a tool and a folder or hub id; by default from the checkpoint there.
        """
        self.settings = settings
        self.models = tuple(known_models(settings.bundled_folder) if models is None else models)
        self._load = load or self._from_checkpoint
        self._slots: OrderedDict[tuple[str, str], _Slot] = OrderedDict()
        self._slots_lock = threading.Lock()
        self._example_answers: dict[tuple[ToolName, str], Answer] = {}

    def knows(self, model: str) -> bool:
        """Whether a model is of the list."""
        return any(entry.name == model for entry in self.models)

    def models_for(self, name: ToolName) -> list[ModelEntry]:
        """The models to offer for a tool: those made for it, and public encoders of its modality, which say what they
        lack: who knows their names looks for them here."""
        tool = TOOLS[name]
        return [
            entry
            for entry in self.models
            if tool.fits(entry.card)
            or (entry.card.is_encoder and entry.card.modality == tool.modality and not entry.is_bundled)
        ]

    def loaded(self) -> list[tuple[str, str]]:
        """Task and model of everything in memory, the one used longest ago first."""
        with self._slots_lock:
            return list(self._slots)

    def ask(
        self, name: ToolName, inputs: Mapping[str, Any], model: str = "", report: Report = lambda *_: None
    ) -> Answer:
        """As `stream`, for who wants the whole answer only."""
        *_, answer = self.stream(name, inputs, model, report)
        return answer

    def stream(
        self, name: ToolName, inputs: Mapping[str, Any], model: str = "", report: Report = lambda *_: None
    ) -> Iterator[Answer]:
        """Check the inputs, run a model on them.

        The model is kept from others only for as long as it makes the next piece: who stops asking holds up nobody.

        Args:
            name: the tool.
            inputs: by name, as the visitor gave them: paths, texts, numbers, lists of these.
            model: a bundled name, a hub id or a local folder; empty for the tool's default.
            report: is told what is being done.

        Returns:
            the answer as it grows, at least once, whole at last.

        Raises:
            ValueError: an input that is missing, unreadable or beyond a limit, or a model that may not be used here.
            CheckpointError: a model that cannot be had or read.
        """
        tool = TOOLS[name]
        checked = tool.read(inputs, self.settings)
        if not isinstance(model, str):
            raise ValueError(say("model.no_text"))
        model = model.strip() or tool.default_model
        entry = next((entry for entry in self.models if entry.name == model), None)
        place = self._place(tool, model, entry)

        slot = self._slot(tool, model)
        with slot.lock:
            if slot.task is None:
                report(0.1, say("working.loading", model=model))
                slot.task = self._loaded_task(tool, model, place, is_named=entry is None)
        report(0.5, say("working.running"))
        results = tool.answers(slot.task, checked)
        while True:
            with slot.lock, refusals_in_words(self.settings):
                result = next(results, None)
            if result is None:
                return
            yield Answer(dataclasses.replace(result, model=model), checked, entry)

    def ask_example(
        self, name: ToolName, example: Example, model: str = "", report: Report = lambda *_: None
    ) -> Answer:
        """As `ask`, for a shipped example: the default model answers each of them once, and the answer is kept."""
        if model not in ("", TOOLS[name].default_model):
            return self.ask(name, example.inputs, model, report)
        key = (name, example.label)
        if key not in self._example_answers:
            self._example_answers[key] = self.ask(name, example.inputs, "", report)
        return self._example_answers[key]

    def _place(self, tool: Tool, model: str, entry: ModelEntry | None) -> str:
        """Where to load a model from: a folder or a hub id, if this host allows it."""
        names = (entry.name for entry in self.models if tool.fits(entry.card))
        fitting = say("app.between_items").join(names) or say("model.none")
        if entry is not None:
            if tool.fits(entry.card):
                return str(entry.folder or model)
            is_encoder = entry.card.is_encoder and entry.card.modality == tool.modality
            raise ValueError(say("model.no_head" if is_encoder else "model.misfit", model=model, names=fitting))
        is_hub_id = _HUB_ID.fullmatch(model) is not None
        folder = Path(model).expanduser()
        if self.settings.allow_local_folders and folder.is_dir():
            return str(folder)
        if is_hub_id and self.settings.allow_hub:
            return model
        if is_hub_id:
            raise ValueError(say("model.no_hub", model=model))
        if _BARE_NAME.fullmatch(model) or self.settings.allow_local_folders:
            raise ValueError(say("model.unknown", model=model, names=fitting))
        raise ValueError(say("model.no_folders"))

    def _slot(self, tool: Tool, model: str) -> _Slot:
        """The model's place in memory, now the one used last; whatever is beyond the bound gives way."""
        with self._slots_lock:
            slot = self._slots.setdefault((tool.task_name, model), _Slot())
            self._slots.move_to_end((tool.task_name, model))
            while len(self._slots) > self.settings.models_in_memory:
                self._slots.popitem(last=False)
            return slot

    def _loaded_task(self, tool: Tool, model: str, place: str, is_named: bool) -> Task:
        """Load a model; a failure leaves nothing behind, so that the next visitor's attempt is a fresh one."""
        try:
            if is_named and not Path(place).is_dir():
                self._check_download(place)
            return self._load(tool, place)
        except BaseException as error:
            with self._slots_lock:
                self._slots.pop((tool.task_name, model), None)
            if isinstance(error, CheckpointError):  # the visitor's word for it, not the host's folder
                raise CheckpointError(str(error).replace(place, model)) from error
            raise

    def _from_checkpoint(self, tool: Tool, place: str) -> Task:
        import torch  # the page opens without it

        torch.set_num_threads(self.settings.threads)
        return tool.load(place)

    def _check_download(self, hub_id: str) -> None:
        """Refuse a checkpoint that would fill the host's disk."""
        from data2vec_core.checkpoints.hub import hub_size

        try:
            megabytes = hub_size(hub_id) / 1e6
        except CheckpointError:
            return  # loading finds it in the hub's local cache, or says what is wrong
        limit = self.settings.max_download_mb
        if megabytes > limit:
            raise ValueError(say("model.too_large", model=hub_id, megabytes=f"{megabytes:.0f}", limit=limit))
