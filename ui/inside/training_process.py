"""A live training at a time, in a low-priority process of its own, and the line of those who wait for theirs."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from weakref import WeakSet

CHILD: Final = Path(__file__).with_name("training_child.py")
ROOT: Final = Path(__file__).parents[2]
MOST_WAITING: Final = 8
"""Visitors in line behind the one whose run goes on."""
LOOK: Final = 0.5
"""Seconds between two looks at one's place."""
LATE: Final = 60.0
"""Seconds that a run may overrun its time, starting and stopping included, before it is ended from here as well."""


@dataclass(frozen=True)
class Waiting:
    """Somebody else's run goes on."""

    place: int
    """1: next."""


@dataclass(frozen=True)
class Started:
    """One's own run begins: the process is being made."""


@dataclass(frozen=True)
class Ended:
    """No more moments come."""

    why: str
    """`done`; `diverged`, where the loss was no number any more; `failed`."""


Event = Waiting | Started | Ended | Mapping[str, Any]
"""What a visitor learns of a run. The first mapping has `pieces`, `photographs` and `chance` of the data, all others
the fields of an `analysis.live_training.LiveMoment`."""


class Full(RuntimeError):
    """Too many wait already."""


class Line:
    """Visitors in the order in which they came; the first one's turn lasts until he leaves."""

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self._lock = threading.Lock()
        self._tickets: list[object] = []
        self._most = most_waiting

    def join(self) -> object:
        """A ticket at the end of the line.

        Raises:
            Full: enough others wait.
        """
        with self._lock:
            if len(self._tickets) > self._most:
                raise Full
            ticket = object()
            self._tickets.append(ticket)
            return ticket

    def place(self, ticket: object) -> int:
        """How many are before: 0 is one's turn."""
        with self._lock:
            return self._tickets.index(ticket)

    def leave(self, ticket: object) -> None:
        """Let the others move up; of no effect for whoever has left."""
        with self._lock, contextlib.suppress(ValueError):
            self._tickets.remove(ticket)

    def __len__(self) -> int:
        """How many wait or have their turn."""
        return len(self._tickets)


class Trainings:
    """All runs of an app: one at a time.

    Args:
        command: of the process; the real one when None.
        line: of those who wait.
    """

    def __init__(self, command: Sequence[str] | None = None, *, line: Line | None = None) -> None:
        self._command = [*(command or (sys.executable, str(CHILD)))]
        self.line: Final = line or Line()
        self._lock = threading.Lock()
        self._runs: dict[str, _Run] = {}
        """By visitor."""

    def run(self, visitor: str, settings: Mapping[str, Any]) -> Iterator[Event]:
        """Wait for one's turn, then train. Closing the generator, or `forget`, ends the process and leaves the line.

        Args:
            visitor: tells visitors apart; a new run takes the place of the visitor's last.
            settings: fields of an `analysis.live_settings.LiveSettings`, `seconds` among them.

        Raises:
            Full: too many wait already.
        """
        self.forget(visitor)
        run, ticket = _Run(self._command), self.line.join()
        with self._lock:
            self._runs[visitor] = run
        try:
            told = 0
            while place := self.line.place(ticket):
                if place != told:
                    yield Waiting(place)
                    told = place
                if run.is_over.wait(LOOK):
                    return
            yield Started()
            yield from run.moments(settings)
        finally:
            run.end()
            self.line.leave(ticket)
            with self._lock:
                if self._runs.get(visitor) is run:
                    del self._runs[visitor]

    def has(self, visitor: str) -> bool:
        """Whether the visitor trains or waits."""
        return visitor in self._runs

    def forget(self, visitor: str) -> None:
        """The visitor has gone: end the process and leave the line. Of no effect where there is neither."""
        with self._lock:
            run = self._runs.pop(visitor, None)
        if run is not None:
            run.end()


class _Run:
    """One visitor's process, which is made when the visitor's turn has come, unless they have gone by then."""

    def __init__(self, command: Sequence[str]) -> None:
        self.is_over: Final = threading.Event()
        self._command = command
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def moments(self, settings: Mapping[str, Any]) -> Iterator[Event]:
        """What the process says, and how it ended."""
        with self._lock:
            if self.is_over.is_set():
                return
            process = self._process = _started(self._command)
        limit = threading.Timer(settings["seconds"] + LATE, process.kill)
        limit.daemon = True
        limit.start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(dict(settings)) + "\n")
                process.stdin.flush()
            why = "failed"  # unless it says something else before it falls silent
            for line in process.stdout:
                said = json.loads(line)
                if "end" in said:
                    why = said["end"]
                    break
                yield said
            if not self.is_over.is_set():
                yield Ended(why)
        finally:
            limit.cancel()
            self.end()
            process.wait()
            process.stdout.close()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()

    def end(self) -> None:
        """Kill the process, if it has been made, and make none from now on."""
        with self._lock:
            self.is_over.set()
            if self._process is not None:
                self._process.kill()


_processes: WeakSet[subprocess.Popen[str]] = WeakSet()


def _started(command: Sequence[str]) -> subprocess.Popen[str]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, **threads, "PYTHONPATH": path},
        start_new_session=True,  # what is typed at the app's terminal is not meant for it
    )
    _processes.add(process)
    return process


@atexit.register
def _end_all() -> None:
    for process in list(_processes):
        process.kill()
