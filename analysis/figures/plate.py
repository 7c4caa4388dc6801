"""A matplotlib figure that knows what it shows: its statement, its alternative text, and the numbers behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from analysis.figures.statement import MISLEADS, NOTHING_ELSE, Kind, Phrase, Statement
from analysis.figures.style import INK

Columns = Mapping[str, Sequence[Any] | NDArray[Any]]
"""A table: values by the name of their column, all of one length."""
SMALL, TEXT, TITLE = 7, 8, 9
"""Points."""
_LETTERS_PER_INCH = 17
"""Of small text, on average, with some to spare."""


class Plate(Figure):
    """A figure to print, show or save like any other of matplotlib, with what has to be told beside it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind: Kind | None = None
        self.statement: Statement = NOTHING_ELSE
        """What it was made from."""
        self.alt: Phrase = Phrase("")
        """For who cannot see it, with the main number."""
        self.misleads: Phrase = Phrase("")
        """How it can mislead."""
        self.arrays: Mapping[str, NDArray[Any]] = {}
        """All data behind it, for NPZ."""
        self.table: Columns = {}
        """The same as a table, for CSV; empty where it is not one."""

    def tell(
        self,
        kind: Kind,
        statement: Statement,
        alt: Phrase,
        arrays: Mapping[str, NDArray[Any]],
        table: Columns | None = None,
    ) -> Plate:
        """Set what it tells, and print the statement as a line below."""
        self.kind, self.statement, self.alt, self.misleads = kind, statement, alt, Phrase(MISLEADS[kind])
        self.arrays, self.table = arrays, {} if table is None else table
        caption = statement.caption(int(self.get_figwidth() * _LETTERS_PER_INCH))
        if caption:
            lines = "\n".join(drawable(line) for line in caption.splitlines())
            self.supxlabel(lines, fontsize=SMALL, color=INK, linespacing=1.4, parse_math=False)
        return self

    def _repr_png_(self) -> bytes:
        """What a notebook shows, whatever backend it has."""
        from analysis.figures.files import save_figure

        return save_figure(self, "png", dpi=110)


def plate(width: float, height: float) -> Plate:
    """An empty one of so many inches."""
    made = Plate(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.05, h_pad=0.05))
    made.patch.set_alpha(0)
    return made


def dress(axes: Axes, title: str = "", *, grid: bool = False) -> Axes:
    """The look of all panels: no box, small mid-tone text, a light grid where values are read."""
    if title:
        axes.set_title(drawable(title), color=INK, fontsize=TITLE, parse_math=False)
    axes.patch.set_alpha(0)
    axes.spines[:].set_visible(False)
    axes.tick_params(which="both", colors=INK, labelsize=SMALL, length=0)
    axes.xaxis.label.set(color=INK, fontsize=TEXT)
    axes.yaxis.label.set(color=INK, fontsize=TEXT)
    if grid:
        axes.grid(color=INK, alpha=0.25, linewidth=0.6)
        axes.set_axisbelow(True)
    return axes


def panels(made: Plate, titles: Sequence[str], columns: int, **options: Any) -> list[Axes]:
    """So many dressed panels, row by row; places left over stay empty.

    Args:
        options: of `Figure.subplots`.
    """
    rows = -(-len(titles) // columns)
    places = list(made.subplots(rows, columns, squeeze=False, **options).flat)
    for place in places[len(titles) :]:
        place.remove()
    return [dress(place, title, grid=True) for place, title in zip(places, titles, strict=False)]


def legend_above(made: Plate, places: Iterable[Axes]) -> None:
    """Names of the lines of all panels, each once, in the order of the panels."""
    handles: dict[str, Any] = {}
    for axes in places:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if handles:
        room, lengths = made.get_figwidth() * 15, [len(label) + 5 for label in handles]
        most = len(lengths) if sum(lengths) <= room else max(1, int(room / max(lengths)))
        look: dict[str, Any] = {"frameon": False, "fontsize": TEXT, "labelcolor": INK}
        made.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=min(most, len(handles)), **look)


def drawable(text: str) -> str:
    """A label on one line, with a box in place of letters that the figure's font lacks, such as Chinese ones. Spaces
    alone, and ends of lines, have a sign."""
    known = _letters()
    if text and not text.strip(" "):
        return "\u2423" * len(text)
    signs = text.replace("\r\n", "\n").translate({10: "\u21b5", 13: "\u21b5", 9: "\u21e5"})
    return "".join(letter if ord(letter) in known else "\u25a1" for letter in signs)


@lru_cache(maxsize=1)
def _letters() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap())


def matrix_columns(matrix: NDArray[Any], corner: str, rows: Sequence[Any], columns: Sequence[Any]) -> Columns:
    """A matrix as a table, with the names of its rows in the first column."""
    return {corner: [str(row) for row in rows]} | {
        str(name): np.asarray(matrix)[:, place] for place, name in enumerate(columns)
    }
