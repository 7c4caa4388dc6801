"""Eight visitors at once, mixing all tools, for five minutes: `make soak`, or `python -m benchmarks.soak --minutes 5`.

Starts the app with the bundled models as its own process, and asks it by HTTP as pages and programs do. Now and then a
visitor brings a wrong file, leaves while an answer is made, or cancels. Prints how long answers took, and fails on any
error and where the memory of the app has grown by more than 20 MB after the first minute.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from benchmarks.running import EXAMPLES, Client, Endpoints, resident_mb, running

MOST_GROWTH_MB: Final = 20.0
SETTLED_SECONDS: Final = 60.0
"""From here on, memory should not grow: every model is loaded, every pool of threads filled."""
WINDOW_SECONDS: Final = 20.0
"""Memory is the median over so long: it goes up and down with the pictures at work."""

TASKS: Final[Mapping[str, tuple[Any, ...]]] = {
    "transcribe": (EXAMPLES / "digits.wav",),
    "classify_audio": (EXAMPLES / "no.wav",),
    "compare_speakers": (EXAMPLES / "one.wav", EXAMPLES / "no.wav"),
    "speaker_activity": (EXAMPLES / "conversation.wav",),
    "classify_text": ("A warm, wise and very funny film.",),
    "tag_tokens": ("play the new song by miles davis on spotify",),
    "answer_question": ("Who wrote it?", "The book was written by Mary Shelley in 1818. " * 40),
    "choose": ("add this song to my list", ["The person wants music.", "The person wants the weather."]),
    "fill_mask": ("The capital of France is <mask>.",),
    "continue_text": ("The history of the city", 20),
    "classify_image": (EXAMPLES / "flamingo.jpg",),
    "segment_image": (EXAMPLES / "chelsea.jpg",),
    "list_models": (),
}
"""By endpoint: its first arguments; the others stand at their defaults."""
WRONG: Final[Mapping[str, tuple[Any, ...]]] = {
    "transcribe": (EXAMPLES / "chelsea.jpg",),
    "classify_image": (EXAMPLES / "no.wav",),
    "classify_text": ("word " * 100_000,),
    "choose": ("one", ["only"]),
}
"""What is refused in a sentence."""


@dataclass
class Tally:
    """What all visitors have seen, shared by their threads."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    refusals: int = 0
    departures: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self, task: str, seconds: float) -> None:
        with self._lock:
            self.seconds.setdefault(task, []).append(seconds)

    def refused(self) -> None:
        with self._lock:
            self.refusals += 1

    def left(self) -> None:
        with self._lock:
            self.departures += 1

    def failed(self, what: str) -> None:
        with self._lock:
            self.errors.append(what)


class Visitor:
    """One who asks one thing after another until the time is up."""

    def __init__(self, address: str, number: int, tally: Tally, endpoints: Endpoints) -> None:
        self._client = Client(address, endpoints)
        self._draw = random.Random(number)
        self._tally = tally
        self._session = f"soak{number}"

    def visit(self, until: float) -> None:
        """Go on until then, by the monotonic clock."""
        while time.monotonic() < until:
            chance = self._draw.random()
            act = self._bring_wrong if chance < 0.1 else self._leave if chance < 0.2 else self._ask
            try:
                act()
            except (httpx.HTTPError, ValueError, KeyError) as error:
                self._tally.failed(f"{type(error).__name__}: {error}")
        self._client.close()

    def ask(self, task: str) -> None:
        """Wait for one answer."""
        start = time.monotonic()
        kind, said = self._client.call(task, *TASKS[task])
        if kind == "complete":
            self._tally.answered(task, time.monotonic() - start)
        else:
            self._tally.failed(f"{task}: {said}")

    def _ask(self) -> None:
        self.ask(self._draw.choice(list(TASKS)))

    def _bring_wrong(self) -> None:
        task = self._draw.choice(list(WRONG))
        kind, said = self._client.call(task, *WRONG[task])
        if kind == "error" and isinstance(said, dict) and said.get("error"):
            self._tally.refused()
        else:
            self._tally.failed(f"{task} answered something wrong with {kind}: {said}")

    def _leave(self) -> None:
        """As a page that is closed, or whose visitor presses stop, while it waits for an answer."""
        task, session = self._draw.choice(list(TASKS)), f"{self._session}x{self._draw.random()}"
        client, function = self._client, self._client.endpoints.functions[task]
        asked = {"data": client.arguments(task, *TASKS[task]), "fn_index": function, "session_hash": session}
        event = client.http.post("/queue/join", json=asked).raise_for_status().json()["event_id"]
        patience = self._draw.random()
        start = time.monotonic()
        with client.http.stream("GET", "/queue/data", params={"session_hash": session}) as events:
            for _ in events.iter_lines():
                if time.monotonic() - start > patience:
                    break
            if self._draw.random() < 0.5:
                given_up = {"session_hash": session, "fn_index": function, "event_id": event}
                client.http.post("/cancel", json=given_up).raise_for_status()
        self._tally.left()


@dataclass
class Memory:
    """Resident memory of a process over time."""

    process: int
    samples: list[tuple[float, float]] = field(default_factory=list)
    """Seconds since the start, megabytes."""

    def watch(self, start: float, stopped: threading.Event) -> None:
        while not stopped.wait(0.5):
            self.samples.append((time.monotonic() - start, resident_mb(self.process)))

    def around(self, first: float, last: float) -> float:
        """Median over these seconds."""
        return statistics.median(mb for second, mb in self.samples if first <= second <= last)


def soak(address: str, process: int, *, minutes: float, visitors: int) -> bool:
    """Visit a running app and print how it went.

    Returns:
        whether there was no error, and memory did not grow.
    """
    tally, memory, stopped = Tally(), Memory(process), threading.Event()
    endpoints = Endpoints(address)
    for task in TASKS:  # every model is loaded before it is measured
        Visitor(address, -1, Tally(), endpoints).ask(task)
    start = time.monotonic()
    watcher = threading.Thread(target=memory.watch, args=(start, stopped))
    watcher.start()
    everyone = [Visitor(address, number, tally, endpoints) for number in range(visitors)]
    threads = [threading.Thread(target=visitor.visit, args=(start + 60 * minutes,)) for visitor in everyone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - start
    time.sleep(2)  # the last sample
    stopped.set()
    watcher.join()

    print(f"{'task':18}{'answers':>8}{'p50 s':>8}{'p95 s':>8}{'max s':>8}")
    for task, seconds in [
        *sorted(tally.seconds.items()),
        ("all", [one for all_ in tally.seconds.values() for one in all_]),
    ]:
        p95 = statistics.quantiles(seconds, n=20)[-1] if len(seconds) > 1 else seconds[0]
        print(f"{task:18}{len(seconds):8}{statistics.median(seconds):8.2f}{p95:8.2f}{max(seconds):8.2f}")
    print(f"refused in a sentence: {tally.refusals}; left before the answer: {tally.departures}")
    print(f"errors: {len(tally.errors)}")
    for error, count in {one: tally.errors.count(one) for one in tally.errors}.items():
        print(f"  {count} x {error[:300]}")

    settled = min(SETTLED_SECONDS, 0.5 * took)
    before, after = memory.around(settled, settled + WINDOW_SECONDS), memory.around(took - WINDOW_SECONDS, took + 3)
    most = max(mb for _, mb in memory.samples)
    print(f"memory: {before:.0f} MB after {settled:.0f} s, {after:.0f} MB after {took:.0f} s, {most:.0f} MB at most")
    print(f"growth: {after - before:+.1f} MB (at most {MOST_GROWTH_MB:g})")
    return not tally.errors and after - before <= MOST_GROWTH_MB


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--visitors", type=int, default=8)
    parser.add_argument("--port", type=int, default=0, help="a free one by default")
    options = parser.parse_args(arguments)
    with running(port=options.port) as app:
        is_well = soak(app.address, app.process, minutes=options.minutes, visitors=options.visitors)
    sys.exit(0 if is_well else 1)


if __name__ == "__main__":
    main()
