"""The app as its visitors meet it: `python -m benchmarks.app`.

Start-up and first answer (the median of some starts, after one that warms the disk), memory with every bundled model
used once, and how long a visitor waits for the transcription of five seconds of speech, alone and among eight. Beside
it a plain app of the same tools and weights over the reference's pipelines (`benchmarks.plain_app`). Both run as their
own process, one after the other, and are asked by HTTP.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from benchmarks import ROOT
from benchmarks.reference import write_plainly
from benchmarks.running import EXAMPLES, Client, Endpoints, Running, running
from benchmarks.soak import TASKS
from data2vec_core.tasks import TASKS as TASK_CLASSES

VISITORS: Final = 8
STARTS: Final = 3
PLAIN: Final = {
    "transcribe": ("an4", "five_seconds.wav"),
    "classify_audio": ("commands", EXAMPLES / "no.wav"),
    "classify_text": ("sst2", "A warm, wise and very funny film."),
    "fill_mask": ("mlm", "The capital of France is <mask>."),
    "classify_image": ("objects", EXAMPLES / "flamingo.jpg"),
}
"""Endpoint of both apps -> its model, and what is asked."""

MODELS: Final = {
    "transcribe": ("an4",),
    "classify_audio": ("commands", "esc10"),
    "compare_speakers": ("speakers",),
    "speaker_activity": ("activity",),
    "classify_text": ("sst2", "trec", "snips-intent"),
    "tag_tokens": ("snips-slots",),
    "answer_question": ("qa",),
    "choose": ("choice",),
    "fill_mask": ("mlm",),
    "continue_text": ("causal",),
    "classify_image": ("objects",),
    "segment_image": ("pets3", "camvid"),
}
"""Endpoint -> the bundled models that it has."""


@dataclass
class Times:
    """Of one app, in seconds."""

    page: list[float] = field(default_factory=list)
    """From every start to the first page."""
    transcription: list[float] = field(default_factory=list)
    """From every start to the first transcription."""
    answers: dict[str, list[float]] = field(default_factory=dict)
    among: list[float] = field(default_factory=list)
    """Transcriptions while seven others ask for the same."""
    memory_mb: float = 0.0


def write_plain_models(folder: Path) -> None:
    """The bundled models that the plain app has, without shared encoders, as any tool reads them."""
    for endpoint, (model, _) in PLAIN.items():
        write_plainly(TASK_CLASSES[endpoint].from_pretrained(model), folder / endpoint)


def five_seconds(folder: Path) -> Path:
    """A clip of spoken digits, repeated until it is so long."""
    samples, rate = soundfile.read(EXAMPLES / "digits.wav", dtype="float32")
    path = folder / "five_seconds.wav"
    soundfile.write(path, np.resize(samples, 5 * rate), rate)
    return path


@dataclass(frozen=True)
class App:
    """How one is started."""

    command: tuple[str, ...] = ("app.py",)
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self) -> AbstractContextManager[Running]:
        """Until the end of the block."""
        return running(self.command, environment=self.environment)

    def start(self, clip: Path) -> tuple[float, float]:
        """Seconds to the first page and to the first transcription."""
        start = time.monotonic()
        with self.run() as app:
            client = Client(app.address)
            client.seconds("transcribe", clip)
            client.close()
            return app.seconds, time.monotonic() - start


def started(app: App, clip: Path) -> Times:
    """Start an app again and again."""
    app.start(clip)  # reads all files once
    pages, transcriptions = zip(*(app.start(clip) for _ in range(STARTS)), strict=True)
    return Times(list(pages), list(transcriptions))


def ask(app: Running, times: Times, clip: Path, runs: int) -> None:
    """Ask a running app one thing after another, then eight at a time."""
    client = Client(app.address)
    for endpoint, (_, asked) in PLAIN.items():
        given = clip if endpoint == "transcribe" else asked
        client.seconds(endpoint, given)  # once to warm up
        times.answers[endpoint] = [client.seconds(endpoint, given) for _ in range(runs)]
    times.among = waits_of(VISITORS, app.address, client.endpoints, clip, runs // 4)
    times.memory_mb = app.resident_mb
    client.close()


def waits_of(visitors: int, address: str, endpoints: Endpoints, clip: Path, runs: int) -> list[float]:
    """Seconds of every transcription of so many visitors, who ask at the same time."""

    def visit(_: int) -> list[float]:
        client = Client(address, endpoints)
        seconds = [client.seconds("transcribe", clip) for _ in range(runs)]
        client.close()
        return seconds

    with ThreadPoolExecutor(visitors) as everyone:
        return [one for several in everyone.map(visit, range(visitors)) for one in several]


def memory_of_all(app: Running) -> float:
    """Megabytes once every bundled model with a head has answered."""
    client = Client(app.address)
    for endpoint, models in MODELS.items():
        for model in models:
            client.seconds(endpoint, *TASKS[endpoint], model=model)
    client.close()
    return app.resident_mb


def import_seconds(code: str, runs: int = 5) -> list[float]:
    """Of a fresh Python, less the start of Python itself."""

    def run(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
        return time.perf_counter() - start

    bare = statistics.median(run("pass") for _ in range(runs))
    return [run(code) - bare for _ in range(runs)]


def first_umap() -> tuple[float, float]:
    """Seconds that the first UMAP of a process takes, and the longest that another thread waited for its turn: the page
    is served from such a one."""
    code = "import benchmarks.app as app; print(*app.stalled())"
    command = [sys.executable, "-c", code]
    seconds, longest = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.split()
    return float(seconds), float(longest)


def stalled(pause: float = 0.01) -> tuple[float, float]:
    """As `first_umap`, in this process."""
    from analysis.layouts import layout

    rows = np.random.default_rng(0).standard_normal((300, 64)).astype(np.float32)
    working = threading.Thread(target=lambda: layout(rows, "umap", seed=0))
    start, longest = time.perf_counter(), 0.0
    working.start()
    while working.is_alive():
        before = time.perf_counter()
        time.sleep(pause)
        longest = max(longest, time.perf_counter() - before - pause)
    return time.perf_counter() - start, longest


def p95(seconds: Sequence[float]) -> float:
    """What nineteen of twenty do not exceed."""
    return statistics.quantiles(seconds, n=20)[-1]


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.app", description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="of every answer (%(default)s)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = five_seconds(folder)
        write_plain_models(folder)
        both: list[Times] = []
        all_mb = 0.0
        for app in (App(), App(("-m", "benchmarks.plain_app"), {"PLAIN_MODELS": name})):
            both.append(started(app, clip))
            with app.run() as now:
                ask(now, both[-1], clip, options.runs)
                if len(both) == 1:
                    all_mb = memory_of_all(now)
    print(f"{STARTS} starts, {options.runs} runs of every answer, processor threads as each app sets them\n")
    _show(*both)
    umap_seconds, stall = first_umap()
    print("\n| of the app alone | |\n| --- | --- |")
    for code in ("import data2vec_core", "from data2vec_core import Data2VecAudioForCTC"):
        print(f"| `{code}`, s | {statistics.median(import_seconds(code)):.2f} |")
    print(f"| memory once every bundled model has answered, MB | {all_mb:.0f} |")
    print(f"| first UMAP, s | {umap_seconds:.1f} |")
    print(f"| longest wait of another thread meanwhile, s | {stall:.2f} |")


def _show(ours: Times, plain: Times) -> None:
    median = statistics.median
    rows: list[tuple[str, float, float]] = [
        ("start to the first page, s", median(ours.page), median(plain.page)),
        ("start to the first transcription, s", median(ours.transcription), median(plain.transcription)),
        ("memory after all of these, MB", ours.memory_mb, plain.memory_mb),
    ]
    for endpoint in PLAIN:
        one, other = (median(times.answers[endpoint]) for times in (ours, plain))
        rows.append((f"`/{endpoint}`, median, ms", 1000 * one, 1000 * other))
    one, other = (p95(times.answers["transcribe"]) for times in (ours, plain))
    rows.append(("`/transcribe` of 5 s, p95, ms", 1000 * one, 1000 * other))
    rows.append((f"the same with {VISITORS} visitors, p95, ms", 1000 * p95(ours.among), 1000 * p95(plain.among)))
    print("| what | ours | plain app | ratio |\n| --- | --- | --- | --- |")
    for what, one, other in rows:
        shown = [f"{value:.2f}" if value < 10 else f"{value:.0f}" for value in (one, other)]
        print(f"| {what} | {shown[0]} | {shown[1]} | {one / other:.2f} |")


if __name__ == "__main__":
    main()
