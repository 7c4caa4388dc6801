"""What the view "Layers" says of two sides: how alike their layers are, how they lie, what can be read off them."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ui.inside.layers_sides import SEED, Choice, Kept, Pair, shares_axes
from ui.views.layers_curves import Chart, Curve, Level, charts, key, numbers
from ui.views.layers_matrix import SCALES, matrix_table
from ui.words import say, translated

if TYPE_CHECKING:
    from analysis.item_vectors import ItemVectors
    from analysis.layer_comparison import LayerComparison
    from analysis.layer_knowledge import LayerKnowledge
    from analysis.layouts import Layout

MEASURES: Final = ("cka", "biased_cka", "mutual_knn", "cosine", "procrustes", "svcca", "pwcca")
GEOMETRY: Final = ("effective_rank", "participation_ratio", "anisotropy", "uniformity", "intrinsic_dimension")
_LITTLE: Final = -0.1
"""An axis of shares begins at 0 where no value is far below."""


def measure_name(measure: str) -> str:
    """What a measure is called."""
    return {
        "cka": say("layers.cka"),
        "biased_cka": say("layers.biased_cka"),
        "mutual_knn": say("layers.mutual_knn"),
        "cosine": say("layers.cosine"),
        "procrustes": say("layers.procrustes"),
        "svcca": say("layers.svcca"),
        "pwcca": say("layers.pwcca"),
    }[measure]


def side_name(side: ItemVectors) -> str:
    """Model and role of a side."""
    if side.is_untrained:
        return say("layers.untrained_side", model=side.model)
    role = say("inside.student") if side.role == "student" else say("inside.teacher")
    return f"{side.model} · {role}" if side.has_role else say("layers.no_teacher_side", model=side.model)


def set_name(name: str) -> str:
    """What a set of items is called."""
    return {
        "things": say("layers.set_things"),
        "photographs": say("layers.set_photographs"),
        "prompts": say("layers.set_prompts"),
        "own": say("layers.set_own"),
    }.get(name) or say("layers.set_pack", name=name)


# Comparison ----------------------------------------------------------------------------------------------------------


def compared(store: Kept, pair: Pair, measure: str) -> tuple[LayerComparison, LayerComparison | None]:
    """The matrix, and its null where one is wanted and to be had.

    Raises:
        ValueError: a measure that these sides do not admit, in a sentence for the visitor.
    """
    from analysis.layer_comparison import compare_layers, fewest_items

    first, second = pair.first.vectors, pair.second.vectors
    if measure == "cosine" and not shares_axes(pair):
        raise ValueError(say("layers.no_cosine"))
    if measure in ("svcca", "pwcca") and pair.n < (needed := fewest_items(first, second, measure)):  # type: ignore[arg-type]
        p, q = first.shape[2], second.shape[2]
        raise ValueError(say("layers.too_few", measure=measure_name(measure), n=pair.n, p=p, q=q, needed=needed))

    def made(other: Any, **options: Any) -> LayerComparison:
        return compare_layers(first, other, measure, **options)  # type: ignore[arg-type]

    found = store.get(_key(pair, measure), lambda: made(second))
    null = None
    if pair.null == "shuffled":
        null = store.get(_key(pair, measure, "shuffled"), lambda: made(second, shuffled=SEED))
    elif pair.null == "untrained" and pair.control is not None:
        control = pair.control.vectors
        null = store.get(_key(pair, measure, "untrained"), lambda: made(control))
    return found, null


def comparison_html(store: Kept, pair: Pair, choice: Choice) -> str:
    """The section of matrices."""
    try:
        found, null = compared(store, pair, choice.measure)
    except ValueError as error:
        return f'<div class="notice empty"><p>{escape(str(error))}</p></div>{_statement(pair)}'
    rows, columns = side_name(pair.first), side_name(pair.second)
    title = measure_name(choice.measure)
    tables = [matrix_table(found.matrix, choice.measure, title, rows=rows, columns=columns)]
    if null is not None:
        name = say("layers.null_shuffled") if pair.null == "shuffled" else say("layers.null_untrained")
        other = columns if pair.control is None else side_name(pair.control)
        tables.append(matrix_table(null.matrix, choice.measure, f"{title} · {name}", rows=rows, columns=other))
    elif pair.null == "untrained":
        tables.append(f'<p class="small note">{escape(say("layers.no_untrained"))}</p>')
    tables.append(_diagonal(found, null, choice.measure))
    told = say("layers.cell", title="{title}", row="{row}", column="{column}", value="{value}")
    return (
        f'<p class="headline-note">{escape(_headline(found, null, rows, columns))}</p>'
        f'<div class="matrices">{"".join(tables)}</div>'
        f'<p class="told small" role="status" aria-live="polite" data-cell="{escape(told)}">'
        f"{escape(say('layers.cell_hint'))}</p>"
        f"{_statement(pair, found)}"
        f'<p class="small misleads">{escape(say("layers.compare_misleads"))}</p>'
    )


def _headline(found: LayerComparison, null: LayerComparison | None, rows: str, columns: str) -> str:
    """The main number in a sentence."""
    is_distance = found.measure == "procrustes"
    values = found.matrix
    if not np.isfinite(values).any():
        return say("layers.all_undefined")
    best = np.nanargmin(values) if is_distance else np.nanargmax(values)
    row, column = np.unravel_index(best, values.shape)
    told = {
        "rows": rows,
        "columns": columns,
        "row": int(row),
        "column": int(column),
        "value": _number(values[row, column]),
    }
    first = say("layers.closest", **told)
    if found.rows == found.columns:
        first = f"{say('layers.mean_diagonal', value=_number(float(np.nanmean(found.diagonal()))))} {first}"
    if null is not None:
        first = f"{first} {say('layers.null_mean', value=_number(float(np.nanmean(null.matrix))))}"
    return first


def _diagonal(found: LayerComparison, null: LayerComparison | None, measure: str) -> str:
    """Each layer against the same of the other side, as a curve."""
    if found.rows != found.columns:
        return ""
    scale = SCALES.get(measure)
    curves = [Curve(say("layers.same_layer"), found.diagonal().tolist(), "accent")]
    if null is not None and null.rows == null.columns:
        curves.append(Curve(say("layers.null"), null.diagonal().tolist(), "untrained", True))
    levels = [] if found.chance is None else [Level(say("layers.chance"), found.chance, "chance")]
    least = min((float(np.nanmin(curve.values)) for curve in curves if np.isfinite(curve.values).any()), default=0.0)
    low = scale.low if measure == "procrustes" and scale else least if least < _LITTLE else 0.0
    chart = Chart(say("layers.diagonal"), curves, levels, low=low, high=scale.high if scale else 1.0, width=360)
    names = {curve.name: (curve.look, curve.is_second) for curve in curves} | {
        level.name: ("chance level", False) for level in levels
    }
    return f'<div class="beside">{charts([chart])}{key(names)}</div>'


def _statement(pair: Pair, found: LayerComparison | None = None) -> str:
    """What it was made from."""
    parts = [
        say(
            "layers.made_from",
            rows=side_name(pair.first),
            columns=side_name(pair.second),
            items=set_name(pair.first.items),
        ),
        say("layers.pairs", n=pair.n, p=pair.first.vectors.shape[2], q=pair.second.vectors.shape[2]),
    ]
    if found is not None:
        parts.append(say("layers.estimator", estimator=translated(found.estimator)))
        if found.chance is not None:
            parts.append(say("layers.chance_is", value=_number(found.chance)))
    if pair.null != "none":
        parts.append(say("layers.seed", seed=SEED))
    if rounding := max(pair.first.rounding, pair.second.rounding):
        parts.append(say("layers.rounded", share=f"{rounding:.2f}"))
    parts.append(say("layers.layer_zero"))
    return f'<p class="small statement">{escape(" ".join(parts))}</p>'


# Geometry ------------------------------------------------------------------------------------------------------------


def geometry_of(vectors: np.ndarray) -> dict[str, np.ndarray]:
    """(layers,) of each measure of `GEOMETRY`, and (layers, ranks) `variances` as shares of their sum."""
    from analysis import dimension
    from analysis.geometry import effective_rank

    found: dict[str, list[float]] = {name: [] for name in GEOMETRY}
    spectra = []
    for layer in vectors:
        found["effective_rank"].append(effective_rank(layer, centre=True))
        for name in GEOMETRY[1:]:
            found[name].append(getattr(dimension, name)(layer))
        values = dimension.variances(layer)
        spectra.append(values / values.sum() if values.sum() > 0 else values)
    return {name: np.array(values) for name, values in found.items()} | {"variances": np.stack(spectra)}


def geometries(store: Kept, pair: Pair) -> list[tuple[ItemVectors, dict[str, np.ndarray]]]:
    """Both sides, and the control where there is one, with their geometry."""
    sides = [pair.first, pair.second, *([pair.control] if pair.control is not None else [])]
    return [
        (side, store.get(_side_key(pair, side, "geometry"), lambda side=side: geometry_of(side.vectors)))  # type: ignore[misc]
        for side in sides
    ]


def geometry_html(store: Kept, pair: Pair) -> str:
    """The section of curves and spectra."""
    found = geometries(store, pair)
    names = {
        "effective_rank": (say("layers.effective_rank"), None, 1),
        "participation_ratio": (say("layers.participation_ratio"), None, 1),
        "anisotropy": (say("layers.anisotropy"), None, 2),
        "uniformity": (say("layers.uniformity"), None, 2),
        "intrinsic_dimension": (say("layers.intrinsic_dimension"), None, 1),
    }
    panels = [
        Chart(
            title,
            [Curve(side_name(side), one[name].tolist(), *_look(pair, side)) for side, one in found],
            low=0.0 if name not in ("uniformity",) else None,
            digits=digits,
        )
        for name, (title, _, digits) in names.items()
    ]
    middle = len(pair.first.vectors) // 2
    spectra = Chart(
        say("layers.spectrum", layer=middle),
        [
            Curve(
                side_name(side), _positive(one["variances"][min(middle, len(one["variances"]) - 1)]), *_look(pair, side)
            )
            for side, one in found
        ],
        digits=4,
        first=1,
        axis=say("layers.rank"),
        is_logarithmic=True,
    )
    told = key({side_name(side): _look(pair, side) for side, _ in found})
    return (
        f"{told}{charts([*panels, spectra])}{numbers(panels, say('layers.geometry_table'))}{_statement(pair)}"
        f'<p class="small misleads">{escape(say("layers.geometry_misleads", n=pair.n))}</p>'
    )


def _positive(values: np.ndarray) -> list[float]:
    return [float(value) for value in values if value > 1e-7]


def _look(pair: Pair, side: ItemVectors) -> tuple[str, bool]:
    if side is pair.control:
        return "untrained", True
    return side.role, side is pair.second and pair.first.role == pair.second.role


# What a layer knows --------------------------------------------------------------------------------------------------


def label_kinds(pair: Pair) -> list[str]:
    """Kinds of labels that can be asked for: two classes of enough items."""
    from analysis.layer_knowledge import countable

    kinds = []
    for kind, values in pair.first.labels.items():
        labels = np.array(values)
        if len(np.unique(labels[countable(labels)])) > 1:
            kinds.append(kind)
    return kinds


def knowledge(
    store: Kept, pair: Pair, kind: str, raw: np.ndarray | None
) -> tuple[list[tuple[ItemVectors, LayerKnowledge]], LayerKnowledge | None]:
    """Both sides with what can be read off them, and the same of raw features where there are any."""
    from analysis.layer_knowledge import layer_knowledge

    labels = np.array(pair.first.labels[kind])
    sides = [pair.first, pair.second, *([pair.control] if pair.control is not None else [])]
    found = [
        (
            side,
            store.get(_side_key(pair, side, f"knows {kind}"), lambda side=side: layer_knowledge(side.vectors, labels)),  # type: ignore[misc]
        )
        for side in sides
    ]
    if raw is None:
        return found, None
    made = store.get(
        None if pair.key is None else ("raw", pair.first.items, pair.first.modality, kind, pair.n),
        lambda: layer_knowledge(raw[pair.first.index][None], labels),
    )
    return found, made


def knowledge_html(store: Kept, pair: Pair, kind: str, raw: np.ndarray | None) -> str:
    """The section of neighbours and probes."""
    from ui.views.layers_maps import label_name

    found, base = knowledge(store, pair, kind, raw)
    first = found[0][1]
    panels = []
    for title, name in ((say("layers.knn"), "knn"), (say("layers.probe"), "probe")):
        curves = [
            Curve(
                side_name(side),
                getattr(one, name).tolist(),
                *_look(pair, side),
                one.margins(getattr(one, name)).tolist(),
            )
            for side, one in found
        ]
        levels = [Level(say("layers.guessing"), first.chance, "chance")]
        if base is not None:
            levels.append(Level(say("layers.raw"), float(getattr(base, name)[0]), "raw"))
        panels.append(Chart(title, curves, levels, low=0.0, high=1.0, width=400))
    looks = {side_name(side): _look(pair, side) for side, _ in found}
    looks[say("layers.guessing_is", share=_share(first.chance))] = ("chance level", False)
    if base is not None:
        told = say("layers.raw_is", knn=_share(float(base.knn[0])), probe=_share(float(base.probe[0])))
        looks[told] = ("raw level", False)
    best = int(np.argmax(first.probe))
    headline = say(
        "layers.best_layer",
        label=label_name(kind),
        layer=best,
        side=side_name(pair.first),
        share=_share(float(first.probe[best])),
        margin=_share(float(first.margins(first.probe)[best])),
        chance=_share(first.chance),
    )
    made = say("layers.probed", n=first.n, classes=first.classes, k=first.k, folds=first.folds, seed=0)
    without = "" if base is not None else f" {say('layers.no_raw')}"
    return (
        f'<p class="headline-note">{escape(headline)}</p>{key(looks)}{charts(panels, kind="wide")}'
        f"{numbers(panels, say('layers.knows_table'))}"
        f'<p class="small statement">{escape(made + without)}</p>'
        f'<p class="small misleads">{escape(say("layers.knows_misleads"))}</p>'
    )


# Maps ----------------------------------------------------------------------------------------------------------------


def pca_layouts(store: Kept, pair: Pair) -> list[Layout]:
    """The first side's layers by PCA, each turned to lie like the one before."""

    def made() -> list[Layout]:
        import dataclasses

        from analysis.layouts import layout
        from analysis.maps import turned_to

        found: list[Layout] = []
        for layer in pair.first.vectors:
            one = layout(layer)
            if found:
                one = dataclasses.replace(one, points=turned_to(one.points, found[-1].points).astype(np.float32))
            found.append(one)
        return found

    return store.get(_side_key(pair, pair.first, "map pca"), made)


def near(store: Kept, pair: Pair, k: int) -> np.ndarray:
    """(layers, items, k) nearest others of the first side."""
    from analysis.neighbours import nearest

    count = min(k, pair.n - 1)
    return store.get(
        _side_key(pair, pair.first, "near"),
        lambda: np.stack([nearest(layer, count) for layer in pair.first.vectors]),
    )


def _key(pair: Pair, *more: str) -> Any:
    return None if pair.key is None else (*pair.key, pair.n, *more)  # type: ignore[misc]


def _side_key(pair: Pair, side: ItemVectors, what: str) -> Any:
    if pair.key is None:
        return None
    return (what, side.items, side.model, side.role, side.is_untrained, pair.n)


def _number(value: float) -> str:
    return f"{round(value, 2) + 0:.2f}".replace("-", "−") if math.isfinite(value) else "–"


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


def later(text: str, *, is_awaited: bool = False) -> str:
    """A part that is made when a visitor comes near it; `is_awaited` where one is there already."""
    return f'<div class="later{" pending" if is_awaited else ""} notice empty"><p>{escape(text)}</p></div>'
