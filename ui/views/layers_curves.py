"""Small charts of a number over the layers, as SVG, and the same numbers as a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from ui.views.tables import details_table
from ui.words import say

WIDTH: Final = 300
HEIGHT: Final = 168
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 10, 10, 30
Place = Callable[[float], float]


@dataclass(frozen=True)
class Curve:
    """One side over its layers."""

    name: str
    values: Sequence[float]
    """NaN where undefined."""
    look: str
    """Class of its style: `student`, `teacher`, `null`, `raw`."""
    is_second: bool = False
    """Whether it is drawn with dashes."""
    margins: Sequence[float] = ()
    """Half the widths of confidence intervals."""


@dataclass(frozen=True)
class Level:
    """A number that holds for all layers."""

    name: str
    value: float
    look: str


@dataclass(frozen=True)
class Chart:
    """Several curves on one pair of axes."""

    title: str
    curves: Sequence[Curve]
    levels: Sequence[Level] = ()
    low: float | None = None
    """End of the axis; None: what the numbers need."""
    high: float | None = None
    digits: int = 2
    first: int = 0
    """Of the numbers below the axis."""
    axis: str = ""
    """What is below the axis; the layer by default."""
    is_logarithmic: bool = False
    """Both axes."""
    width: int = WIDTH
    """In units of the drawing, in which letters have one size."""


def charts(found: Sequence[Chart], *, kind: str = "") -> str:
    """Several charts beside one another."""
    return f'<div class="charts {kind}">{"".join(_figure(one) for one in found)}</div>'


def key(names: Mapping[str, tuple[str, bool]]) -> str:
    """What the lines are: name -> (look, whether it is dashed)."""
    items = "".join(
        '<li><svg class="line" viewBox="0 0 28 8" aria-hidden="true">'
        f'<path class="{look}{" second" if dashed else ""}" d="M0 4H28"/></svg>{escape(name)}</li>'
        for name, (look, dashed) in names.items()
    )
    return f'<ul class="key">{items}</ul>'


def numbers(found: Sequence[Chart], title: str) -> str:
    """All numbers of charts over the same layers as a folded table."""
    columns = [(f"{chart.title} · {curve.name}", curve, chart.digits) for chart in found for curve in chart.curves]
    longest = max((len(curve.values) for _, curve, _ in columns), default=0)
    rows = [
        [
            str(layer),
            *(_said(curve.values[layer], digits) if layer < len(curve.values) else "" for _, curve, digits in columns),
        ]
        for layer in range(longest)
    ]
    return details_table(title, [say("inside.layer"), *(head for head, _, _ in columns)], rows)


def _figure(chart: Chart) -> str:
    return (
        f'<figure class="chart"><figcaption>{escape(chart.title)}</figcaption>'
        f'<svg viewBox="0 0 {chart.width} {HEIGHT}" role="img" aria-label="{escape(_alt(chart))}">{_drawn(chart)}</svg>'
        "</figure>"
    )


def _alt(chart: Chart) -> str:
    parts = [chart.title]
    for curve in chart.curves:
        finite = [value for value in curve.values if math.isfinite(value)]
        if finite:
            ends = (_said(end, chart.digits) for end in (finite[0], finite[-1], min(finite), max(finite)))
            parts.append(
                say(
                    "layers.curve_alt",
                    name=curve.name,
                    **dict(zip(("first", "last", "low", "high"), ends, strict=True)),
                )
            )
    return ". ".join(parts)


def _drawn(chart: Chart) -> str:
    longest = max((len(curve.values) for curve in chart.curves), default=1)
    given = [
        value + sign * margin
        for curve in chart.curves
        for value, margin in zip(curve.values, curve.margins or [0.0] * len(curve.values), strict=True)
        for sign in (-1, 1)
        if math.isfinite(value) and (value > 0 or not chart.is_logarithmic)
    ] + [level.value for level in chart.levels]
    if not given:
        middle = f'x="{chart.width / 2}" y="{HEIGHT / 2}" text-anchor="middle"'
        return f"<text {middle}>{escape(say('layers.undefined'))}</text>"
    least = min(given) if chart.low is None else chart.low
    most = max(given) if chart.high is None else chart.high
    ticks = _powers(min(given), max(given)) if chart.is_logarithmic else _ticks(least, most)
    low, high = ticks[0], ticks[-1]

    def down(value: float) -> float:
        share = (math.log(value / low) / math.log(high / low)) if chart.is_logarithmic else (value - low) / (high - low)
        return _TOP + (1 - min(max(share, 0), 1)) * (HEIGHT - _TOP - _BOTTOM)

    def across(index: float) -> float:
        share = index / max(longest - 1, 1)
        if chart.is_logarithmic:
            share = math.log(index + 1) / math.log(max(longest, 2))
        return _LEFT + share * (chart.width - _LEFT - _RIGHT)

    parts = [
        f'<path class="grid" d="M{_LEFT} {down(tick):.1f}H{chart.width - _RIGHT}"/>'
        f'<text x="{_LEFT - 6}" y="{down(tick) + 4:.1f}" text-anchor="end">{_tick(tick)}</text>'
        for tick in ticks
    ]
    for index in _indices(longest, chart.is_logarithmic):
        parts.append(
            f'<text x="{across(index):.1f}" y="{HEIGHT - _BOTTOM + 15}" text-anchor="middle">'
            f"{index + chart.first}</text>"
        )
    parts.append(
        f'<text class="axis" x="{(_LEFT + chart.width - _RIGHT) / 2}" y="{HEIGHT - 2}" text-anchor="middle">'
        f"{escape(chart.axis or say('inside.layer'))}</text>"
    )
    for level in chart.levels:
        parts.append(f'<path class="{level.look} level" d="M{_LEFT} {down(level.value):.1f}H{chart.width - _RIGHT}"/>')
    for curve in chart.curves:
        parts.append(_curve(curve, across, down, dots=longest <= 16))
    return "".join(parts)


def _curve(curve: Curve, across: Place, down: Place, *, dots: bool) -> str:
    look = curve.look + (" second" if curve.is_second else "")
    places = [(i, across(i), down(value)) for i, value in enumerate(curve.values) if math.isfinite(value)]
    line, before = "", -2
    for i, x, y in places:
        line += f"{'L' if i == before + 1 else 'M'}{x:.1f} {y:.1f}"
        before = i
    whiskers = "".join(
        f"M{x:.1f} {down(curve.values[i] - curve.margins[i]):.1f}V{down(curve.values[i] + curve.margins[i]):.1f}"
        for i, x, _ in places
        if curve.margins
    )
    marks = "".join(f'<circle class="{look}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>' for _, x, y in places) if dots else ""
    whisker = f'<path class="{look} whisker" d="{whiskers}"/>' if whiskers else ""
    return f'{whisker}<path class="{look}" d="{line}"/>{marks}'


def _indices(longest: int, is_logarithmic: bool) -> list[int]:
    if is_logarithmic:
        return [n - 1 for n in (1, 2, 5, 10, 20, 50, 100, 200, 500) if n <= longest]
    step = max(1, math.ceil(longest / 13))
    return list(range(0, longest, step))


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers around two."""
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [n * step for n in range(first, last + 1)]


def _powers(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    last = max(last, first + 1)
    step = max(1, math.ceil((last - first) / 4))
    return [10.0**n for n in range(first, last + step, step)]


def _tick(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _said(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-", "−") if math.isfinite(value) else "–"
