"""The method on one input: the layers of the teacher that become the target, and how far the student's predictions are
from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from numpy.typing import NDArray

from analysis.component_colours import ColourBasis
from analysis.figures.heat import colour_bar, label_cells, magnitudes, scale
from analysis.figures.palette import NEUTRAL, STUDENT, hexadecimal
from analysis.figures.places import MASKED
from analysis.figures.plate import SMALL, Plate, dress, legend_above, plate
from analysis.figures.statement import NOTHING_ELSE, Statement, alternative
from analysis.figures.style import INK
from analysis.masked_prediction import Errors, Target

_ACROSS = 6
"""Most pictures in a row."""
_GREY = np.array([*NEUTRAL, 70], dtype=np.uint8)
"""Of places without a prediction, half clear."""


def target_tiles(
    target: Target,
    depth: int,
    *,
    grid: tuple[int, int] | None = None,
    predictions: NDArray[Any] | None = None,
    is_masked: NDArray[np.bool_] | None = None,
    labels: Sequence[str] = (),
    unit: str = "",
    statement: Statement = NOTHING_ELSE,
) -> Plate:
    """The top K layers of the teacher, each normalised, their average, and what the student predicts at masked places.

    Vectors are colours: three principal components as red, green and blue, on one basis that is fitted to the average
    alone, so that all tiles compare. Places without a prediction are grey.

    Args:
        target: tiles (K, positions, dim) and their average.
        depth: L, number of the teacher's blocks, whose top K the tiles are.
        grid: rows and columns of a picture's patches; None: positions in a row, each tile a strip.
        predictions: (masked, dim), in the order of the positions.
        is_masked: (positions,), needed with predictions.
        labels: of the positions of a strip: tokens, or seconds.
        unit: of the labels, where they are numbers.
        statement: what is known besides.

    Raises:
        ValueError: a grid, predictions or a depth that do not fit.
    """
    count, positions, _ = target.tiles.shape
    if grid is not None and grid[0] * grid[1] != positions:
        raise ValueError(f"grid={grid}: the target has {positions} positions")
    if depth < count:
        raise ValueError(f"depth={depth}: the target has {count} layers")
    basis = ColourBasis.of(target.vectors)
    names = [str(depth - count + 1 + place) for place in range(count)] + ["average"]
    tiles = [basis.colours(tile) for tile in target.tiles] + [basis.colours(target.vectors)]
    arrays: dict[str, NDArray[Any]] = {"tiles": np.stack(tiles[:-1]), "average": tiles[-1]}
    rgba = [np.concatenate([tile, np.full((positions, 1), 255, np.uint8)], axis=1) for tile in tiles]
    if predictions is not None:
        if is_masked is None or len(predictions) != is_masked.sum() or len(is_masked) != positions:
            raise ValueError("predictions: expected is_masked with one masked position for each")
        predicted = np.tile(_GREY, (positions, 1))
        predicted[is_masked, :3], predicted[is_masked, 3] = basis.colours(predictions), 255
        rgba.append(predicted)
        names.append("prediction")
        arrays |= {"prediction": predicted, "is_masked": is_masked}
    made = _strips(rgba, names, labels, unit) if grid is None else _pictures(rgba, names, grid)
    explained = " ".join(f"{share:.0%}" for share in basis.explained)
    more = {
        **statement.more,
        "K": count,
        "target variance": round(target.spread(), 4),
        "PCA": explained,
    }
    tensor = statement.tensor or {"hidden": "block output", "feed_forward": "feed-forward"}[target.rule.tensor]
    layers = tuple(range(depth - count + 1, depth + 1))
    stated = dataclasses.replace(
        statement, n=positions, p=(target.tiles.shape[2],), layers=layers, tensor=tensor, more=more
    )
    alt = alternative("target_tiles", tiles=count, spread=target.spread())
    table: dict[str, Any] = {"position": np.arange(positions)}
    for name, tile in zip(names, rgba, strict=True):
        table |= {f"{name} {channel}": tile[:, place] for place, channel in enumerate(("red", "green", "blue"))}
        if name == "prediction" and is_masked is not None:
            table["is_masked"] = is_masked
    return made.tell("target_tiles", stated, alt, arrays, table)


def masked_errors(
    errors: Errors,
    is_masked: NDArray[np.bool_],
    *,
    grid: tuple[int, int] | None = None,
    places: Sequence[float] | None = None,
    unit: str = "",
    statement: Statement = NOTHING_ELSE,
) -> Plate:
    """Error, cosine and rank of the right target at each masked position, with what chance would give.

    The rank is logarithmic, the best on top; its chance is the middle of all ranks. Dotted are also the error of a
    prediction of 0 to channels of variance 1, and a cosine of 0. Of a picture, darker is nearer to the target.

    Args:
        errors: of the masked positions, in their order.
        is_masked: (positions,)
        grid: rows and columns of a picture's patches: three maps instead of three curves.
        places: of all positions along the axis, such as seconds; their numbers by default.
        unit: of the places.
        statement: what is known besides.

    Raises:
        ValueError: numbers of positions that do not fit.
    """
    total = len(is_masked)
    if len(errors.error) != is_masked.sum() or not len(errors.error):
        raise ValueError(f"errors: {len(errors.error)} for {int(is_masked.sum())} masked positions")
    if grid is not None and grid[0] * grid[1] != total:
        raise ValueError(f"grid={grid}: there are {total} positions")
    where = np.flatnonzero(is_masked)
    first = float((errors.rank == 1).mean())
    if grid is None:
        at = np.arange(total) if places is None else np.asarray(places, dtype=np.float64)
        made = _curves(errors, where, at, unit)
    else:
        made = _maps(errors, is_masked, grid)
    more = {**statement.more, "rank 1": f"{first:.1%}", "chance": f"{errors.chance:.1%}"}
    stated = dataclasses.replace(statement, n=len(where), more=more)
    alt = alternative(
        "masked_errors",
        masked=len(where),
        error=float(errors.error.mean()),
        cosine=float(errors.cosine.mean()),
        first=first,
        chance=errors.chance,
    )
    table = {"position": where, "error": errors.error, "cosine": errors.cosine, "rank": errors.rank}
    return made.tell("masked_errors", stated, alt, table, table)


def _strips(tiles: Sequence[NDArray[np.uint8]], names: Sequence[str], labels: Sequence[str], unit: str) -> Plate:
    """A row a tile, the average and the prediction set apart."""
    made = plate(7.0, 0.24 * (len(tiles) + 1) + 1.1)
    axes = dress(made.subplots())
    top, ticks = 0.0, []
    for name, tile in zip(names, tiles, strict=True):
        top += 0.5 if name == "average" else 0.15 if name == "prediction" else 0.0
        axes.imshow(tile[None], extent=(-0.5, len(tile) - 0.5, top + 0.92, top), aspect="auto", interpolation="nearest")
        ticks.append(top + 0.46)
        top += 1
    axes.set_yticks(ticks, list(names))
    axes.set(xlim=(-0.5, len(tiles[0]) - 0.5), ylim=(top, -0.1), ylabel="layer")
    if labels:
        label_cells(axes, "x", list(labels), most=40)
        axes.set_xlabel(unit and f"time ({unit})" if unit == "s" else unit)
    else:
        axes.set_xlabel("position")
    return made


def _pictures(tiles: Sequence[NDArray[np.uint8]], names: Sequence[str], grid: tuple[int, int]) -> Plate:
    """One picture a tile, in a single panel, which is drawn faster than many."""
    rows, columns = grid
    gap = max(1, round(0.08 * max(grid)))
    down = -(-len(tiles) // _ACROSS)
    across = -(-len(tiles) // down)
    label = max(2, round(0.2 * rows))
    mosaic = np.zeros((down * (rows + label), across * (columns + gap) - gap, 4), np.uint8)
    made = plate(min(7.2, 1.25 * across), min(7.2, 1.25 * across) / mosaic.shape[1] * mosaic.shape[0] + 0.55)
    axes = dress(made.subplots())
    for place, (name, tile) in enumerate(zip(names, tiles, strict=True)):
        top, left = place // across * (rows + label) + label, place % across * (columns + gap)
        mosaic[top : top + rows, left : left + columns] = tile.reshape(rows, columns, 4)
        title = f"layer {name}" if name.isdecimal() else name
        axes.text(left + columns / 2 - 0.5, top - 0.9, title, color=INK, fontsize=SMALL, ha="center", va="bottom")
    axes.imshow(mosaic, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    return made


def _curves(errors: Errors, where: NDArray[np.int64], at: NDArray[Any], unit: str) -> Plate:
    made = plate(7.0, 4.0)
    panels = made.subplots(3, 1, sharex=True)
    step = float(at[1] - at[0]) if len(at) > 1 else 1.0
    for axes, values, name in zip(
        panels, (errors.error, errors.cosine, errors.rank), ("error", "cosine", "rank"), strict=True
    ):
        dress(axes, grid=True)
        _stripe(axes, where, at, step)
        axes.plot(at[where], values, "o", color=hexadecimal(STUDENT), ms=3.5, mew=0)
        axes.axhline(float(values.mean()), color=hexadecimal(STUDENT), lw=1, alpha=0.7, label="mean")
        axes.set_ylabel(name)
    panels[0].axhline(1.0, ls=":", lw=1.2, color=INK)
    panels[0].set_ylim(0, None)
    panels[1].axhline(0.0, ls=":", lw=1.2, color=INK)
    panels[1].set_ylim(min(-0.05, float(errors.cosine.min()) - 0.05), 1.03)
    panels[2].axhline((1 / errors.chance + 1) / 2, ls=":", lw=1.2, color=INK, label="chance")
    panels[2].set(yscale="log", ylim=(1 / errors.chance * 1.15, 0.85))
    panels[2].yaxis.set_major_formatter("{x:.0f}")
    panels[2].set(xlabel=f"time ({unit})" if unit == "s" else unit or "position", xlim=(at[0] - step, at[-1] + step))
    legend_above(made, [panels[2]])
    return made


def _stripe(axes: Axes, where: NDArray[np.int64], at: NDArray[Any], step: float) -> None:
    for run in np.split(where, np.flatnonzero(np.diff(where) > 1) + 1):
        low, high = at[run[0]] - step / 2, at[run[-1]] + step / 2
        axes.axvspan(
            low, high, edgecolor=(0.5, 0.5, 0.5, 0.35), zorder=0, **MASKED | {"facecolor": (0.5,) * 3 + (0.1,)}
        )


def _maps(errors: Errors, is_masked: NDArray[np.bool_], grid: tuple[int, int]) -> Plate:
    made = plate(7.2, 1.75 * grid[0] / grid[1] + 0.75)
    ranks = 1 / errors.chance
    shown = (
        (errors.error, "error", (0.0, max(1.0, float(errors.error.max()))), magnitudes()),
        (errors.cosine, "cosine", (min(0.0, float(errors.cosine.min())), 1.0), magnitudes().reversed()),
        (np.log10(errors.rank), "rank", (0.0, float(np.log10(ranks))), magnitudes()),
    )
    for axes, (values, name, limits, colours) in zip(made.subplots(1, 3), shown, strict=True):
        dress(axes, name)
        axes.set(xticks=[], yticks=[])
        cells = np.full(len(is_masked), np.nan)
        cells[is_masked] = values
        image: ScalarMappable = axes.imshow(
            np.ma.masked_invalid(cells.reshape(grid)), norm=scale(limits), cmap=colours, interpolation="nearest"
        )
        bar = colour_bar(made, image, axes)
        if name == "rank":
            ticks = [rank for rank in (1, 10, 100, 1000) if 4 * rank < ranks] + [(ranks + 1) / 2]
            bar.set_yticks(np.log10(ticks), [f"{rank:.0f}" for rank in ticks[:-1]] + ["chance"])
    return made
