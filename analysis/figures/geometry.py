"""The shape of each layer's vectors: how many directions they fill, how they point, how their variances fall; and what
can be read from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullFormatter
from numpy.typing import NDArray

from analysis.dimension import Decay
from analysis.figures.heat import magnitudes
from analysis.figures.palette import NEUTRAL, PETROFF, RAW, STUDENT, TEACHER, UNTRAINED, hexadecimal
from analysis.figures.plate import TEXT, Plate, drawable, dress, legend_above, panels, plate
from analysis.figures.statement import NOTHING_ELSE, Statement, alternative
from analysis.figures.style import INK
from analysis.probing import confidence_margin

GeometryMeasure = Literal[
    "effective_rank", "participation_ratio", "anisotropy", "uniformity", "intrinsic_dimension", "spread", "decay"
]
GEOMETRY_MEASURES: tuple[GeometryMeasure, ...] = get_args(GeometryMeasure)
TITLES: Mapping[GeometryMeasure, str] = MappingProxyType(
    {
        "effective_rank": "effective rank",
        "participation_ratio": "participation ratio",
        "anisotropy": "anisotropy, mean cosine",
        "uniformity": "uniformity, ln",
        "intrinsic_dimension": "intrinsic dimension, TwoNN",
        "spread": "standard deviation",
        "decay": "spectrum decay \u03b1",
    }
)
_FIXED: Mapping[GeometryMeasure, tuple[float, float]] = MappingProxyType(
    {"anisotropy": (-0.05, 1.02), "uniformity": (-4.1, 0.05)}
)
_LOOKS = {
    "student": (STUDENT, "o"),
    "teacher": (TEACHER, "s"),
    "untrained": (UNTRAINED, "x"),
    "shuffled": (NEUTRAL, "+"),
    "raw": (RAW, "D"),
}
_WEIGHTS = {"student": {"ms": 6, "lw": 2.2}, "teacher": {"ms": 3.2, "lw": 1.2}}
"""The two often coincide, and are then both seen: the teacher's line on the student's."""
_OTHERS = "^v<>Dph*"


def look_of(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour and marker of each line: those of the method's parts where a name is one, others in order."""
    found: dict[str, dict[str, Any]] = {}
    others = [name for name in names if name not in _LOOKS]
    for name in names:
        if name in _LOOKS:
            colour, marker = _LOOKS[name]
        else:
            place = others.index(name)
            colour, marker = PETROFF[(place + 2) % len(PETROFF)], _OTHERS[place % len(_OTHERS)]
        weight = _WEIGHTS.get(name, {"ms": 4, "lw": 1.4})
        found[name] = {"color": hexadecimal(colour), "marker": marker, "label": drawable(name), **weight}
    return found


def layer_geometry(
    measures: Mapping[GeometryMeasure, Mapping[str, Sequence[float] | NDArray[Any]]],
    *,
    layers: Sequence[int] = (),
    statement: Statement = NOTHING_ELSE,
) -> Plate:
    """One panel a measure, layers to the right.

    Args:
        measures: by measure, by who was measured (`student`, `teacher`, `untrained`, or any name): a value a layer; NaN
            leaves a gap.
        layers: their numbers; from 0, the input of the first block, by default.
        statement: with `n` and `p`, on which all of these depend.

    Raises:
        ValueError: no measures, an unknown one, or values of different numbers of layers.
    """
    if not measures or not measures.keys() <= set(GEOMETRY_MEASURES):
        raise ValueError(f"measures: expected some of {', '.join(GEOMETRY_MEASURES)}, got {', '.join(measures)}")
    numbers = _numbers(layers, [values for by_name in measures.values() for values in by_name.values()])
    columns = min(3, len(measures))
    made = plate(2.5 * columns, 1.95 * -(-len(measures) // columns) + 0.55)
    places = panels(made, [TITLES[measure] for measure in measures], columns)
    looks = look_of(list(dict.fromkeys(name for by_name in measures.values() for name in by_name)))
    table: dict[str, NDArray[Any]] = {"layer": np.array(numbers)}
    for place, (measure, by_name) in zip(places, measures.items(), strict=True):
        for name, values in by_name.items():
            table[f"{measure} {name}"] = np.asarray(values, dtype=np.float64)
            place.plot(numbers, table[f"{measure} {name}"], **looks[name])
        _by_layer(place)
        if measure in _FIXED:
            low, high = _FIXED[measure]
            found = [values for key, values in table.items() if key.startswith(f"{measure} ")]
            place.set_ylim(min(low, *(float(np.nanmin(v, initial=low)) for v in found)), high)
        else:
            highest = max(
                float(np.nanmax(values, initial=0)) for key, values in table.items() if key.startswith(measure)
            )
            place.set_ylim(0, 1.08 * highest or 1)
    if len(looks) > 1:
        legend_above(made, places)
    first = next(iter(measures))
    values = np.concatenate([values for key, values in table.items() if key.startswith(f"{first} ")])
    alt = alternative(
        "layer_geometry",
        panels=len(measures),
        layers=len(numbers),
        first=TITLES[first],
        low=float(np.nanmin(values)),
        high=float(np.nanmax(values)),
    )
    return made.tell("layer_geometry", dataclasses.replace(statement, layers=tuple(numbers)), alt, table, table)


def spectrum(
    variances: Mapping[str, NDArray[Any]],
    decays: Mapping[str, Decay] | None = None,
    *,
    statement: Statement = NOTHING_ELSE,
) -> Plate:
    """Variances by rank, both logarithmic, with the fitted range and its exponent.

    Args:
        variances: by who was measured, as `analysis.dimension.variances` gives them. Names that are numbers are layers,
            coloured from dark (low) to light (high).
        decays: of some of them, by `analysis.dimension.spectrum_decay`; drawn as a dashed line over the range it was
            fitted to.

    Raises:
        ValueError: no spectra, or a decay of something else.
    """
    decays = {} if decays is None else decays
    if not variances or not decays.keys() <= variances.keys():
        raise ValueError("variances: expected some, and decays of the same names")
    made = plate(4.6, 3.1)
    axes = dress(made.subplots(), grid=True)
    looks = look_of(list(variances))
    if all(name.isdecimal() for name in variances):
        most = max(1, len(variances) - 1)
        for place, name in enumerate(variances):
            looks[name] |= {"color": magnitudes()(0.05 + 0.85 * place / most), "label": f"layer {name}"}
    table: dict[str, list[Any]] = {"of": [], "rank": [], "variance": []}
    for name, found in variances.items():
        kept = np.asarray(found, dtype=np.float64)
        kept = kept[kept > 1e-12 * kept[0]] if len(kept) and kept[0] > 0 else kept[:0]
        ranks = np.arange(1, len(kept) + 1)
        fit = decays.get(name)
        label = looks[name]["label"] + (f"  \u03b1 = {fit.exponent:.2f} ({fit.first}\u2013{fit.last})" if fit else "")
        axes.plot(ranks, kept, color=looks[name]["color"], lw=1.5, label=label)
        if fit is not None and len(kept) >= fit.last:
            at = np.arange(fit.first, fit.last + 1)
            level = np.log(kept[fit.first - 1 : fit.last]).mean() + fit.exponent * np.log(at).mean()
            axes.plot(at, np.exp(level - fit.exponent * np.log(at)), color=INK, lw=1, ls="--")
        table["of"] += [name] * len(kept)
        table["rank"] += ranks.tolist()
        table["variance"] += kept.tolist()
    axes.set(xscale="log", yscale="log", xlabel="rank", ylabel="variance")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.legend(frameon=False, fontsize=TEXT, labelcolor=INK, loc="lower left")
    first = next(iter(decays), next(iter(variances)))
    exponent = decays[first].exponent if first in decays else float("nan")
    alt = alternative("spectrum", curves=len(variances), first=first, alpha=exponent)
    return made.tell("spectrum", statement, alt, {k: np.array(v) for k, v in table.items()}, table)


def probes(
    accuracies: Mapping[str, Mapping[str, Sequence[float] | NDArray[Any]]],
    *,
    test_items: int,
    chance: float,
    raw: Mapping[str, float] | None = None,
    layers: Sequence[int] = (),
    statement: Statement = NOTHING_ELSE,
) -> Plate:
    """What neighbours and linear probes read from each layer, with the 95 % confidence interval as a band, chance as a
    dotted line, and the raw input's features as a dashed one.

    Args:
        accuracies: by method, such as `kNN` and `linear probe`, by whose layers: a value a layer, 0 to 1.
        test_items: on which they were measured, independent of one another.
        chance: what guessing the most frequent class reaches.
        raw: by method, the same from features of the raw input, without a network.
        layers: their numbers; from 0 by default.

    Raises:
        ValueError: nothing to draw, or values of different numbers of layers.
    """
    if not accuracies or test_items < 1:
        raise ValueError("accuracies: expected at least one method, and test_items from 1")
    numbers = _numbers(layers, [values for by_name in accuracies.values() for values in by_name.values()])
    raw = {} if raw is None else raw
    made = plate(max(3.6, 3.1 * len(accuracies)), 2.9)
    places = panels(made, list(accuracies), len(accuracies), sharey=True)
    looks = look_of(list(dict.fromkeys(name for by_name in accuracies.values() for name in by_name)))
    table: dict[str, NDArray[Any]] = {"layer": np.array(numbers)}
    for place, (method, by_name) in zip(places, accuracies.items(), strict=True):
        for name, given in by_name.items():
            values = np.asarray(given, dtype=np.float64)
            margins = np.array([confidence_margin(value, test_items) for value in values])
            table |= {f"{method} {name}": values, f"{method} {name} margin": margins}
            place.plot(numbers, values, **looks[name])
            low, high = (values - margins).clip(0, 1), (values + margins).clip(0, 1)
            place.fill_between(numbers, low, high, color=looks[name]["color"], alpha=0.18, lw=0)
        if method in raw:
            place.axhline(raw[method], ls="--", lw=1.3, color=hexadecimal(RAW), label="raw input")
            table[f"{method} raw"] = np.full(len(numbers), raw[method])
        place.axhline(chance, ls=":", lw=1.3, color=INK, label="chance")
        _by_layer(place)
        place.set_ylim(0, 1.02)
    places[0].set_ylabel("accuracy")
    legend_above(made, places)
    best = max(
        (float(value), numbers[at])
        for by_name in accuracies.values()
        for values in by_name.values()
        for at, value in enumerate(values)
        if not np.isnan(value)
    )
    alt = alternative("probes", layers=len(numbers), best=best[0], layer=best[1], chance=chance)
    more = {**statement.more, "chance": round(chance, 4), "test items": test_items, "interval": "95 %"}
    stated = dataclasses.replace(statement, layers=tuple(numbers), more=more)
    return made.tell("probes", stated, alt, table, table)


def _by_layer(axes: Axes) -> None:
    axes.set_xlabel("layer")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))


def _numbers(layers: Sequence[int], series: Sequence[Sequence[float] | NDArray[Any]]) -> list[int]:
    depths = {len(values) for values in series}
    if len(depths) != 1 or (len(layers) and {len(layers)} != depths):
        raise ValueError(f"expected a value for each layer of every line, got {sorted(depths)}")
    return list(layers) if len(layers) else list(range(depths.pop()))
