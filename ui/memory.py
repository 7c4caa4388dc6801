"""Room for loaded models: a budget of bytes, from which the one used longest ago gives way.

A model that somebody uses stays. Who needs more room than is free waits a while for it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from data2vec_core.linear_choice import LinearChoice, LinearKind
from data2vec_core.runtime_choice import Runtime
from ui.words import say

Key = tuple[str, str, Runtime]
"""Name of a task, of a model, and of the framework that it runs in."""


@dataclass
class Slot:
    """Room for one model. Its lock is held while the model is loaded and while it runs."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    task: Any = None
    """None until the model is loaded."""
    size: int = 0
    """Bytes that it has or, while it is loaded, will have."""
    linear: LinearChoice = "plain"
    """As what it was loaded."""
    users: int = 0
    """Visitors who need it now: while there are any, it does not give way."""


@dataclass(frozen=True)
class Loaded:
    """A model in memory."""

    task: str
    model: str
    size: int
    """Bytes of its parameters and buffers."""
    is_in_use: bool
    linear: LinearKind = "plain"
    """How it holds the weights of its linear layers."""
    runtime: Runtime = "pytorch"
    """The framework that it runs in."""


class ModelMemory:
    """Slots by task and model, the one used longest ago first."""

    def __init__(self, budget: int, patience: float = 30.0) -> None:
        """
        Args:
            budget: bytes of all models together.
            patience: seconds to wait for others to be done with theirs.
        """
        self.budget = budget
        self._patience = patience
        self._slots: OrderedDict[Key, Slot] = OrderedDict()
        self._changed = threading.Condition()

    @property
    def used(self) -> int:
        """Bytes of all models that are loaded or being loaded."""
        with self._changed:
            return self._used()

    def loaded(self) -> list[Loaded]:
        """What is in memory, the one used longest ago first."""
        with self._changed:
            return [
                Loaded(task, model, slot.size, slot.users > 0, linear_of(slot.task), runtime)
                for (task, model, runtime), slot in self._slots.items()
                if slot.task is not None
            ]

    @contextmanager
    def held(self, key: Key) -> Iterator[Slot]:
        """The slot of a model, now the one used last, which stays as long as the block runs. A slot in which nothing
        was loaded by then is gone after it."""
        with self._changed:
            slot = self._slots.setdefault(key, Slot())
            slot.users += 1
            self._slots.move_to_end(key)
        try:
            yield slot
        finally:
            with self._changed:
                slot.users -= 1
                if slot.task is None and not slot.users:
                    self._slots.pop(key, None)
                self._changed.notify_all()

    def reserve(self, slot: Slot, size: int, model: str) -> None:
        """Make room for a model, in its slot that is held; others give way.

        Raises:
            ValueError: it is larger than the budget, or the others are in use for longer than one can wait.
        """
        if size > self.budget:
            raise ValueError(
                say("model.over_budget", model=model, megabytes=megabytes(size), limit=megabytes(self.budget))
            )
        with self._changed:
            slot.size = 0
            if not self._changed.wait_for(lambda: self._made_room(size), self._patience):
                raise ValueError(say("model.no_room", model=model))
            slot.size = size

    def unload(self, model: str) -> None:
        """Let go of a model, for whichever tasks it is loaded.

        Raises:
            ValueError: somebody uses it.
        """
        with self._changed:
            keys = [key for key in self._slots if key[1] == model]
            if any(self._slots[key].users for key in keys):
                raise ValueError(say("model.in_use", model=model))
            for key in keys:
                del self._slots[key]
            self._changed.notify_all()

    def _made_room(self, size: int) -> bool:
        """Whether so many bytes are free; lets idle models go until they are, but only if that will do."""
        idle = [key for key, slot in self._slots.items() if not slot.users]
        if self._used() - sum(self._slots[key].size for key in idle) + size > self.budget:
            return False
        for key in idle:
            if self._used() + size <= self.budget:
                break
            del self._slots[key]
        return True

    def _used(self) -> int:
        return sum(slot.size for slot in self._slots.values())


def megabytes(size: int) -> str:
    """Bytes in megabytes, with as many digits as they can bear."""
    value = size / 1e6
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def linear_of(task: Any) -> LinearKind:
    """How a task's model holds the weights of its linear layers."""
    return getattr(getattr(task, "model", None), "linear_kind", "plain")


def size_of(task: Any) -> int:
    """Bytes of a task's model."""
    return int(getattr(getattr(task, "model", None), "nbytes", 0))
