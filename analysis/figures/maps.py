"""Maps of items, one a layer or a method, side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from analysis.figures.palette import categorical, hexadecimal
from analysis.figures.plate import SMALL, Plate, drawable, dress, plate
from analysis.figures.statement import NOTHING_ELSE, Statement, alternative
from analysis.figures.style import INK
from analysis.layouts import Layout

_MARKERS = "o^sDvPX*"
_MOST_NAMED = 24
"""Labels that the legend names."""


def layouts(
    found: Sequence[Layout],
    titles: Sequence[str],
    labels: Sequence[str] | None = None,
    *,
    chosen: int | None = None,
    columns: int = 4,
    statement: Statement = NOTHING_ELSE,
) -> Plate:
    """Small maps of the same items, coloured and marked by label, with how far each is to be trusted.

    Below each title stand trustworthiness T and continuity C (0 to 1), and of PCA the share of the variance shown.

    Args:
        found: as `analysis.layouts.layout` makes them.
        titles: of each, such as `layer 4`.
        labels: of the items; the same label has the same look on every map, and in every figure of the same labels.
        chosen: an item that is ringed on every map.
        columns: of panels.
        statement: what is known besides.

    Raises:
        ValueError: no maps, or titles, labels or items that do not fit.
    """
    if not found or len(found) != len(titles) or len({len(one.points) for one in found}) != 1:
        raise ValueError("found: expected at least one map, each of the same items, and a title for each")
    items = len(found[0].points)
    if labels is not None and len(labels) != items:
        raise ValueError(f"labels: expected {items}, one for each item, got {len(labels)}")
    if chosen is not None and not 0 <= chosen < items:
        raise ValueError(f"chosen={chosen}: there are {items} items, numbered from 0")
    names = sorted(set(labels)) if labels is not None else []
    of_item = np.array([names.index(label) for label in labels]) if labels is not None else np.zeros(items, int)
    columns = min(columns, len(found))
    legend_rows = -(-min(len(names), _MOST_NAMED) // 6)
    width = max(2.1 * columns, 3.6)
    made = plate(width, 2.35 * -(-len(found) // columns) + 0.45 + 0.17 * legend_rows)
    places = list(made.subplots(-(-len(found) // columns), columns, squeeze=False).flat)
    for place in places[len(found) :]:
        place.remove()
    size = float(np.clip(900 / items, 5, 26))
    for place, one, title in zip(places, found, titles, strict=False):
        dress(place, title)
        place.patch.set(alpha=0.07, facecolor=INK)
        place.set(xticks=[], yticks=[])
        place.set_aspect("equal", adjustable="datalim")
        scatter_by_label(place, one.points, of_item, names, size)
        if chosen is not None:
            for ring, thickness in (("black", 2.6), ("white", 1.2)):
                place.scatter(
                    *one.points[chosen], s=4 * size + 40, facecolor="none", edgecolor=ring, lw=thickness, zorder=3
                )
        place.set_xlabel(_trust(one), fontsize=SMALL, color=INK)
    if names:
        handles, shown = places[0].get_legend_handles_labels()
        if len(shown) > _MOST_NAMED:
            shown = [*shown[: _MOST_NAMED - 1], f"\u2026 {len(names)}"]
            handles = handles[: len(shown)]
        look: dict[str, Any] = {"frameon": False, "fontsize": SMALL, "labelcolor": INK, "markerscale": 1.3}
        ncols = max(1, min(len(shown), int(width * 1.05)))
        made.legend(handles, shown, loc="outside upper center", ncols=ncols, handletextpad=0.1, **look)
    trusts = [one.trustworthiness for one in found]
    settings = {} if len({repr(one.settings) for one in found}) > 1 else found[0].settings
    told = {name: value for name, value in settings.items() if name not in ("seed", "explained")}
    seeds = {one.settings.get("seed") for one in found} - {None}
    seed = int(seeds.pop() or 0) if len(seeds) == 1 else statement.seed
    stated = dataclasses.replace(
        statement,
        n=items,
        seed=seed,
        estimator="; ".join(dict.fromkeys(one.method.upper().replace("TSNE", "t-SNE") for one in found)),
        more={**statement.more, **told, "k": found[0].k},
    )
    alt = alternative(
        "layouts", maps=len(found), items=items, low=float(np.nanmin(trusts)), high=float(np.nanmax(trusts))
    )
    points = np.concatenate([one.points for one in found])
    table: dict[str, Any] = {
        "map": np.repeat(list(titles), items),
        "item": np.tile(np.arange(items), len(found)),
        "x": points[:, 0],
        "y": points[:, 1],
    }
    arrays: dict[str, NDArray[Any]] = {
        "points": np.stack([one.points for one in found]),
        "trustworthiness": np.array(trusts),
        "continuity": np.array([one.continuity for one in found]),
        "titles": np.array(list(titles)),
    }
    if labels is not None:
        table["label"] = np.tile(list(labels), len(found))
        arrays["labels"] = np.array(list(labels))
    return made.tell("layouts", stated, alt, arrays, table)


def scatter_by_label(axes: Axes, points: NDArray[Any], labels: NDArray[Any], names: Sequence[str], size: float) -> None:
    """Points by the colour and the marker of their label, which together no other of 56 labels has.

    Args:
        points: (items, 2).
        labels: (items,) numbers into the names.
        names: none: all points are alike.
        size: of a marker, in square points.
    """
    for index, colour in enumerate(categorical(max(1, len(names)))):
        chosen = points[labels == index] if names else points
        marker = _MARKERS[index % len(_MARKERS)]
        look: dict[str, Any] = {"color": hexadecimal(colour), "alpha": 0.8, "linewidths": 0.3, "edgecolors": INK}
        label = drawable(names[index]) if names else None
        axes.scatter(chosen[:, 0], chosen[:, 1], s=size, marker=marker, label=label, **look)


def _trust(one: Layout) -> str:
    told = f"T {one.trustworthiness:.2f}   C {one.continuity:.2f}"
    return f"{told}   {float(one.settings['explained']):.0%}" if "explained" in one.settings else told
