"""Draw the figures of RESULTS.md from the files beside each encoder's card: `python -m recipes.health.figures`."""

from __future__ import annotations

import argparse
from pathlib import Path

from analysis.figures.curves import learning_curves
from analysis.figures.layers import LayerPanel, by_layer
from analysis.figures.style import save
from data2vec_core.checkpoints.bundled import BundledModel
from data2vec_core.checkpoints.files import LOG_FILE
from recipes.health.measure import BY_STEP_FILE
from recipes.health.report import HEALTH_FILE, MEASURE_NAMES, MEASURES, Health
from recipes.health.results import bundled_encoders
from recipes.run_log import read_lines

FIGURES = Path(__file__).parents[1] / "figures"


def draw(model: BundledModel, folder: Path) -> None:
    """Write the two figures of an encoder."""
    health = Health.load(model.folder / HEALTH_FILE)
    log = read_lines(model.folder / LOG_FILE)
    by_step = model.folder / BY_STEP_FILE
    knn = read_lines(by_step) if by_step.is_file() else []
    folder.mkdir(parents=True, exist_ok=True)
    caption = f"{model.name}: {log[-1]['step']:,} steps, each point the mean of neighbouring reports"
    save(learning_curves(log, knn, caption=caption), folder / f"{model.name}-learning.svg")
    caption = (
        f"{model.name}: accuracy on test; rank of the mean vectors of {health.shape_items} items of valid, "
        f"{health.dim} dimensions; layer 0 is the input of the first block; untrained: seed 0"
    )
    save(by_layer(layer_panels(health), caption=caption), folder / f"{model.name}-layers.svg")


def layer_panels(health: Health) -> list[LayerPanel]:
    """Linear probe and neighbours on every question, and the effective rank."""
    panels = []
    for answers in health.answers:
        for measure in reversed(MEASURES):
            values: dict[str, list[float]] = {
                source: [score.of(measure)["test"] for score in scores]
                for source, scores in answers.scores.items()
                if source != "raw"
            }
            raw = answers.scores["raw"][0].of(measure)["test"]
            title = f"{answers.question}, {MEASURE_NAMES[measure]}"
            panels.append(LayerPanel(title=title, values=values, level=raw, top=1))
    ranks: dict[str, list[float]] = {
        source: [shape.effective_rank for shape in shapes] for source, shapes in health.shapes.items()
    }
    return [*panels, LayerPanel(title="effective rank", values=ranks)]


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.health.figures", description=__doc__)
    parser.parse_args(arguments)
    for model in bundled_encoders():
        draw(model, FIGURES)


if __name__ == "__main__":
    main()
