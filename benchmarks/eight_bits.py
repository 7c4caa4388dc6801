"""Weights and activations of eight bits: what they save and what they cost: `python -m benchmarks.eight_bits`.

Speed and memory: models of base size whose linear layers are held as `linear="int8"` has them, against the reference in
float32, in one process and in turn, with how far the answers then lie apart. Scores, with `--data DATA`: every bundled
model on its test split, asked through its task in eight bits, against the score of its card, which was measured in 32
(`python -m recipes.evaluate` repeats that).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from benchmarks.forward import cases
from benchmarks.reference import base_pair
from benchmarks.timing import add_options, announce, row
from data2vec_core import pretrained
from data2vec_core.checkpoints.bundled import bundled_models
from data2vec_core.fixed_linear import fix_linears
from data2vec_core.linear_choice import LinearKind
from recipes.bundled import NAMES, bundled_model

MOST = 0.1
"""Difference over the largest value that is taken for rounding to eight bits, and not for a fault."""
MODELS = (
    ("audio", "Data2VecAudioModel", "audio-base"),
    ("text", "Data2VecTextModel", "text-base"),
    ("vision", "Data2VecVisionModel", "vision-base"),
)


@contextmanager
def loaded_as(kind: LinearKind) -> Iterator[None]:
    """Have every model that is loaded inside hold its linear layers in one way, whatever its loader asks for."""
    with mock.patch.object(pretrained, "fix_linears", lambda model, _: fix_linears(model, kind)):
        yield


def memory() -> None:
    """Print the megabytes of the parameters."""
    print("| model | 8 bits, MB | 32 bits, MB | share |\n| --- | --- | --- | --- |")
    for name, class_name, preset in MODELS:
        sizes = [base_pair(class_name, preset, linear=kind).ours.nbytes / 1e6 for kind in ("int8", "plain")]
        print(f"| {name} | {sizes[0]:.0f} | {sizes[1]:.0f} | {sizes[0] / sizes[1]:.2f} |", flush=True)


def speed(runs: int) -> None:
    """Print times against the reference's."""
    print("| model | batch | 8 bits | reference | ratio | difference |\n| --- | --- | --- | --- | --- | --- |")
    for case in cases("int8"):
        times = case.times(runs, tolerance=MOST)
        apart = f"{100 * case.difference():.1f} %"
        print(row(case.name, case.batch, times=times, more=(apart,)), flush=True)


def scores(data: Path) -> None:
    """Print the test scores of the bundled models in both ways."""
    cards = {model.name: model.card for model in bundled_models()}
    print("| model | score | 8 bits | 32 bits | points |\n| --- | --- | --- | --- | --- |")
    for name in NAMES:
        with loaded_as("int8"):
            measured = bundled_model(name).evaluate(name, data, "test")
        for metric in measured:
            stated = cards[name].metric(metric.name, "test")
            scale = 100 if metric.value <= 1 else 1
            values = [scale * metric.value, float("nan") if stated is None else scale * stated]
            shown = [f"{value:.1f}" for value in values]
            print(f"| {name} | {metric.name} | {shown[0]} | {shown[1]} | {values[0] - values[1]:+.2f} |", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.eight_bits", description=__doc__)
    add_options(parser)
    parser.add_argument("--data", type=Path, help="folder of the data packs; without it, no scores")
    parser.add_argument("--only-scores", action="store_true")
    options = parser.parse_args(arguments)
    announce(options)
    if not options.only_scores:
        speed(options.runs)
        print()
        memory()
        print()
    if options.data:
        scores(options.data)


if __name__ == "__main__":
    main()
