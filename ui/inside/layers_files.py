"""Everything behind the pictures of the view "Layers" as files: tables, arrays, and figures for a paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder
from numpy.typing import NDArray

from ui.inside import layers_sections as sections
from ui.inside.layers_sides import SEED, Choice, Kept, Pair

if TYPE_CHECKING:
    from analysis.figures.plate import Plate
    from analysis.figures.statement import Statement
    from analysis.layer_comparison import LayerComparison
    from analysis.layouts import Layout

FIGURE_FORMATS: Final = ("svg", "pdf", "png")
METHODS: Final = {"kNN": "knn", "linear probe": "probe"}
"""What figures call them -> attribute of `LayerKnowledge`."""


def figures(store: Kept, pair: Pair, choice: Choice, layouts: Sequence[Layout], raw: Any) -> dict[str, Plate]:
    """The figures by name; one whose measure these sides do not admit is left out."""
    from analysis.figures.comparison import layer_matrix
    from analysis.figures.geometry import layer_geometry, probes
    from analysis.figures.maps import layouts as small_maps

    about, names = _about(pair), _names(pair)
    plates: dict[str, Plate] = {}
    if (found := _compared(store, pair, choice)) is not None:
        plates["comparison"] = layer_matrix(found[0], null=found[1], names=(names[0], names[1]), statement=about)
    measured = sections.geometries(store, pair)
    by_measure: dict[Any, dict[str, Any]] = {
        measure: {name: _filled(one[measure], measured) for name, (_, one) in zip(names, measured, strict=True)}
        for measure in sections.GEOMETRY
    }
    plates["geometry"] = layer_geometry(by_measure, statement=about)
    if kinds := sections.label_kinds(pair):
        known, base = sections.knowledge(store, pair, kinds[0], raw)
        shares = {
            method: {name: _filled(getattr(one, kind), measured) for name, (_, one) in zip(names, known, strict=True)}
            for method, kind in METHODS.items()
        }
        first = known[0][1]
        of_raw = {method: float(getattr(base, kind)[0]) for method, kind in METHODS.items()} if base else None
        plates["knows"] = probes(shares, test_items=first.n, chance=first.chance, raw=of_raw, statement=about)
    titles = [f"layer {layer}" for layer in range(len(layouts))]
    plates["maps"] = small_maps(layouts, titles, next(iter(pair.first.labels.values()), None), statement=about)
    return plates


def make_files(store: Kept, pair: Pair, choice: Choice, layouts: Sequence[Layout], raw: Any) -> list[str]:
    """Paths of the tables, the arrays and the figures."""
    from analysis.figures.files import save_figure, to_csv, to_npz

    first, second, names = pair.first, pair.second, _names(pair)
    files: dict[str, bytes] = {}
    if (found := _compared(store, pair, choice)) is not None:
        files["comparison.csv"] = to_csv(_matrix_columns(*found))
    measured = sections.geometries(store, pair)
    layers = np.arange(max(len(side.vectors) for side, _ in measured))
    table: dict[str, Any] = {"layer": layers}
    for name, (_, values) in zip(names, measured, strict=True):
        table |= {f"{measure} {name}": _filled(values[measure], measured) for measure in sections.GEOMETRY}
    files["geometry.csv"] = to_csv(table)
    if kinds := sections.label_kinds(pair):
        known, base = sections.knowledge(store, pair, kinds[0], raw)
        rows: dict[str, Any] = {"layer": layers}
        for name, (_, one) in zip(names, known, strict=True):
            rows |= {f"{kind} {name}": _filled(getattr(one, kind), measured) for kind in ("knn", "probe")}
        rows["chance"] = np.full(len(layers), known[0][1].chance)
        if base is not None:
            rows |= {f"{kind} raw": np.full(len(layers), getattr(base, kind)[0]) for kind in ("knn", "probe")}
        files["knows.csv"] = to_csv(rows)
    arrays = {
        "first": first.vectors,
        "second": second.vectors,
        "names": np.array(first.names),
        "index": first.index,
        "maps": np.stack([one.points for one in layouts]),
        **{f"label {kind}": np.array(values) for kind, values in first.labels.items()},
    }
    files["vectors.npz"] = to_npz(arrays, _about(pair))
    for name, plate in figures(store, pair, choice, layouts, raw).items():
        for ending in FIGURE_FORMATS:
            files[f"{name}.{ending}"] = save_figure(plate, ending)
    return [save_bytes_to_cache(content, f"layers-{name}", get_upload_folder()) for name, content in files.items()]


def _compared(store: Kept, pair: Pair, choice: Choice) -> tuple[LayerComparison, LayerComparison | None] | None:
    """None of a measure that is not to be had: the page says why."""
    try:
        return sections.compared(store, pair, choice.measure)
    except ValueError:
        return None


def _about(pair: Pair) -> Statement:
    from analysis.figures.statement import Statement

    first, second = pair.first, pair.second
    return Statement(
        model=" / ".join(dict.fromkeys((first.model, second.model))),
        role=" / ".join(dict.fromkeys((first.role, second.role))),
        items=first.items,
        n=pair.n,
        p=(first.vectors.shape[2], second.vectors.shape[2]),
        seed=SEED,
    )


def _names(pair: Pair) -> list[str]:
    """Of the sides, and of the control where there is one: roles where these tell them apart, for figures have a colour
    for each."""
    first, second = pair.first, pair.second
    if first.model == second.model and first.role != second.role:
        names: list[str] = [first.role, second.role]
    else:
        names = [f"{first.model} {first.role}", f"{second.model} {second.role}"]
        names[1] += " 2" if names[0] == names[1] else ""
    return [*names, *(["untrained"] if pair.control is not None else [])]


def _filled(values: NDArray[np.float64], measured: Sequence[Any]) -> NDArray[np.float64]:
    """As long as the deepest side has layers; not a number beyond the side's own."""
    found = np.full(max(len(side.vectors) for side, _ in measured), np.nan)
    found[: len(values)] = values
    return found


def _matrix_columns(found: LayerComparison, null: LayerComparison | None) -> dict[str, Any]:
    columns: dict[str, Any] = {"layer": np.array(found.rows)}
    columns |= {f"layer {i}": found.matrix[:, i] for i in range(found.matrix.shape[1])}
    if null is not None:
        columns |= {f"null layer {i}": null.matrix[:, i] for i in range(null.matrix.shape[1])}
    return columns
