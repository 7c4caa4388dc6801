"""Score the bundled models on held-apart data: `python -m recipes.evaluate --data DATA`.

Every model is asked through its task, as the app asks it: raw input in, answer out. The test split is for reporting;
choices are made on valid (`--split valid`).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from data2vec_core.checkpoints.bundled import bundled_models
from data2vec_core.checkpoints.card import Card, Metric
from recipes.bundled import NAMES, bundled_model
from recipes.bundled.foreign import KNOWN, foreign_inputs
from recipes.bundled.model import BundledModel
from recipes.confidence import load_classifier, measure_confidence
from recipes.packs import Split, add_data_option

TOLERANCE = 0.005
"""How far a score may lie from the card's: kernels differ a little from machine to machine. Of scores above 1, such as
a perplexity, the share."""


def measure(model: BundledModel, source: str | Path, data: Path, split: Split) -> list[Metric]:
    """All scores of a model, by its name or folder: of its task, and on test of its confidence, where it has some."""
    metrics = model.evaluate(source, data, split)
    if split == "test" and model.card.name in KNOWN:
        task = load_classifier(source)
        test, labels = model.examples(data, split), task.model.config.labels
        metrics += measure_confidence(
            task,
            [example.content for example in test],
            [labels.index(example.target) for example in test],
            foreign_inputs(model.card.name, model.card.modality, data, split),
        )
    return metrics


def disagreements(card: Card, measured: list[Metric]) -> list[str]:
    """Sentences on scores that are not what the card states."""
    said = []
    for metric in measured:
        stated = card.metric(metric.name, metric.split)
        if stated is None or abs(stated - metric.value) > TOLERANCE * max(1.0, abs(stated)):
            shown = "nothing" if stated is None else f"{stated:.4f}"
            said.append(f"{card.name}: measured {metric.name} {metric.value:.4f}, its card says {shown}")
    return said


def main(arguments: list[str] | None = None) -> None:
    """Command line; exits with 1 when a model is missing, or a test score is not what the model's card says."""
    parser = argparse.ArgumentParser(prog="python -m recipes.evaluate", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"bundled models, of {', '.join(NAMES)} (all)")
    add_data_option(parser)
    parser.add_argument("--split", choices=("valid", "test"), default="test")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - NAMES.keys():
        parser.error(f"no evaluation named {', '.join(sorted(unknown))}: there are {', '.join(NAMES)}")
    cards = {model.name: model.card for model in bundled_models()}
    faults: list[str] = []
    for name in options.names or NAMES:
        if name not in cards:
            faults.append(f"{name}: no such bundled model")
            continue
        measured = measure(bundled_model(name), name, options.data, options.split)
        for metric in measured:
            print(f"{name:12} {metric.split:6} {metric.name:40} {metric.value:.4f}", flush=True)
        if options.split == "test":
            faults += disagreements(cards[name], measured)
    for fault in faults:
        print(fault, file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
