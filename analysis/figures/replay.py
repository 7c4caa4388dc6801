"""Recorded training runs beside one another, on the same scales."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analysis.figures.maps import scatter_by_label
from analysis.figures.palette import STUDENT, TARGET, TEACHER, hexadecimal
from analysis.figures.plate import SMALL, Plate, drawable, dress, legend_above, plate
from analysis.figures.statement import NOTHING_ELSE, Statement, alternative, number
from analysis.figures.style import INK
from analysis.recordings import ROLES, Recording

_WIDTH = 1.3
_WEIGHTS = {"student": 2.4, "teacher": 1.0}
"""The two often coincide, and are then both seen."""
_ROLE_COLOURS = {"student": STUDENT, "teacher": TEACHER}


def training(
    recordings: Mapping[str, Recording], *, moment: int | None = None, statement: Statement = NOTHING_ELSE
) -> Plate:
    """A column a run: loss, tau, spread of targets and predictions, effective rank, neighbours' accuracy, and how far
    student and teacher agree by layer. A row has one scale, so that runs compare; losses do not, for targets differ.

    Args:
        recordings: by a short name, such as `healthy`; one, two, or more.
        moment: index into the steps at which a line is drawn.
        statement: what is known besides.

    Raises:
        ValueError: no recordings, or a moment that one of them does not have.
    """
    if not recordings:
        raise ValueError("recordings: expected at least one")
    if moment is not None and not all(0 <= moment < len(one.steps) for one in recordings.values()):
        raise ValueError(f"moment={moment}: the shortest has {min(len(one.steps) for one in recordings.values())}")
    made = plate(max(3.4, 2.9 * len(recordings)) + 0.6, 1.22 * len(_ROWS) + 0.9)
    panels = made.subplots(len(_ROWS), len(recordings), sharex="col", sharey="row", squeeze=False)
    table: dict[str, list[Any]] = {"run": [], "step": []}
    for column, (name, one) in enumerate(recordings.items()):
        for row, (measure, draw) in enumerate(_ROWS.items()):
            axes = dress(panels[row, column], name if row == 0 else "", grid=True)
            draw(axes, one)
            if column == 0:
                axes.set_ylabel(measure)
            axes.margins(x=0.02)
            axes.yaxis.set_major_locator(MaxNLocator(4))
            if moment is not None:
                axes.axvline(float(one.steps[moment]), color=INK, lw=1)
        panels[-1, column].set_xlabel("step")
        panels[-1, column].xaxis.set_major_locator(MaxNLocator(4, integer=True))
        _tabulate(table, name, one)
    for row in panels[:, 0]:
        low = row.get_ylim()[0]
        row.set_ylim(min(0.0, low) if low >= 0 else low, None)
    panels[4, 0].set_ylim(0, 1)
    panels[5, 0].set_ylim(min(0.0, panels[5, 0].get_ylim()[0]), 1.03)
    legend_above(made, panels[:, 0])
    first = next(iter(recordings.values()))
    stated = dataclasses.replace(
        statement,
        model=statement.model or first.about.model,
        role=statement.role or "student, teacher",
        n=len(first.labels),
        seed=first.about.settings.get("seed", statement.seed),
        more={**statement.more, "measured layer": first.about.layer, "kNN items": first.about.knn_items},
    )
    alt = alternative("training", runs=len(recordings), last=float(first.loss[-1]), knn=float(first.knn[-1, 1]))
    arrays: dict[str, NDArray[Any]] = {}
    for name, one in recordings.items():
        arrays |= {f"{name} {field}": getattr(one, field) for field in _FIELDS}
    return made.tell("training", stated, alt, arrays, table)


def training_maps(
    recordings: Mapping[str, Recording], moments: Sequence[int] = (), *, statement: Statement = NOTHING_ELSE
) -> Plate:
    """The fixed items as points at some moments, a row a run. A run has one scale, so that what collapses draws
    together, told by how far its panels reach from their middle; below each stands the share of the variance it shows.

    Args:
        recordings: by a short name; of the same classes.
        moments: indices into the steps; the first, three between and the last by default.
        statement: what is known besides.

    Raises:
        ValueError: no recordings, or a moment that one of them does not have.
    """
    if not recordings:
        raise ValueError("recordings: expected at least one")
    shortest = min(len(one.steps) for one in recordings.values())
    moments = list(moments) or np.unique(np.linspace(0, shortest - 1, 5).astype(int)).tolist()
    if not all(0 <= moment < shortest for moment in moments):
        raise ValueError(f"moments={list(moments)}: the shortest run has {shortest}")
    made = plate(max(3.4, 1.45 * len(moments) + 0.3), 1.6 * len(recordings) + 0.85)
    panels = made.subplots(len(recordings), len(moments), squeeze=False)
    table: dict[str, list[Any]] = {name: [] for name in ("run", "step", "item", "class", "x", "y")}
    for row, (name, one) in enumerate(recordings.items()):
        reach = float(np.abs(one.positions[moments]).max()) * 1.06 or 1.0
        for column, moment in enumerate(moments):
            axes = dress(panels[row, column], f"step {one.steps[moment]}")
            axes.patch.set(alpha=0.07, facecolor=INK)
            axes.set(xticks=[], yticks=[], xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
            scatter_by_label(axes, one.positions[moment], one.labels, [str(label) for label in one.about.classes], 7.0)
            axes.set_xlabel(f"{one.explained[moment]:.0%}", fontsize=SMALL, color=INK)
            if column == 0:
                axes.set_ylabel(f"{drawable(name)}  \u00b1{number(reach)}")
            table["run"] += [name] * len(one.labels)
            table["step"] += [int(one.steps[moment])] * len(one.labels)
            table["item"] += range(len(one.labels))
            table["class"] += [one.about.classes[label] for label in one.labels]
            table["x"] += one.positions[moment, :, 0].tolist()
            table["y"] += one.positions[moment, :, 1].tolist()
    first = next(iter(recordings.values()))
    spreads = first.positions.std(axis=(1, 2))
    stated = dataclasses.replace(
        statement,
        model=statement.model or first.about.model,
        role=statement.role or "student",
        n=len(first.labels),
        estimator="PCA",
        seed=first.about.settings.get("seed", statement.seed),
        more={**statement.more, "measured layer": first.about.layer},
    )
    alt = alternative(
        "training_maps",
        runs=len(recordings),
        moments=len(moments),
        items=len(first.labels),
        spread=float(spreads[-1] / spreads.max()) if spreads.any() else 0.0,
    )
    arrays = {f"{name} positions": one.positions[moments] for name, one in recordings.items()}
    return made.tell("training_maps", stated, alt, arrays, table)


_FIELDS = (
    "steps", "tau", "loss", "target_spread", "prediction_spread", "effective_rank", "knn", "cka", "distance"
)  # fmt: skip


def _loss(axes: Axes, one: Recording) -> None:
    axes.plot(one.steps, one.loss, color=hexadecimal(STUDENT), lw=_WIDTH)


def _tau(axes: Axes, one: Recording) -> None:
    axes.plot(one.steps, one.tau, color=hexadecimal(TEACHER), lw=_WIDTH)


def _spreads(axes: Axes, one: Recording) -> None:
    axes.plot(one.steps, one.target_spread, color=hexadecimal(TARGET), lw=_WIDTH, label="target")
    axes.plot(one.steps, one.prediction_spread, color=hexadecimal(STUDENT), lw=_WIDTH, label="student")


def _by_role(axes: Axes, one: Recording, values: NDArray[Any]) -> None:
    for place, role in enumerate(ROLES):
        look: dict[str, Any] = {"color": hexadecimal(_ROLE_COLOURS[role]), "lw": _WEIGHTS[role], "label": role}
        axes.plot(one.steps, values[:, place], **look)


def _rank(axes: Axes, one: Recording) -> None:
    _by_role(axes, one, one.effective_rank)


def _knn(axes: Axes, one: Recording) -> None:
    _by_role(axes, one, one.knn)
    axes.axhline(one.about.knn_chance, ls=":", lw=_WIDTH, color=INK, label="chance")


def _cka(axes: Axes, one: Recording) -> None:
    """One line a layer, from faint (the lowest) to full (the highest)."""
    layers = one.cka.shape[1]
    for layer in range(layers):
        strength = 0.25 + 0.75 * (layer + 1) / layers
        axes.plot(one.steps, one.cka[:, layer], color=INK, alpha=strength, lw=_WIDTH)


_ROWS: Mapping[str, Callable[[Axes, Recording], None]] = {
    "loss": _loss,
    "\u03c4": _tau,
    "deviation": _spreads,
    "effective rank": _rank,
    "kNN": _knn,
    "CKA by layer": _cka,
}


def _tabulate(table: dict[str, list[Any]], name: str, one: Recording) -> None:
    table["run"] += [drawable(name)] * len(one.steps)
    columns: dict[str, NDArray[Any]] = {"step": one.steps}
    columns |= {field: getattr(one, field) for field in ("tau", "loss", "target_spread", "prediction_spread")}
    for field in ("effective_rank", "knn"):
        columns |= {f"{field} {role}": getattr(one, field)[:, place] for place, role in enumerate(ROLES)}
    columns |= {f"cka layer {layer}": one.cka[:, layer] for layer in range(one.cka.shape[1])}
    columns |= {f"distance block {block + 1}": one.distance[:, block] for block in range(one.distance.shape[1])}
    earlier = len(table["run"]) - len(one.steps)
    for column, values in columns.items():
        table.setdefault(column, [np.nan] * earlier)
        table[column] += values.tolist()
    for column, filled in table.items():
        filled += [np.nan] * (len(table["run"]) - len(filled))
        assert len(filled) == len(table["run"]), column
