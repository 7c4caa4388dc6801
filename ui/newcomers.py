"""Models that a visitor brings: looked at before anything is downloaded or read, then put on the app's list.

From the hub by id and revision, from a folder of this machine, or from a training checkpoint of fairseq or BEiT style,
which is converted first.
"""

from __future__ import annotations

import dataclasses
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from data2vec_core.checkpoints.card import PRETRAINING, Card
from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.facts import Facts, folder_facts
from data2vec_core.checkpoints.files import PROCESSOR_FILES
from ui.catalogue import TOOLS, Tool
from ui.fetching import hub_name
from ui.known_models import ModelEntry
from ui.memory import megabytes
from ui.service import Service
from ui.words import say

TRAINING_FILES = (".pt", ".pth")
"""Endings of training checkpoints."""


@dataclass(frozen=True)
class Found:
    """A model that could be brought."""

    kind: Literal["hub", "folder", "file"]
    name: str
    """By which it will be on the list."""
    place: str
    """Hub id with its revision, folder or file."""
    size: int
    """Bytes to download, or to read."""
    facts: Facts | None = None
    """None for a training checkpoint, which says nothing before it is read."""

    @property
    def tool(self) -> Tool | None:
        """The first tool that it was made for; None for an encoder, and for what is no model of ours."""
        if self.facts is None or self.facts.modality is None:
            return None
        return tool_of(self.facts.architectures)


def find_on_hub(service: Service, hub_id: str, revision: str = "") -> Found:
    """Look at a hub checkpoint.

    Raises:
        ValueError: this host does not allow it, the name is none, or it is too large.
        CheckpointError: there is none, or it cannot be reached.
    """
    from data2vec_core.checkpoints.hub import hub_facts

    name = f"{hub_id.strip()}@{revision.strip()}" if revision.strip() else hub_id.strip()
    parsed = hub_name(name)
    if parsed is None:
        raise ValueError(say("models.no_id"))
    if not service.settings.allow_hub:
        raise ValueError(say("model.no_hub", model=name))
    facts = _of_ours(hub_facts(parsed[0], revision=parsed[1]), name)
    limit = service.settings.max_download_mb
    if facts.size > limit * 1e6:
        raise ValueError(say("model.too_large", model=name, megabytes=megabytes(facts.size), limit=limit))
    _require_room(service, name, facts.memory)
    return Found("hub", name, name, facts.size, facts)


def find_here(service: Service, path: str) -> Found:
    """Look at a folder or a training checkpoint of this machine.

    Raises:
        ValueError: this host does not allow it, there is nothing there, or it is too large.
        CheckpointError: it is no checkpoint.
    """
    if not service.settings.allow_local_folders:
        raise ValueError(say("model.no_folders"))
    if not (path := path.strip()):
        raise ValueError(say("models.no_path"))
    place = Path(path).expanduser()
    if place.is_dir():
        facts = _of_ours(folder_facts(place), path)
        _require_room(service, path, facts.memory)
        return Found("folder", path, str(place), facts.size, facts)
    if not place.is_file():
        raise ValueError(say("models.nothing_there", path=path))
    if place.suffix not in TRAINING_FILES:
        raise ValueError(say("models.no_checkpoint", path=path, endings=", ".join(TRAINING_FILES)))
    size = place.stat().st_size
    _require_room(service, path, size // 2)  # it holds a teacher, too
    return Found("file", _free_name(service, place.stem), str(place), size)


class Workshop:
    """Puts what was found on the list. Converted checkpoints are kept in a folder of its own as long as the app
    runs."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def bring(self, found: Found) -> ModelEntry:
        """Put a model on the list, under a name that every tool of its task takes.

        Raises:
            CheckpointError: a training checkpoint that is damaged, unsafe, or of another model.
        """
        facts, folder = found.facts, Path(found.place) if found.kind == "folder" else None
        if found.kind == "file":
            folder = self._converted(Path(found.place), found.name)
            facts = folder_facts(folder, found.name)
        assert facts is not None
        return self._service.add(ModelEntry(card=_card(facts, found.name), folder=folder, is_added=True))

    def _converted(self, file: Path, name: str) -> Path:
        """A folder made of a training checkpoint, and of the vocabulary that lies beside it, if any does."""
        from data2vec_core.checkpoints.convert import convert

        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="data2vec-converted-")
        out = Path(tempfile.mkdtemp(dir=self._folder.name))
        try:
            convert(file, out)
        except BaseException as error:
            for part in out.iterdir():
                part.unlink()
            out.rmdir()
            if isinstance(error, CheckpointError):
                raise CheckpointError(str(error).replace(str(file), name)) from None
            raise
        for companion in PROCESSOR_FILES:
            if (file.parent / companion).is_file() and not (out / companion).exists():
                (out / companion).write_bytes((file.parent / companion).read_bytes())
        return out


def tool_of(architectures: tuple[str, ...]) -> Tool | None:
    """The first tool for a model that was saved as one of these classes."""
    from data2vec_core.tasks import TASKS  # brings in torch, which the page can open without

    names = {TASKS[tool.task_name].model_class.__name__: tool for tool in reversed(TOOLS.values())}
    return next((names[name] for name in architectures if name in names), None)


def _of_ours(facts: Facts, name: str) -> Facts:
    if facts.modality is None:
        kind = str(facts.config.get("model_type") or "?")
        raise ValueError(say("models.not_ours", model=name, kind=kind[:100]))
    return facts


def _require_room(service: Service, name: str, size: int) -> None:
    budget = service.memory.budget
    if size > budget:
        raise ValueError(say("model.over_budget", model=name, megabytes=megabytes(size), limit=megabytes(budget)))


def _card(facts: Facts, name: str) -> Card:
    """What its own card says, but for what the app decides by: its name, and the task that its class is for."""
    tool = tool_of(facts.architectures)
    modality = facts.modality
    assert modality is not None
    task = tool.purpose if tool is not None else PRETRAINING
    if facts.card is not None:
        return dataclasses.replace(facts.card, name=name, modality=modality, task=task)
    return Card(name=name, modality=modality, task=task, licence=facts.licence)


def _free_name(service: Service, stem: str) -> str:
    """A name that no model on the list has."""
    name, number = stem, 2
    while service.knows(name):
        name, number = f"{stem}-{number}", number + 1
    return name
