"""Attention as matrices: all heads of all layers in small, one head in large, and what heads do by layer.

Layers and heads are counted from 1; head 0 is the mean of its layer's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analysis.attention import HeadKind
from analysis.attention_view import averaged_down
from analysis.figures.heat import (
    MOST_PRINTED,
    colour_bar,
    differences,
    draw_matrix,
    label_cells,
    magnitudes,
    print_values,
    scale,
    symmetric,
)
from analysis.figures.palette import PETROFF, hexadecimal
from analysis.figures.plate import SMALL, TEXT, Plate, dress, legend_above, matrix_columns, panels, plate
from analysis.figures.statement import NOTHING_ELSE, Statement, alternative
from analysis.figures.style import INK

Scale = Literal["shared", "head"]
SIDE = 48
"""Cells of a thumbnail's side; longer inputs are averaged down to it."""
_GAP = 3
KIND_LOOKS: Mapping[HeadKind, tuple[str, str]] = {
    "diagonal": (hexadecimal(PETROFF[0]), "D"),
    "global": (hexadecimal(PETROFF[1]), "o"),
    "vertical": (hexadecimal(PETROFF[3]), "^"),
}
"""Colour and marker of each kind of head of speech."""


def attention_grid(
    layers: Sequence[NDArray[Any]],
    *,
    numbers: Sequence[int] = (),
    scale_by: Scale = "shared",
    difference: bool = False,
    kinds: Sequence[Sequence[HeadKind]] | None = None,
    statement: Statement = NOTHING_ELSE,
) -> Plate:
    """All heads of some layers as small pictures, queries down and keys to the right, layers downwards.

    Colours follow the root of the weight, from 0 to the largest here, or to each head's own largest, which is then
    marked as such. A difference is in proportion, with 0 in the middle.

    Args:
        layers: (heads, query, key) of each; what `averaged_down` makes of them will do, so that no long input has to be
            held whole.
        numbers: of the layers; from 1 by default.
        scale_by: `head` shows what each head does, and makes heads incomparable.
        difference: student minus teacher.
        kinds: of every head of every layer, marked by a coloured corner.
        statement: what is known besides.

    Raises:
        ValueError: no layers, or not (heads, query, key) of as many heads.
    """
    if not layers or any(layer.ndim != 3 or len(layer) != len(layers[0]) for layer in layers):
        raise ValueError(f"layers: expected (heads, query, key) of each, got {[layer.shape for layer in layers]}")
    numbers = list(numbers) or list(range(1, len(layers) + 1))
    small = [averaged_down(layer, (SIDE, SIDE)) for layer in layers]
    heads = len(small[0])
    side = max(max(layer.shape[1:]) for layer in small)
    step = side + max(1, round(_GAP * side / SIDE))
    mosaic = np.full((len(small) * step, heads * step), np.nan, np.float32)
    largest = max(float(np.abs(layer).max()) for layer in small) or 1.0
    for row, layer in enumerate(small):
        for column, head in enumerate(layer):
            # a head's own scale is that of the shared one, stretched
            own = float(np.abs(head).max()) or 1.0
            stretched = head * (largest / own) if scale_by == "head" else head
            cells = np.repeat(np.repeat(stretched, side // head.shape[0], 0), side // head.shape[1], 1)
            mosaic[row * step : row * step + len(cells), column * step : column * step + cells.shape[1]] = cells
    each = float(np.clip(min(6.6 / heads, 8.0 / len(small)), 0.4, 0.95))
    made = plate(heads * each + 1.35, len(small) * each + 1.05)
    axes = dress(made.subplots())
    limits = (-largest, largest) if difference else (0.0, largest)
    colours = (differences() if difference else magnitudes()).with_extremes(bad=(0, 0, 0, 0))
    image = draw_matrix(axes, mosaic, scale(limits, root=not difference), colours)
    middles = np.arange(max(heads, len(small))) * step + (side - 1) / 2
    axes.set_xticks(middles[:heads], [str(head + 1) for head in range(heads)])
    axes.set_yticks(middles[: len(small)], [str(number) for number in numbers])
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set(xlabel="head", ylabel="layer")
    axes.set(xlim=(-0.5, heads * step - (step - side) - 0.5), ylim=(len(small) * step - (step - side) - 0.5, -0.5))
    if scale_by == "head":
        meaning = "weight, each head to its largest (root scale)"
    else:
        meaning = "student \u2212 teacher" if difference else "weight (root scale)"
    bar = colour_bar(made, image, axes, meaning)
    if scale_by == "head":
        bar.set_yticks(list(limits), ["\u2212max" if difference else "0", "max"])
    if kinds is not None:
        _mark_kinds(axes, kinds, step, side)
    largest_shown = max(float(np.abs(layer).max()) for layer in layers)
    statement = dataclasses.replace(
        statement,
        layers=tuple(numbers),
        n=statement.n if statement.n is not None else layers[0].shape[1],
        limits=None if scale_by == "head" else limits,
    )
    kind: Literal["attention_grid", "attention_difference"] = "attention_difference" if difference else "attention_grid"
    values = {"largest": largest_shown} | ({} if difference else {"layers": len(layers), "heads": heads})
    arrays = {f"layer {number}": layer for number, layer in zip(numbers, small, strict=True)}
    return made.tell(kind, statement, alternative(kind, **values), arrays)


def attention_matrix(
    weights: NDArray[Any],
    queries: Sequence[str],
    keys: Sequence[str] | None = None,
    *,
    query: int | None = None,
    difference: bool = False,
    limits: tuple[float, float] | None = None,
    unit: str = "",
    statement: Statement = NOTHING_ELSE,
) -> Plate:
    """One head, queries down and keys to the right; values are printed for up to 14 positions.

    Args:
        weights: (query, key), or, with `difference`, the student's minus the teacher's.
        queries: names of the positions, such as tokens, or seconds.
        keys: the same of the keys; those of the queries by default.
        query: row to be framed.
        limits: of the colours, for several figures that are to be compared; by default from 0 to the largest weight, or
            symmetric.
        unit: of the names, where they are numbers: `s`.
        statement: what is known besides.

    Raises:
        ValueError: names that are not as many as the weights' rows and columns, or a query that is not there.
    """
    keys = queries if keys is None else keys
    if weights.shape != (len(queries), len(keys)):
        raise ValueError(f"weights: expected {(len(queries), len(keys))}, one for each name, got {weights.shape}")
    if query is not None and not 0 <= query < len(queries):
        raise ValueError(f"query={query}: there are {len(queries)}, numbered from 0")
    largest = float(np.abs(weights).max()) or 1.0
    if limits is None:
        limits = symmetric(weights) if difference else (0.0, largest)
    cell = float(np.clip(4.6 / max(weights.shape), 0.03, 0.36))
    made = plate(max(3.0, cell * len(keys)) + 1.5, max(2.2, cell * len(queries)) + 1.2)
    axes = dress(made.subplots())
    image = draw_matrix(axes, weights, scale(limits), differences() if difference else magnitudes())
    label_cells(axes, "x", list(keys), most=40)
    label_cells(axes, "y", list(queries), most=40)
    axes.set(xlabel=f"key ({unit})" if unit else "key", ylabel=f"query ({unit})" if unit else "query")
    if max(weights.shape) <= MOST_PRINTED:
        print_values(axes, image, weights, SMALL - 1)
    if query is not None:
        _frame(axes, image, query, len(keys))
    colour_bar(made, image, axes, "student \u2212 teacher" if difference else "weight")
    kind: Literal["attention_matrix", "attention_difference"] = (
        "attention_difference" if difference else "attention_matrix"
    )
    values: dict[str, Any] = {"largest": largest}
    if not difference:
        values |= {"queries": len(queries), "keys": len(keys)}
    names = [f"{place} {name}" for place, name in enumerate(keys)]
    table = matrix_columns(weights, "query", [f"{place} {name}" for place, name in enumerate(queries)], names)
    arrays = {"weights": weights, "queries": np.array(list(queries)), "keys": np.array(list(keys))}
    statement = dataclasses.replace(statement, n=len(queries), limits=limits)
    return made.tell(kind, statement, alternative(kind, **values), arrays, table)


def head_measures(
    measures: Mapping[str, NDArray[Any]],
    *,
    uniform: Mapping[str, float] | None = None,
    kinds: Sequence[Sequence[HeadKind]] | None = None,
    numbers: Sequence[int] = (),
    statement: Statement = NOTHING_ELSE,
) -> Plate:
    """What every head does, by layer: a point a head, and a line through their means.

    Args:
        measures: (layers, heads) by its name with its unit, such as `distance (ms)`, `entropy (nats)`.
        uniform: by measure, what even attention would give: a dotted line.
        kinds: of the heads of speech, by layer: colour and marker.
        numbers: of the layers; from 1 by default.
        statement: with `n`, over which the measures are means.

    Raises:
        ValueError: no measures, or of different sizes.
    """
    shapes = {np.shape(values) for values in measures.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise ValueError(f"measures: expected (layers, heads) of each, got {sorted(shapes)}")
    depth, heads = shapes.pop()
    numbers = list(numbers) or list(range(1, depth + 1))
    made = plate(max(3.4, 2.9 * len(measures)), 2.9)
    places = panels(made, list(measures), len(measures))
    across = np.linspace(-0.18, 0.18, heads) if heads > 1 else np.zeros(1)
    table: dict[str, list[Any]] = {
        "layer": [number for number in numbers for _ in range(heads)],
        "head": list(range(1, heads + 1)) * depth,
    }
    for place, (name, given) in zip(places, measures.items(), strict=True):
        values = np.asarray(given, dtype=np.float64)
        table[name] = values.ravel().tolist()
        for row, number in enumerate(numbers):
            for head in range(heads):
                colour, marker = (INK, "o") if kinds is None else KIND_LOOKS[kinds[row][head]]
                place.plot(number + across[head], values[row, head], marker, color=colour, ms=4, alpha=0.85, mew=0)
        place.plot(numbers, values.mean(axis=1), color=INK, lw=1.3, zorder=1)
        if uniform is not None and name in uniform:
            place.axhline(uniform[name], ls=":", lw=1.2, color=INK, label="even attention")
        place.set_xlabel("layer")
        place.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        place.margins(x=0.08)
        if values.min() >= 0:
            place.set_ylim(0, None)
    if kinds is not None:
        table["kind"] = [kind for layer in kinds for kind in layer]
        for kind_name, (colour, marker) in KIND_LOOKS.items():
            places[0].plot([], [], marker, color=colour, ms=4, mew=0, label=kind_name)
    legend_above(made, places)
    first = next(iter(measures))
    low, high = float(np.min(measures[first])), float(np.max(measures[first]))
    alt = alternative("head_measures", heads=heads, layers=depth, first=first, low=low, high=high)
    stated = dataclasses.replace(statement, layers=tuple(numbers), heads=tuple(range(1, heads + 1)))
    return made.tell("head_measures", stated, alt, {name: np.array(v) for name, v in table.items()}, table)


def _frame(axes: Axes, image: AxesImage, row: int, columns: int) -> None:
    """A double line around a row, seen on dark and on light cells."""
    for colour, width in (("black", 2.6), ("white", 1.2)):
        box = Rectangle((-0.5, row - 0.5), columns, 1, fill=False, ec=colour, lw=width, clip_on=False)
        axes.add_patch(box).set_zorder(image.get_zorder() + 2)


def _mark_kinds(axes: Axes, kinds: Sequence[Sequence[HeadKind]], step: int, side: int) -> None:
    """A marker in the upper right corner of each thumbnail, and what it means below."""
    for kind_name, (colour, marker) in KIND_LOOKS.items():
        found = [(row, head) for row, layer in enumerate(kinds) for head, kind in enumerate(layer) if kind == kind_name]
        across = [head * step + 0.9 * side for _, head in found]
        down = [row * step + 0.1 * side for row, _ in found]
        axes.plot(across, down, marker, color=colour, mec="white", mew=0.7, ms=5, ls="", label=kind_name, clip_on=False)
    look: dict[str, Any] = {"frameon": False, "fontsize": TEXT, "labelcolor": INK}
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=3, handletextpad=0.1, **look)
