"""What the benchmarks share: two ways timed in turn, and how their times are written."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import torch


def times_of(ways: tuple[Callable[[], object], Callable[[], object]], runs: int) -> tuple[list[float], list[float]]:
    """Seconds of every run of both, after one each to warm up; they take turns, and turns in going first."""
    times: tuple[list[float], list[float]] = ([], [])
    both = list(zip(ways, times, strict=True))
    for run in range(runs + 1):
        for way, seconds in both if run % 2 else reversed(both):
            started = time.perf_counter()
            way()
            if run:
                seconds.append(time.perf_counter() - started)
    return times


def seconds_of(way: Callable[[], object], runs: int) -> list[float]:
    """Seconds of every run, after one to warm up."""
    return times_of((way, lambda: None), runs)[0]


def row(*names: object, times: tuple[list[float], list[float]], more: Sequence[object] = ()) -> str:
    """A line of a Markdown table: names, medians (and quartiles) of both in milliseconds, the ratio of the medians, and
    what else there is to say."""
    one, other = times
    ratio = statistics.median(one) / statistics.median(other)
    return "| " + " | ".join([*map(str, names), _shown(one), _shown(other), f"{ratio:.2f}", *map(str, more)]) + " |"


def _shown(seconds: list[float]) -> str:
    low, middle, high = statistics.quantiles(seconds, n=4)
    return f"{1000 * middle:.0f} ({1000 * low:.0f} to {1000 * high:.0f})"


def add_options(parser: argparse.ArgumentParser, runs: int = 9) -> None:
    """What every benchmark can be told."""
    parser.add_argument("--runs", type=int, default=runs, help="timed, after one to warm up (%(default)s)")
    parser.add_argument("--threads", type=int, help="processor threads (all)")


def announce(options: argparse.Namespace) -> None:
    """Set the threads, and say how many take part in how many runs."""
    if options.threads:
        torch.set_num_threads(options.threads)
    print(f"{torch.get_num_threads()} threads, {options.runs} runs, milliseconds: median (quartiles)\n")


def runs_asked_for(program: str, description: str | None, arguments: list[str] | None) -> int:
    """Of the command line of a benchmark that has no other options."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    add_options(parser)
    options = parser.parse_args(arguments)
    announce(options)
    runs: int = options.runs
    return runs
