"""Matrices as colours: the two scales that all figures share, and how values are printed into cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from analysis.figures.palette import NEUTRAL, STUDENT, TEACHER, contrasting, hexadecimal
from analysis.figures.plate import SMALL, TEXT, drawable
from analysis.figures.style import INK

MOST_PRINTED = 14
"""Rows and columns up to which values are printed into the cells."""
_BAD = (hexadecimal(NEUTRAL), 0.35)


def magnitudes() -> Colormap:
    """From nothing, dark, to the most, light: lightness alone tells them."""
    return matplotlib.colormaps["cividis"].with_extremes(bad=_BAD)


def differences() -> Colormap:
    """Student minus teacher: the student's blue where it has more, the teacher's vermillion where that has, light where
    they agree. Blue and orange stay apart for colour-blind readers."""
    ends = ((110, 40, 0), TEACHER, (246, 246, 246), STUDENT, (0, 50, 92))
    colours = [tuple(channel / 255 for channel in colour) for colour in ends]
    return LinearSegmentedColormap.from_list("student-teacher", colours).with_extremes(bad=_BAD)


def scale(limits: tuple[float, float], *, root: bool = False) -> Normalize:
    """Colours between two values, by the value or by its root."""
    low, high = limits
    return PowerNorm(0.5, vmin=low, vmax=high) if root else Normalize(low, high)


def symmetric(values: NDArray[Any]) -> tuple[float, float]:
    """Limits of a difference: 0 in the middle."""
    largest = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 0.0
    return (-largest, largest) if largest > 0 else (-1.0, 1.0)


def draw_matrix(
    axes: Axes,
    matrix: NDArray[Any],
    norm: Normalize,
    colours: Colormap,
    *,
    origin: Literal["upper", "lower"] = "upper",
    aspect: Literal["equal", "auto"] = "equal",
) -> AxesImage:
    """One cell a value, with sharp borders; what is undefined is grey."""
    image = axes.imshow(
        np.ma.masked_invalid(matrix), norm=norm, cmap=colours, origin=origin, aspect=aspect, interpolation="nearest"
    )
    axes.grid(False)
    return image


def print_values(axes: Axes, image: AxesImage, matrix: NDArray[Any], size: float = SMALL) -> None:
    """Two decimals into each cell, black or white, whichever stands out; a dash where undefined."""
    shades = image.to_rgba(np.ma.masked_invalid(matrix), bytes=True)
    for (row, column), value in np.ndenumerate(matrix):
        red, green, blue = (int(channel) for channel in shades[row, column, :3])
        ink = INK if np.isnan(value) else hexadecimal(contrasting((red, green, blue)))
        axes.text(column, row, short(value), ha="center", va="center", color=ink, fontsize=size)


def short(value: float) -> str:
    """`.93`, `1.0`, `−.04`, or a dash where undefined."""
    if np.isnan(value):
        return "\u2013"
    if abs(value) >= 0.995:
        return f"{value:.1f}".replace("-", "\u2212")
    text = f"{abs(value):.2f}".lstrip("0")
    return f"\u2212{text}" if value < 0 and text != ".00" else text


def colour_bar(
    figure: Figure,
    image: ScalarMappable,
    axes: Axes,
    label: str = "",
    *,
    extend: Literal["neither", "min"] = "neither",
) -> Axes:
    """What colours mean: to the right of a panel, as high as it is."""
    place = axes.inset_axes((1.03, 0.0, 0.035, 1.0))
    bar = figure.colorbar(image, cax=place, extend=extend, extendfrac=0.03)
    bar.outline.set_visible(False)
    place.tick_params(colors=INK, labelsize=SMALL, length=2, width=0.6)
    if label:
        bar.set_label(drawable(label), color=INK, fontsize=TEXT, parse_math=False)
    return place


def label_cells(axes: Axes, which: Literal["x", "y"], labels: Sequence[str], *, most: int = 60) -> None:
    """Names of rows or columns; of more than `most`, every second, fifth, tenth, ... only."""
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 10**9) if len(labels) / step <= most)
    places = range(0, len(labels), step)
    shown = [drawable(labels[place]) for place in places]
    if which == "x":
        turned = max((len(label) for label in shown), default=0) > 3
        axes.set_xticks(places, shown, rotation=90 if turned else 0, parse_math=False)
    else:
        axes.set_yticks(places, shown, parse_math=False)
