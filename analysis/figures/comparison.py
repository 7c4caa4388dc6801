"""Layers compared: as a matrix, with the shuffled items beside it, and as curves of several measures."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from analysis.figures.heat import (
    MOST_PRINTED,
    colour_bar,
    differences,
    draw_matrix,
    label_cells,
    magnitudes,
    print_values,
    scale,
)
from analysis.figures.palette import PETROFF, hexadecimal
from analysis.figures.plate import SMALL, Plate, dress, legend_above, matrix_columns, plate
from analysis.figures.statement import NOTHING_ELSE, Statement, alternative
from analysis.figures.style import INK
from analysis.layer_comparison import MEASURES, LayerComparison, Measure

LIMITS: Mapping[Measure, tuple[float, float]] = MappingProxyType(
    dict.fromkeys(MEASURES, (0.0, 1.0)) | {"cosine": (-1.0, 1.0), "procrustes": (0.0, math.sqrt(2))}
)
"""Of the colours of each measure, in every figure."""
SYMBOLS: Mapping[Measure, str] = MappingProxyType(
    {
        "cka": "CKA",
        "biased_cka": "CKA (biased)",
        "svcca": "SVCCA",
        "pwcca": "PWCCA",
        "mutual_knn": "mutual kNN",
        "cosine": "cosine",
        "procrustes": "Procrustes distance",
    }
)
_MARKERS = "os^Dv<>"


def layer_matrix(
    comparison: LayerComparison,
    *,
    null: LayerComparison | None = None,
    names: tuple[str, str] = ("", ""),
    statement: Statement = NOTHING_ELSE,
) -> Plate:
    """Every layer of one side (up) against every layer of the other (to the right), on the measure's fixed scale.

    Lighter is more alike, also where a measure is a distance; cosines have a middle, at 0. Values are printed for up
    to 14 layers; a debiased value below 0 is printed as it is and has the colour of 0.

    Args:
        null: the same with shuffled items or an untrained network on one side, drawn beside it on the same scale.
        names: of the two sides, such as `student` and `teacher`.
        statement: what is known besides: model, role, tensor, items, seed.

    Raises:
        ValueError: a null of another measure or size.
    """
    if null is not None and (null.measure, null.matrix.shape) != (comparison.measure, comparison.matrix.shape):
        raise ValueError(
            f"null: expected {comparison.measure} of {comparison.matrix.shape}, got {null.measure} of "
            f"{null.matrix.shape}"
        )
    shown = [comparison] if null is None else [comparison, null]
    limits = LIMITS[comparison.measure]
    rows, columns = comparison.matrix.shape
    cell = min(0.36, 4.2 / max(rows, columns))
    width = max(2.4, columns * cell) * len(shown) + 1.2
    made = plate(width, max(1.9, rows * cell) + 1.1)
    places = made.subplots(1, len(shown), squeeze=False)[0]
    colours = magnitudes()
    if comparison.measure == "cosine":
        colours = differences()
    elif comparison.measure == "procrustes":
        colours = colours.reversed()
    for place, one, title in zip(places, shown, ("", "null"), strict=False):
        dress(place, title if title else (SYMBOLS[one.measure] if null is not None else ""))
        image = draw_matrix(place, one.matrix, scale(limits), colours, origin="lower")
        label_cells(place, "x", [str(layer) for layer in one.columns], most=25)
        label_cells(place, "y", [str(layer) for layer in one.rows], most=25)
        place.tick_params(axis="x", rotation=0)
        place.set_xlabel(f"layer ({names[1]})" if names[1] else "layer")
        if max(rows, columns) <= MOST_PRINTED:
            print_values(place, image, one.matrix, SMALL if cell > 0.33 else SMALL - 1.2)
    places[0].set_ylabel(f"layer ({names[0]})" if names[0] else "layer")
    is_below = any(bool((one.matrix < limits[0]).any()) for one in shown)
    colour_bar(made, image, places[-1], SYMBOLS[comparison.measure], extend="min" if is_below else "neither")

    statement = _stated(comparison, statement, limits)
    arrays = {"matrix": comparison.matrix, "rows": np.array(comparison.rows), "columns": np.array(comparison.columns)}
    if null is not None:
        arrays["null"] = null.matrix
        statement = dataclasses.replace(
            statement, more={**statement.more, "null mean": float(np.round(np.nanmean(null.matrix), 4))}
        )
    low, high, mean = _range(comparison.matrix)
    alt = alternative("layer_matrix", rows=rows, columns=columns, low=low, high=high, mean=mean)
    table = matrix_columns(comparison.matrix, "layer", comparison.rows, comparison.columns)
    return made.tell("layer_matrix", statement, alt, arrays, table)


def layer_curves(
    comparisons: Sequence[LayerComparison],
    *,
    nulls: Sequence[LayerComparison] = (),
    statement: Statement = NOTHING_ELSE,
) -> Plate:
    """Each layer against the same one of the other side (the diagonals), by several measures; the nulls' are dashed
    and faint, in the colour of their measure.

    Args:
        comparisons: one a measure, of equally deep sides.
        nulls: of some of the same measures.
        statement: what is known besides.

    Raises:
        ValueError: no comparisons, a measure twice, layers that differ, or a null of a measure that is not there.
    """
    by_measure = {one.measure: one for one in comparisons}
    without = {one.measure: one for one in nulls}
    if not comparisons or len(by_measure) != len(comparisons):
        raise ValueError("comparisons: expected one of each measure, and at least one")
    if not without.keys() <= by_measure.keys():
        raise ValueError(f"nulls: of {sorted(without.keys() - by_measure.keys())} there is no comparison")
    if len({(one.rows, one.columns) for one in (*comparisons, *nulls)}) != 1:
        raise ValueError("comparisons: expected the same layers of all")
    made = plate(5.6, 3.2)
    axes = dress(made.subplots(), grid=True)
    layers = comparisons[0].rows
    arrays = {"layer": np.array(layers)}
    for place, (measure, one) in enumerate(by_measure.items()):
        size = max(2.5, 6.5 - 1.1 * place)  # of lines that coincide, all are seen
        look: dict[str, Any] = {
            "color": hexadecimal(PETROFF[place % len(PETROFF)]),
            "marker": _MARKERS[place],
            "ms": size,
            "lw": size / 2.7,
        }
        arrays[measure] = one.diagonal()
        axes.plot(layers, arrays[measure], label=SYMBOLS[measure], **look)
        if measure in without:
            arrays[f"{measure} null"] = without[measure].diagonal()
            axes.plot(layers, arrays[f"{measure} null"], ls="--", alpha=0.55, **look | {"ms": 2.5, "lw": 1})
    if nulls:
        axes.plot([], [], ls="--", lw=1, color=INK, alpha=0.7, label="null")
    lowest = min(float(np.nanmin(values, initial=0.0)) for name, values in arrays.items() if name != "layer")
    highest = max(LIMITS[measure][1] for measure in by_measure)
    axes.set(xlabel="layer", ylim=(lowest - 0.05, highest + 0.05))
    axes.xaxis.set_major_locator(MaxNLocator(12, integer=True))
    legend_above(made, [axes])

    first = comparisons[0]
    statement = _stated(first, statement, None)
    statement = dataclasses.replace(statement, estimator="; ".join(one.estimator for one in comparisons))
    low, high, _ = _range(arrays[first.measure])
    alt = alternative(
        "layer_curves", curves=len(comparisons), layers=len(layers), first=SYMBOLS[first.measure], low=low, high=high
    )
    return made.tell("layer_curves", statement, alt, arrays, arrays)


def _stated(one: LayerComparison, statement: Statement, limits: tuple[float, float] | None) -> Statement:
    chance = {} if one.chance is None else {"chance": float(np.round(one.chance, 4))}
    return dataclasses.replace(
        statement,
        n=one.n,
        p=one.p,
        estimator=one.estimator,
        layers=tuple(dict.fromkeys((*one.rows, *one.columns))),
        limits=limits,
        more={**statement.more, **chance},
    )


def _range(values: np.ndarray) -> tuple[float, float, float]:
    """Lowest, highest and mean of what is defined."""
    if not np.isfinite(values).any():
        return math.nan, math.nan, math.nan
    return float(np.nanmin(values)), float(np.nanmax(values)), float(np.nanmean(values))
