"""What `recipes.health` measured, as data that goes to JSON and back, and as a table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, get_args

from data2vec_core.checkpoints.card import Modality
from data2vec_core.checkpoints.files import read_json, write_json

HEALTH_FILE = "health.json"
"""Beside the card of a bundled encoder."""

Scored = Literal["valid", "test"]
"""Splits: everything is chosen by valid, test is only reported."""
Source = Literal["student", "teacher", "untrained", "raw"]
"""Where the features come from: two networks, one that learnt nothing, none."""
SOURCES: tuple[Source, ...] = get_args(Source)
Measure = Literal["knn", "probe"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
MEASURE_NAMES: dict[Measure, str] = {"knn": "kNN", "probe": "linear probe"}


@dataclass(frozen=True, kw_only=True)
class LayerScore:
    """What one layer of one source knows about one question."""

    layer: int | None
    """0 is the input of the first block; None of raw features."""
    neighbours: int
    """k, chosen on valid."""
    knn: dict[Scored, float]
    """Accuracy."""
    penalty: float | None = None
    """Of the probe, chosen on valid."""
    probe: dict[Scored, float] = field(default_factory=dict)
    """Accuracy; empty when no probe was fitted."""

    def of(self, measure: Measure) -> dict[Scored, float]:
        """Accuracy by split."""
        return self.knn if measure == "knn" else self.probe


@dataclass(frozen=True, kw_only=True)
class Answers:
    """One question, put to every source."""

    question: str
    fit_items: dict[Scored, int]
    """Number of items fitted to at a time."""
    items: dict[Scored, int]
    """Number of items scored."""
    classes: dict[Scored, int]
    """Among them."""
    majority: dict[Scored, float]
    """Accuracy of always giving the commonest class."""
    scores: dict[Source, tuple[LayerScore, ...]]

    def best(self, source: Source, measure: Measure) -> LayerScore:
        """The layer of a source that does best on valid; the lower of those that tie."""
        return max(self.scores[source], key=lambda score: score.of(measure)["valid"])


@dataclass(frozen=True, kw_only=True)
class LayerShape:
    """How the vectors of one layer lie; far from collapse is what they should be."""

    layer: int
    spread: float
    """Standard deviation over items of their mean vectors, mean over dimensions."""
    spread_within: float
    """Standard deviation over the positions of an item, mean over items and dimensions."""
    direction_spread: float
    """0: all items point the same way; 1: evenly in all directions."""
    effective_rank: float
    """Of the items' mean vectors; at most the smaller of items and dim."""


@dataclass(frozen=True, kw_only=True)
class Health:
    """All measures of one checkpoint."""

    modality: Modality
    raw: str
    """What the raw features are."""
    answers: tuple[Answers, ...]
    shape_items: int
    """Items that the shapes are measured on."""
    dim: int
    shapes: dict[Source, tuple[LayerShape, ...]]

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            CheckpointError: it is missing or not JSON.
            TypeError, KeyError: it is another kind of file.
        """
        values = read_json(path)
        answers = tuple(_answers(answers) for answers in values.pop("answers"))
        shapes = {source: tuple(LayerShape(**layer) for layer in layers) for source, layers in values["shapes"].items()}
        return cls(**(values | {"answers": answers, "shapes": shapes}))


def _answers(values: Mapping[str, Any]) -> Answers:
    scores = {source: tuple(LayerScore(**layer) for layer in layers) for source, layers in values["scores"].items()}
    return Answers(**{**values, "scores": scores})


def table(health: Health, split: Scored) -> str:
    """The scores as lines of text, a column a layer, for a terminal."""
    lines = []
    for answers in health.answers:
        lines.append(
            f"{answers.question}, {split}: {answers.items[split]} items, {answers.classes[split]} classes, "
            f"commonest {answers.majority[split]:.1%}"
        )
        for source, layers in answers.scores.items():
            for measure in MEASURES:
                if all(split in score.of(measure) for score in layers):
                    best = answers.best(source, measure)
                    shown = "  ".join(f"{score.of(measure)[split]:6.1%}" for score in layers)
                    at = "" if best.layer is None else f"   layer {best.layer}: {best.of(measure)[split]:.1%}"
                    lines.append(f"  {source:9} {measure:5}  {shown}{at}")
    for name in ("spread", "spread_within", "direction_spread", "effective_rank") if health.shapes else ():
        lines.append(f"{name.replace('_', ' ')} ({health.shape_items} items, {health.dim} dimensions)")
        for source, shapes in health.shapes.items():
            lines.append(f"  {source:9}        " + "  ".join(f"{getattr(shape, name):6.3g}" for shape in shapes))
    return "\n".join(lines)
