"""A measure by layer, of several models side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.figures.palette import RAW, STUDENT, TEACHER, UNTRAINED, Colour, hexadecimal
from analysis.figures.style import row_of_panels, shared_legend

_COLOURS: dict[str, Colour] = {"student": STUDENT, "teacher": TEACHER, "untrained": UNTRAINED, "raw": RAW}
_MARKERS = {"student": "o", "teacher": "s", "untrained": "x"}


@dataclass(frozen=True, kw_only=True)
class LayerPanel:
    """One measure."""

    title: str
    values: Mapping[str, Sequence[float]]
    """`student`, `teacher` or `untrained` -> a value a layer, from layer 0 (the input of the first block)."""
    level: float | None = None
    """Of raw features, which have no layers: a dashed line."""
    top: float | None = None
    """Upper end of the axis, whose lower end is 0; by the values when None."""


def by_layer(panels: Sequence[LayerPanel], *, caption: str = "") -> Figure:
    """A row of panels, one a measure, layers to the right; integer layers, 0 at the foot.

    Raises:
        ValueError: no panels, or values of a model that has no colour.
    """
    if not panels:
        raise ValueError("panels: expected at least one, got none")
    figure, axes = row_of_panels([panel.title for panel in panels], caption)
    for panel, place in zip(panels, axes, strict=True):
        if unknown := panel.values.keys() - _MARKERS.keys():
            raise ValueError(f"values of {sorted(unknown)}: expected some of {sorted(_MARKERS)}")
        for name, values in panel.values.items():
            colour = hexadecimal(_COLOURS[name])
            place.plot(range(len(values)), values, marker=_MARKERS[name], ms=4, lw=1.3, color=colour, label=name)
        if panel.level is not None:
            place.axhline(panel.level, linestyle="--", linewidth=1.3, color=hexadecimal(RAW), label="raw features")
        place.set(xlabel="layer", ylim=(0, panel.top))
        place.xaxis.set_major_locator(MaxNLocator(integer=True))
    shared_legend(figure, axes[0])
    return figure
