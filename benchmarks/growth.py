"""How cost grows: time and memory against the length of sound and text, the side of a picture, the items of a batch and
the number of visitors: `python -m benchmarks.growth`.

Models of base size, float32, linear layers as PyTorch has them, no gradients. Memory is the peak of what is resident
above the model, in a process of its own that gives every freed block back at once. Visitors ask the running app for the
transcription of five seconds, with the bundled model, all at the same time. The exponent says how cost grew from the
line before: 1 is linear, 2 the square. Also written is `docs/growth.svg`.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from analysis.figures.palette import categorical, hexadecimal
from analysis.figures.style import row_of_panels, save, shared_legend
from benchmarks.app import five_seconds, waits_of
from benchmarks.memory import megabytes_printed, peak_above
from benchmarks.reference import base_pair
from benchmarks.running import Endpoints, running
from benchmarks.timing import add_options, announce, seconds_of

FIGURE: Final = Path("docs/growth.svg")
VISITORS: Final = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Axis:
    """Along which cost grows."""

    title: str
    class_name: str
    preset: str
    sizes: tuple[int, ...]
    batch: Callable[[int], dict[str, torch.Tensor]]
    fields: Callable[[int], dict[str, Any]] = lambda _: {}
    """Of the configuration, for a size."""

    def work(self, size: int) -> Callable[[], object]:
        """One forward pass of that size."""
        model: Any = base_pair(self.class_name, self.preset, **self.fields(size)).ours
        inputs = self.batch(size)

        @torch.inference_mode()
        def run() -> object:
            return model(**inputs)

        return run


AXES: Final = {
    "seconds": Axis(
        "speech, seconds in one pass",
        "Data2VecAudioModel",
        "audio-base",
        (1, 2, 5, 10, 20, 40, 80),
        lambda seconds: {"input_values": torch.randn(1, 16_000 * seconds)},
    ),
    "tokens": Axis(
        "text, tokens",
        "Data2VecTextModel",
        "text-base",
        (16, 32, 64, 128, 256, 512),
        lambda tokens: {"input_ids": torch.randint(4, 50_000, (1, tokens))},
    ),
    "side": Axis(
        "picture, pixels of a side",
        "Data2VecVisionModel",
        "vision-base",
        (96, 160, 224, 320, 448, 640),
        lambda side: {"pixel_values": torch.randn(1, 3, side, side)},
        lambda side: {"image_size": side},
    ),
    "batch": Axis(
        "pictures of 224 pixels at once",
        "Data2VecVisionModel",
        "vision-base",
        (1, 2, 4, 8, 16),
        lambda items: {"pixel_values": torch.randn(items, 3, 224, 224)},
    ),
}


@dataclass(frozen=True)
class Cost:
    """Of one size."""

    size: int
    seconds: float
    megabytes: float | None


def costs(name: str, runs: int) -> list[Cost]:
    """Along one axis of the models."""
    found = []
    for size in AXES[name].sizes:
        work = AXES[name].work(size)
        found.append(Cost(size, statistics.median(seconds_of(work, runs)), _megabytes(name, size)))
    return found


def _megabytes(name: str, size: int) -> float:
    return megabytes_printed("benchmarks.growth", "--memory-of", name, str(size))


def visitor_costs(runs: int) -> list[Cost]:
    """Median seconds that each of several visitors waits, asking at the same time."""
    found = []
    with tempfile.TemporaryDirectory() as name, running() as app:
        clip = five_seconds(Path(name))
        endpoints = Endpoints(app.address)
        waits_of(1, app.address, endpoints, clip, 1)  # the model is loaded
        for count in VISITORS:
            waits = waits_of(count, app.address, endpoints, clip, runs)
            found.append(Cost(count, statistics.median(waits), None))
    return found


def table(title: str, found: Sequence[Cost]) -> str:
    """One axis as Markdown."""
    lines = [f"| {title} | ms | exponent | MB | exponent |", "| --- | --- | --- | --- | --- |"]
    for before, here in zip([None, *found], found, strict=False):
        cells = [f"{1000 * here.seconds:.0f}", _exponent(before, here, lambda cost: cost.seconds)]
        if here.megabytes is not None:
            cells += [f"{here.megabytes:.0f}", _exponent(before, here, lambda cost: cost.megabytes or 0)]
        lines.append(f"| {here.size} | " + " | ".join([*cells, "", ""][:4]) + " |")
    return "\n".join(lines) + "\n"


def _exponent(before: Cost | None, here: Cost, of: Callable[[Cost], float]) -> str:
    if before is None or of(before) <= 0 or of(here) <= 0:
        return ""
    return f"{math.log(of(here) / of(before)) / math.log(here.size / before.size):.2f}"


def draw(found: dict[str, list[Cost]], path: Path) -> None:
    """Both scales logarithmic, one panel an axis; dotted, what would be linear."""
    titles = {name: axis.title for name, axis in AXES.items()} | {"visitors": "visitors at once"}
    figure, panels = row_of_panels([titles[name] for name in found], "time in ms, memory in MB; dotted: linear")
    time_colour, memory_colour = (hexadecimal(colour) for colour in categorical(2))
    for axes, several in zip(panels, found.values(), strict=True):
        sizes, times = [cost.size for cost in several], [1000 * cost.seconds for cost in several]
        axes.loglog(sizes, times, ".-", color=time_colour, label="time")
        axes.loglog(sizes, [times[0] * size / sizes[0] for size in sizes], ":", color=time_colour, alpha=0.6)
        if several[0].megabytes is not None:
            axes.loglog(sizes, [cost.megabytes for cost in several], ".-", color=memory_colour, label="memory")
        axes.set_xticks(sizes, [str(size) for size in sizes], minor=False)
        axes.minorticks_off()
    shared_legend(figure, panels[0])
    save(figure, path)


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    add_options(parser, runs=3)
    parser.add_argument("--memory-of", nargs=2, metavar=("AXIS", "SIZE"), help=argparse.SUPPRESS)
    parser.add_argument("--figure", type=Path, default=FIGURE, help="SVG or PNG file (%(default)s)")
    options = parser.parse_args(arguments)
    if options.memory_of:
        name, size = options.memory_of
        print(json.dumps(peak_above(AXES[name].work(int(size))) / 1e6))
        return
    announce(options)
    found = {}
    for name, axis in AXES.items():
        found[name] = costs(name, options.runs)
        print(table(axis.title, found[name]), flush=True)
    found["visitors"] = visitor_costs(options.runs)
    print(table("visitors at once", found["visitors"]))
    draw(found, options.figure)


if __name__ == "__main__":
    main()
