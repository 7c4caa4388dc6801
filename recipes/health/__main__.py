"""How much an encoder has learnt, by the numbers: `python -m recipes.health runs/audio --data DATA`.

By layer, for student, teacher and an untrained network of the same shape: nearest neighbours and linear probes on
labels that pre-training never saw, beside the same on raw features; and whether the layers have collapsed. The number
of neighbours, the probe's penalty and the layer that stands for the model are chosen on valid; test is only reported.

Items are pooled over their real positions: speech and text by mean and standard deviation, pictures by the means of a
grid of 4 x 4 cells; see `recipes.health.pooling`. Dimensions are scaled by the fit part, tf-idf is taken as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from recipes.health.measure import BY_STEP_FILE, measure, measure_quickly, note_step
from recipes.health.report import SOURCES, Scored, table
from recipes.packs import add_data_option


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.health", description=__doc__)
    parser.add_argument("checkpoint", help="folder with model.safetensors and teacher.safetensors, or a bundled name")
    add_data_option(parser)
    parser.add_argument("--splits", nargs="+", choices=("valid", "test"), default=("valid", "test"))
    parser.add_argument("--sources", nargs="+", choices=SOURCES, help="(all; with --quick student and teacher)")
    parser.add_argument("--quick", action="store_true", help="few train items, few layers, valid and neighbours only")
    parser.add_argument("--json", type=Path, help="file to write everything to")
    parser.add_argument("--step", type=int, help=f"of the run: add a line to {BY_STEP_FILE} in its folder")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # of many small passes, more threads only wait for each other
    if options.quick:
        splits: tuple[Scored, ...] = ("valid",)
        health = measure_quickly(options.checkpoint, options.data, sources=options.sources or ("student", "teacher"))
    else:
        splits = tuple(options.splits)
        health = measure(options.checkpoint, options.data, splits=splits, sources=options.sources or SOURCES)
    if options.json is not None:
        health.save(options.json)
    if options.step is not None:
        note_step(Path(options.checkpoint), health, options.step)
    for split in splits:
        print(table(health, split))


if __name__ == "__main__":
    main()
