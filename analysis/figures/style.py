"""One look for all figures: no box, a light grid, a transparent ground and mid-tone ink, so that a dark page holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#767676"
"""Of text and axes: contrast 4.5 against white and 4.6 against black."""
PANEL = (3.2, 2.4)
"""Inches: width and height of one panel of a row."""


def row_of_panels(titles: Sequence[str], caption: str = "") -> tuple[Figure, Sequence[Axes]]:
    """A figure of one row of styled panels.

    Args:
        titles: one a panel.
        caption: a line below, for what a figure has to state (n, model, estimator).
    """
    figure = Figure(figsize=(len(titles) * PANEL[0], PANEL[1]), layout="constrained")
    panels = figure.subplots(1, len(titles), squeeze=False)[0]
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title, color=INK, fontsize=9)
        axes.patch.set_alpha(0)
        axes.spines[:].set_visible(False)
        axes.grid(color=INK, alpha=0.25, linewidth=0.6)
        axes.tick_params(colors=INK, labelsize=8, length=0)
        axes.xaxis.label.set(color=INK, fontsize=8)
    if caption:
        figure.supxlabel(caption, fontsize=8, color=INK)
    return figure, panels


def legend(axes: Axes) -> None:
    """Names of the lines of one panel."""
    axes.legend(frameon=False, fontsize=8, labelcolor=INK)


def shared_legend(figure: Figure, axes: Axes) -> None:
    """Names of the lines of all panels, above them, from one that has all."""
    handles, names = axes.get_legend_handles_labels()
    look = {"frameon": False, "fontsize": 8, "labelcolor": INK}
    figure.legend(handles, names, loc="outside upper center", ncols=len(names), **look)


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure, by the suffix as SVG or PNG; the same figure gives the same SVG file."""
    is_svg = Path(path).suffix == ".svg"
    # text stays text: small, and sharp at every size; with the salt, ids in the file do not change from run to run
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "data2vec"}):
        figure.savefig(path, transparent=True, dpi=150, metadata={"Date": None} if is_svg else None)
