"""What `benchmarks.economy` found, as a figure and as a table: `python -m benchmarks.economy_report`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.figures.palette import NEUTRAL, categorical, hexadecimal
from analysis.figures.style import row_of_panels, save, shared_legend
from analysis.probing import NEIGHBOURS, confidence_margin

RESULTS, FIGURE = Path("benchmarks/economy.json"), Path("docs/economy.svg")
CLOCKS = {"seconds": "min", "processor_seconds": "min of processor time"}
"""By which arms can be compared, and the unit of the figure's axis, a sixtieth of it."""
ARMS = ("plain", "masks", "visible", "both")
NAMES = {"plain": "M = 1", "masks": "M = {masks}", "visible": "visible, M = 1", "both": "visible, M = {masks}"}
"""In legend and table."""


def table(results: Mapping[str, Any], *, role: str = "teacher") -> str:
    """Speed and accuracy of every arm at its end, and when it first named as many pictures as the first arm ever did,
    as Markdown.

    Accuracy is that of neighbours among the train pictures, each left out in turn, in the last layer looked at.
    """
    settings, arms = results["settings"], results["arms"]
    times = {name: [point[settings["clock"]] for point in points] for name, points in arms.items()}
    shares = {name: [[*point["knn"][role].values()][-1]["train"] for point in points] for name, points in arms.items()}
    first = next(iter(arms))
    level = max(shares[first])
    margin = 100 * confidence_margin(level, results["pictures"]["train"])
    reached = {
        name: next((time for time, share in zip(times[name], shares[name], strict=True) if share >= level), None)
        for name in arms
    }
    lines = [
        f"| {role}, block {settings['depth']} | pictures a second | neighbours at the end | "
        f"seconds to {100 * level:.1f} % (±{margin:.1f}) | ratio |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, points in arms.items():
        speed = settings["batch"] * points[-1]["steps"] / max(times[name][-1], 1e-9)
        time = reached[name]
        ratio = f"{time / reached[first]:.2f}" if time is not None and reached[first] else ""
        cells = f"{speed:.0f} | {100 * shares[name][-1]:.1f} % | {'not reached' if time is None else round(time)}"
        lines.append(f"| {NAMES[name].format(masks=settings['masks'])} | {cells} | {ratio} |")
    return "\n".join(lines)


def draw(results: Mapping[str, Any], path: Path, *, role: str = "teacher") -> None:
    """Two panels, valid and train, of accuracy over time, one line an arm; grey: the untrained network.

    Args:
        role: `teacher` or `student`.
    """
    settings, counts, arms = results["settings"], results["pictures"], results["arms"]
    layer = next(iter(next(iter(arms.values()))[0]["knn"][role]))

    def percent(points: Sequence[Mapping[str, Any]], split: str) -> list[float]:
        return [100 * point["knn"][role][layer][split] for point in points]

    titles = {}
    for split in ("valid", "train"):
        best = max(percent(points, split)[-1] for points in arms.values())
        margin = 100 * confidence_margin(best / 100, counts[split])
        titles[split] = f"kNN accuracy, %: {split}, n = {counts[split]}, ±{margin:.1f}"
    figure, panels = row_of_panels(
        list(titles.values()),
        f"{role}, block {layer} of {settings['depth']}; {counts['unlabelled']} pictures, {settings['batch']} a step; "
        f"k = {NEIGHBOURS}",
    )
    for axes, split in zip(panels, titles, strict=True):
        for name, colour in zip(ARMS, categorical(len(ARMS)), strict=True):
            if name in arms:
                minutes = [point[settings["clock"]] / 60 for point in arms[name]]
                label = NAMES[name].format(masks=settings["masks"])
                axes.plot(minutes, percent(arms[name], split), ".-", color=hexadecimal(colour), label=label)
        untrained = percent(next(iter(arms.values())), split)[0]
        axes.axhline(untrained, color=hexadecimal(NEUTRAL), linestyle=":", linewidth=1)
        axes.set_xlabel(CLOCKS[settings["clock"]])
    shared_legend(figure, panels[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    save(figure, path)


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.economy_report", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, help="JSON file (%(default)s)")
    parser.add_argument("--figure", type=Path, default=FIGURE, help="SVG or PNG file (%(default)s)")
    parser.add_argument("--role", choices=("student", "teacher"), default="teacher", help="(%(default)s)")
    options = parser.parse_args(arguments)
    results = json.loads(options.results.read_text(encoding="utf-8"))
    draw(results, options.figure, role=options.role)
    print(table(results, role=options.role))


if __name__ == "__main__":
    main()
