"""Downloads of hub checkpoints: each once however many wait for it, and no longer than somebody does."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

_HUB_ID = re.compile(r"([\w-][\w.-]*/[\w-][\w.-]*)(?:@(\w[\w.-]*(?:/\w[\w.-]*)*))?")

Download = Callable[[str, str | None, Callable[[int], None]], object]
"""Called with a hub id, a revision, and whom to tell of bytes that have come."""


class Cancelled(Exception):
    """Nobody waits for this download any more."""


def hub_name(model: str) -> tuple[str, str | None] | None:
    """Hub id and revision of a name such as `owner/name` or `owner/name@revision`; None for any other name."""
    met = _HUB_ID.fullmatch(model)
    return (met[1], met[2]) if met else None


@dataclass
class _Job:
    bytes: int = 0
    """That have come."""
    waiting: int = 0
    """Visitors."""
    is_unwanted: bool = False
    error: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)


class Downloads:
    """What is being downloaded now."""

    def __init__(self, download: Download | None = None, interval: float = 0.3) -> None:
        """
        Args:
            download: does it; by default from the hub into its cache.
            interval: seconds between two looks at how far it is.
        """
        self._download = download or _from_hub
        self._interval = interval
        self._jobs: dict[tuple[str, str | None], _Job] = {}
        self._lock = threading.Lock()

    def steps(self, hub_id: str, revision: str | None = None) -> Generator[int]:
        """Have a checkpoint downloaded; yields the bytes that have come so far, until all are there.

        Who closes this generator gives up waiting; when nobody waits any more, the download ends.

        Raises:
            CheckpointError: as `data2vec_core.checkpoints.hub.download`.
        """
        key = (hub_id, revision)
        with self._lock:
            job = self._jobs.get(key)
            if job is None:
                job = self._jobs[key] = _Job()
                threading.Thread(target=self._run, args=(key, job), daemon=True).start()
            job.waiting += 1
        try:
            while not job.done.wait(self._interval):
                yield job.bytes
            if job.error is not None:
                raise job.error
            yield job.bytes
        finally:
            with self._lock:
                job.waiting -= 1
                if not job.waiting and not job.done.is_set():
                    job.is_unwanted = True
                    self._forget(key, job)  # who comes now starts afresh

    def running(self) -> list[str]:
        """Hub ids of what is being downloaded."""
        with self._lock:
            return [hub_id for hub_id, _ in self._jobs]

    def _run(self, key: tuple[str, str | None], job: _Job) -> None:
        def came(count: int) -> None:
            job.bytes += count
            if job.is_unwanted:
                raise Cancelled

        try:
            self._download(*key, came)
        except BaseException as error:  # it is raised where somebody waits
            job.error = error
        finally:
            with self._lock:
                self._forget(key, job)
            job.done.set()

    def _forget(self, key: tuple[str, str | None], job: _Job) -> None:
        if self._jobs.get(key) is job:
            del self._jobs[key]


def _from_hub(hub_id: str, revision: str | None, came: Callable[[int], None]) -> None:
    from data2vec_core.checkpoints.hub import download

    download(hub_id, revision=revision, progress=came)
