"""What RESULTS.md says of the bundled encoders, from the `health.json` beside each card.

`python -m recipes.readme` writes and checks it with the tables of the README files; `recipes.health.figures` draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.probing import confidence_margin
from data2vec_core.checkpoints.bundled import BundledModel, bundled_models
from recipes.health.report import HEALTH_FILE, MEASURE_NAMES, Answers, Health, Measure, Source

SHAPES = {
    "spread": "standard deviation",
    "spread_within": "within an item",
    "direction_spread": "of directions",
    "effective_rank": "effective rank",
}
"""Field of `LayerShape` -> head of its column."""


def bundled_encoders() -> list[BundledModel]:
    """The bundled encoders without a head."""
    return [model for model in bundled_models() if model.card.is_encoder]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def results() -> str:
    """A section for each bundled encoder."""
    return "\n".join(_section(model, Health.load(model.folder / HEALTH_FILE)) for model in bundled_encoders())


def _section(model: BundledModel, health: Health) -> str:
    card = model.card
    facts = f"{card.title or card.name}. {card.parameters or 0:,} parameters; trained on {card.trained_on}."
    parts = [f"### `{model.name}`\n\n{facts}\n", f"![Learning curves](figures/{model.name}-learning.svg)\n"]
    for answers in health.answers:
        parts += [_question(answers, health), _layers(answers)]
    parts.append(f"![Scores and shape by layer](figures/{model.name}-layers.svg)\n")
    parts.append(_shapes(health))
    return "\n".join(parts)


def _question(answers: Answers, health: Health) -> str:
    """The choice of valid, scored on test."""
    fit, scored, classes = (values["test"] for values in (answers.fit_items, answers.items, answers.classes))
    said = (
        f"**{answers.question.capitalize()}**, on test: {scored:,} items scored, {fit:,} fitted to, {classes} classes, "
        f"the commonest {answers.majority['test']:.1%}. Layer, neighbours and penalty are those that do best on valid "
        f"({answers.items['valid']:,} items).\n\n"
    )
    rows = [
        (
            f"raw features: {health.raw}" if source == "raw" else source,
            *_chosen(answers, source, "knn"),
            *_chosen(answers, source, "probe"),
        )
        for source in answers.scores
    ]
    return said + table(("", "kNN", "layer", "k", "linear probe", "layer", "penalty"), rows)


def _chosen(answers: Answers, source: Source, measure: Measure) -> tuple[str, str, str]:
    best = answers.best(source, measure)
    share = best.of(measure)["test"]
    setting = f"{best.neighbours}" if measure == "knn" else f"{best.penalty:g}"
    shown = f"{share:.1%} ± {confidence_margin(share, answers.items['test']):.1%}"
    return shown, "" if best.layer is None else str(best.layer), setting


def _layers(answers: Answers) -> str:
    """Test accuracy of every layer."""
    networks = [source for source in answers.scores if source != "raw"]
    rows = [
        (f"{source}, {name}", *(f"{score.of(measure)['test']:.1%}" for score in answers.scores[source]))
        for source in networks
        for measure, name in MEASURE_NAMES.items()
    ]
    layers = [str(score.layer) for score in answers.scores[networks[0]]]
    return table((f"{answers.question} by layer, test", *layers), rows)


def _shapes(health: Health) -> str:
    """Spread and rank of every layer."""
    said = (
        f"Shape of the vectors of {health.shape_items} items of valid, {health.dim} dimensions (the effective rank "
        "cannot exceed the smaller of the two numbers):\n\n"
    )
    rows = [
        (source, str(shape.layer), *(f"{getattr(shape, field):.3g}" for field in SHAPES))
        for source, shapes in health.shapes.items()
        for shape in shapes
    ]
    return said + table(("", "layer", *SHAPES.values()), rows)
