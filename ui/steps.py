"""Long work of the library in short turns: whoever asks for the next one decides whether it goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

_Result = TypeVar("_Result")

TURN = 0.3
"""Seconds of work after which the next word on its progress ends the turn."""

WORKER = "work in turns"
"""The name of the threads that do the work."""


@dataclass(frozen=True)
class Step:
    """How far the work is."""

    fraction: float
    """0 to 1."""


class _StoppedError(Exception):
    """Nobody asks for the rest of the work."""


def in_turns(work: Callable[[Callable[[float], None]], _Result]) -> Iterator[Step | _Result]:
    """Work that tells its progress, as a generator: steps on the way, then the result.

    The work has a thread of its own, which runs only while the generator is asked for its next item. When the generator
    is closed, the work ends at the place where it waits, and frees what it holds.

    Args:
        work: is given what to tell its progress, a fraction from 0 to 1.
    """
    may_go = threading.Semaphore(0)
    told: SimpleQueue[Step | tuple[_Result] | BaseException] = SimpleQueue()
    is_stopped = False
    began = 0.0

    def wait_for_turn() -> None:
        nonlocal began
        may_go.acquire()
        if is_stopped:
            raise _StoppedError
        began = time.monotonic()

    def tell(fraction: float) -> None:
        if time.monotonic() - began >= TURN:
            told.put(Step(fraction))
            wait_for_turn()

    def run() -> None:
        try:
            wait_for_turn()
            told.put((work(tell),))
        except BaseException as error:  # raised again where it is waited for
            told.put(error)

    worker = threading.Thread(target=run, name=WORKER, daemon=True)
    worker.start()
    try:
        while True:
            may_go.release()
            item = told.get()
            if isinstance(item, BaseException):
                raise item
            if isinstance(item, tuple):
                yield item[0]
                return
            yield item
    finally:
        is_stopped = True
        may_go.release()
        worker.join()
