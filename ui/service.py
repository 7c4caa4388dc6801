"""The loaded models of a running app, and the one way to ask them."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data2vec_core.checkpoints.errors import CheckpointError, NoHeadError
from data2vec_core.linear_choice import LINEAR_CHOICES, LinearChoice, LinearKind
from data2vec_core.runtime_choice import Runtime
from ui import accelerator
from ui.catalogue import INSIDE, TOOLS, Loadable, Task, Tool, ToolName
from ui.examples import Example
from ui.fetching import Downloads, hub_name
from ui.known_models import ModelEntry, known_models
from ui.memory import Loaded, ModelMemory, Slot, linear_of, size_of
from ui.refusals import refusals_in_words
from ui.settings import Settings
from ui.steps import Step
from ui.words import say

if TYPE_CHECKING:
    from analysis.subject import Subject

_LONGEST_NAME = 1000  # of a model: a folder of the host, at most
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
    linear: LinearKind = "plain"
    """How the model held the weights of its linear layers."""

    @property
    def runtime(self) -> Runtime:
        """The framework that it ran in."""
        runtime: Runtime = self.inputs.get("runtime", "pytorch")
        return runtime


class Service:
    """Keeps the models used last, as many as its memory holds, loads each once however many ask, and runs each for one
    visitor at a time.

    Nothing is loaded before someone asks.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        models: Sequence[ModelEntry] | None = None,
        load: Callable[[Any, str], Task] | None = None,
        downloads: Downloads | None = None,
        patience: float = 30.0,
    ) -> None:
        """
        Args:
            models: what to list; the bundled and the public ones by default.
            load: builds a task from a tool and a folder or hub id; by default from the checkpoint there.
            downloads: brings checkpoints from the hub.
            patience: seconds to wait for memory that other visitors' models take.
        """
        self.settings = settings
        self.models = tuple(known_models(settings.bundled_folder, settings.models) if models is None else models)
        self._load = load or self._from_checkpoint
        self._answers = accelerator.answers()
        self._linear: LinearChoice = "plain" if accelerator.is_lent() else settings.linear
        self.memory = ModelMemory(round(settings.model_memory_mb * 1e6), patience)
        self.downloads = downloads or Downloads()
        self._adding = threading.Lock()
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

    def entry(self, model: str) -> ModelEntry | None:
        """What is known about a model; None where it is not of the list."""
        return next((entry for entry in self.models if entry.name == model), None)

    def add(self, entry: ModelEntry) -> ModelEntry:
        """Put a model on the list, for every visitor to choose; one that is there by that name stays.

        Returns:
            the one on the list.
        """
        with self._adding:
            if (known := self.entry(entry.name)) is not None:
                return known
            self.models = (*self.models, entry)
            return entry

    def tool_for(self, entry: ModelEntry) -> Tool | None:
        """The first tool that a model was made for; None for an encoder."""
        return next((tool for tool in TOOLS.values() if tool.fits(entry.card)), None)

    def loaded(self) -> list[Loaded]:
        """Everything in memory, the one used longest ago first."""
        return self.memory.loaded()

    def load(self, entry: ModelEntry, report: Report = lambda *_: None) -> None:
        """Have a model of the list in memory, for the tool that it was made for.

        Raises:
            ValueError: there is no room for it, or no tool.
            CheckpointError: it cannot be had or read.
        """
        tool = self.tool_for(entry)
        if tool is None:
            raise ValueError(self._without_head(entry.name, entry.card.modality))
        with self._held(tool, entry.name, self._place(tool, entry.name, entry), report):
            pass

    @property
    def linear(self) -> LinearChoice:
        """How models hold the weights of their linear layers, from the next time that they are asked."""
        return self._linear

    def choose_linear(self, choice: str) -> None:
        """Choose it for all visitors.

        Raises:
            ValueError: this host does not allow it, or there is no such choice.
        """
        if not self.settings.allow_unloading or accelerator.is_lent():
            raise ValueError(say("model.no_linear"))
        if choice not in LINEAR_CHOICES:
            raise ValueError(say("model.linear_unknown", choices=", ".join(LINEAR_CHOICES)))
        self._linear = choice
        self._example_answers.clear()

    def unload(self, model: str) -> None:
        """Let go of a model's memory.

        Raises:
            ValueError: this host does not allow it, or somebody uses the model.
        """
        if not self.settings.allow_unloading:
            raise ValueError(say("model.no_unloading"))
        self.memory.unload(model)

    def fetching(self, model: str) -> Iterator[tuple[int, int]]:
        """Have the files of a model on this host, if a download is what it takes and is allowed; yields the bytes that
        have come, and those of all its weights. Closing the generator gives up waiting.

        Raises:
            ValueError: it is larger than what may be downloaded.
            CheckpointError: the hub does not hand it over.
        """
        model = model.strip() if isinstance(model, str) else ""
        entry, name = self.entry(model), hub_name(model)
        is_here = (entry is not None and entry.folder is not None) or any(one.model == model for one in self.loaded())
        if is_here or name is None or (entry is None and (not self.settings.allow_hub or _folder(model) is not None)):
            return
        total = self._check_download(*name, limited=entry is None or entry.is_added)
        for done in self.downloads.steps(*name):
            yield min(done, total) if total else done, total

    def ask(
        self, name: ToolName, inputs: Mapping[str, Any], model: str = "", report: Report = lambda *_: None
    ) -> Answer:
        """As `stream`, for who wants the whole answer only."""
        *_, answer = self.stream(name, inputs, model, report)
        assert isinstance(answer, Answer)
        return answer

    def stream(
        self, name: ToolName, inputs: Mapping[str, Any], model: str = "", report: Report = lambda *_: None
    ) -> Generator[Answer | Step]:
        """Check the inputs, run a model on them.

        The model is kept from others only for as long as it makes the next piece: who stops asking holds up nobody.

        Args:
            name: the tool.
            inputs: by name, as the visitor gave them: paths, texts, numbers, lists of these.
            model: a bundled name, a hub id or a local folder; empty for the tool's default.
            report: is told what is being done.

        Returns:
            the answer as it grows, at least once, whole at last; and how far it is, where that takes long.

        Raises:
            ValueError: an input that is missing, unreadable or beyond a limit, or a model that may not be used here.
            CheckpointError: a model that cannot be had or read.
        """
        tool = TOOLS[name]
        checked = tool.read(inputs, self.settings)
        tool = tool.as_asked(checked)
        model, entry, place = self._resolved(tool, model)
        for done, total in self.fetching(model):
            report(0.0, say("working.downloading", model=model))
            yield Step(done / total if total else 0.0)
        with self._held(tool, model, place, report) as slot:
            report(0.5, say("working.running"))
            results, linear = self._answers(tool, slot.task, checked), linear_of(slot.task)
            while True:
                with slot.lock, refusals_in_words(self.settings):
                    result = next(results, None)
                if result is None:
                    return
                if isinstance(result, Step):
                    yield result
                else:
                    yield Answer(dataclasses.replace(result, model=model), checked, entry, linear)

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

    @contextmanager
    def using(self, name: ToolName, model: str = "") -> Iterator[Task]:
        """The loaded task of a tool, kept from others inside: for who asks it again and again in his own way.

        Raises:
            ValueError: a model that may not be used here.
            CheckpointError: a model that cannot be had or read.
        """
        tool = TOOLS[name]
        model, _, place = self._resolved(tool, model)
        for _ in self.fetching(model):
            pass
        with self._held(tool, model, place) as slot, slot.lock:
            yield slot.task

    @contextmanager
    def subject(self, model: str, report: Report = lambda *_: None) -> Iterator[Subject]:
        """A model's encoder, with its teacher where it has one, to look inside; kept from others inside the block.

        Raises:
            ValueError: a model that may not be used here.
            CheckpointError: a model that cannot be had or read.
        """
        model, _, place = self._resolved(INSIDE, model)
        for done, total in self.fetching(model):
            report(done / total if total else 0.0, say("working.downloading", model=model))
        with self._held(INSIDE, model, place, report) as slot, slot.lock:
            yield slot.task

    def subjects(self, modality: str) -> list[ModelEntry]:
        """The models of a modality, encoders first: all that can be looked into."""
        found = [entry for entry in self.models if entry.card.modality == modality]
        return sorted(found, key=lambda entry: not (entry.is_bundled and entry.card.is_encoder))

    def _resolved(self, tool: Loadable, model: str) -> tuple[str, ModelEntry | None, str]:
        """A model's name, what is known about it, and where to load it from."""
        if not isinstance(model, str) or len(model) > _LONGEST_NAME or not model.isprintable():
            raise ValueError(say("model.no_text"))
        model = model.strip() or tool.default_model
        entry = self.entry(model)
        return model, entry, self._place(tool, model, entry)

    def _place(self, tool: Loadable, model: str, entry: ModelEntry | None) -> str:
        """Where to load a model from: a folder or a hub id, if this host allows it."""
        fitting = self._fitting(tool)
        if entry is not None:
            if tool.fits(entry.card):
                return str(entry.folder or model)
            if entry.card.is_encoder and entry.card.modality == tool.modality:
                raise ValueError(say("model.no_head", model=model, names=fitting))
            raise ValueError(say("model.misfit", model=model, names=fitting))
        is_hub_id = hub_name(model) is not None
        if self.settings.allow_local_folders and (folder := _folder(model)) is not None:
            return str(folder)
        if is_hub_id and self.settings.allow_hub:
            return model
        if is_hub_id:
            raise ValueError(say("model.no_hub", model=model))
        if _BARE_NAME.fullmatch(model) or self.settings.allow_local_folders:
            raise ValueError(say("model.unknown", model=model, names=fitting))
        raise ValueError(say("model.no_folders"))

    def _fitting(self, tool: Loadable) -> str:
        """The models made for a tool, in words."""
        return ", ".join(entry.name for entry in self.models if tool.fits(entry.card)) or say("model.none")

    def _without_head(self, model: str, modality: str) -> str:
        """Why an encoder answers nothing, and which models of its kind do."""
        made = [entry.name for entry in self.models if entry.card.modality == modality and not entry.card.is_encoder]
        return say("model.no_head", model=model, names=", ".join(made) or say("model.none"))

    @contextmanager
    def _held(self, tool: Loadable, model: str, place: str, report: Report = lambda *_: None) -> Iterator[Slot]:
        """The slot of a model, loaded; it stays in memory while the block runs."""
        with self.memory.held((tool.task_name, model, tool.runtime)) as slot:
            with slot.lock:
                linear = self.linear if isinstance(tool, Tool) else "plain"
                if slot.task is None or slot.linear != linear:
                    report(0.1, say("working.loading", model=model))
                    slot.task = None
                    slot.task, slot.linear = self._loaded_task(tool, model, place, slot), linear
            yield slot

    def _loaded_task(self, tool: Loadable, model: str, place: str, slot: Slot) -> Task:
        """Load a model into the room made for it; a failure leaves nothing behind, so that the next visitor's attempt
        is a fresh one."""
        self.memory.reserve(slot, _expected(place), model)
        try:
            task = self._load(tool, place)
        except NoHeadError:
            raise ValueError(say("model.no_head", model=model, names=self._fitting(tool))) from None
        except CheckpointError as error:  # the visitor's word for it, not the host's folder
            raise CheckpointError(str(error).replace(place, model)) from error
        self.memory.reserve(slot, size_of(task), model)
        return task

    def _from_checkpoint(self, tool: Loadable, place: str) -> Task:
        import torch  # the page opens without it

        torch.set_num_threads(self.settings.threads)
        hub = None if Path(place).is_dir() else hub_name(place)
        name, revision = (place, None) if hub is None else hub
        return tool.load(name, revision=revision, linear=self.linear)

    def _check_download(self, hub_id: str, revision: str | None = None, *, limited: bool) -> int:
        """Bytes of a checkpoint's weights, 0 where the hub does not say.

        Raises:
            ValueError: it would fill the host's disk.
        """
        from data2vec_core.checkpoints.hub import hub_size

        try:
            size = hub_size(hub_id, revision=revision)
        except CheckpointError:
            return 0  # loading finds it in the hub's local cache, or says what is wrong
        limit = self.settings.max_download_mb
        if limited and size > limit * 1e6:
            raise ValueError(say("model.too_large", model=hub_id, megabytes=f"{size / 1e6:.0f}", limit=limit))
        return size


def _expected(place: str) -> int:
    """Bytes that a model will take in memory, as far as its files tell; 0 where they are not here."""
    from data2vec_core.checkpoints.facts import folder_facts
    from data2vec_core.checkpoints.source import open_checkpoint

    folder, hub = Path(place), hub_name(place)
    try:
        if hub is not None and not folder.is_dir():
            folder = open_checkpoint(hub[0], role="student", revision=hub[1], local_files_only=True).folder
        return folder_facts(folder).memory
    except CheckpointError:
        return 0  # loading says what is wrong


def _folder(model: str) -> Path | None:
    """The folder of this host that somebody names; None where there is none."""
    try:
        folder = Path(model).expanduser()
        return folder if folder.is_dir() else None
    except (OSError, RuntimeError, ValueError):  # names that no file can have, homes that nobody has
        return None
