"""Everything behind the pictures of the view "Layers" as files: tables, arrays, and figures for a paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from ui.inside import layers_sections as sections
from ui.inside.layers_sides import SEED, Choice, Kept, Pair

if TYPE_CHECKING:
    from analysis.layouts import Layout

FIGURE_FORMATS: Final = ("svg", "pdf", "png")


def make_files(store: Kept, pair: Pair, choice: Choice, layouts: Sequence[Layout], raw: Any) -> list[str]:
    """Paths of the tables, the arrays and the figures."""
    from analysis.figures.comparison import layer_matrix
    from analysis.figures.files import save_figure, to_csv, to_npz
    from analysis.figures.geometry import layer_geometry
    from analysis.figures.maps import layouts as drawn_layouts
    from analysis.figures.statement import Statement

    first, second = pair.first, pair.second
    names = (f"{first.model} {first.role}", f"{second.model} {second.role}")
    about = Statement(
        model=" / ".join(dict.fromkeys((first.model, second.model))),
        role=" / ".join(dict.fromkeys((first.role, second.role))),
        items=first.items,
        n=pair.n,
        p=(first.vectors.shape[2], second.vectors.shape[2]),
        seed=SEED,
    )
    files: dict[str, bytes] = {}
    plates: dict[str, Any] = {}
    try:
        found, null = sections.compared(store, pair, choice.measure)
    except ValueError:  # the page says why this measure is not to be had
        found = None
    if found is not None:
        files["comparison.csv"] = to_csv(_matrix_columns(found.matrix, None if null is None else null.matrix))
        plates["comparison"] = layer_matrix(found, null=null, names=names, statement=about)
    measured = sections.geometries(store, pair)
    sides = _distinct([name for name in (*names, f"{second.model} untrained")][: len(measured)])
    table: dict[str, Any] = {"layer": np.arange(max(len(side.vectors) for side, _ in measured))}
    by_measure: dict[Any, dict[str, Any]] = {name: {} for name in sections.GEOMETRY}
    for name, (_, values) in zip(sides, measured, strict=True):
        for measure in sections.GEOMETRY:
            padded = np.full(len(table["layer"]), np.nan)
            padded[: len(values[measure])] = values[measure]
            table[f"{measure} {name}"] = padded
            by_measure[measure][name] = padded
    plates["geometry"] = layer_geometry(by_measure, statement=about)
    files["geometry.csv"] = to_csv(table)
    kinds = sections.label_kinds(pair)
    if kinds:
        known, base = sections.knowledge(store, pair, kinds[0], raw)
        rows: dict[str, Any] = {"layer": table["layer"]}
        for name, (_, one) in zip(sides, known, strict=True):
            for measure in ("knn", "probe"):
                padded = np.full(len(table["layer"]), np.nan)
                padded[: len(getattr(one, measure))] = getattr(one, measure)
                rows[f"{measure} {name}"] = padded
        rows["chance"] = np.full(len(table["layer"]), known[0][1].chance)
        if base is not None:
            rows["raw knn"] = np.full(len(table["layer"]), base.knn[0])
            rows["raw probe"] = np.full(len(table["layer"]), base.probe[0])
        files["knows.csv"] = to_csv(rows)
    labels = {kind: list(values) for kind, values in first.labels.items()}
    titles = [f"layer {layer}" for layer in range(len(layouts))]
    plates["maps"] = drawn_layouts(layouts, titles, next(iter(labels.values()), None), statement=about)
    files["vectors.npz"] = to_npz(
        {
            "first": first.vectors,
            "second": second.vectors,
            "names": np.array(first.names),
            "index": first.index,
            "maps": np.stack([one.points for one in layouts]),
            **{f"label {kind}": np.array(values) for kind, values in labels.items()},
        },
        about,
    )
    for name, plate in plates.items():
        for ending in FIGURE_FORMATS:
            files[f"{name}.{ending}"] = save_figure(plate, ending)
    return [save_bytes_to_cache(content, f"layers-{name}", get_upload_folder()) for name, content in files.items()]


def _matrix_columns(matrix: np.ndarray, null: np.ndarray | None) -> dict[str, Any]:
    columns: dict[str, Any] = {"layer": np.arange(len(matrix))}
    columns |= {f"layer {i}": matrix[:, i] for i in range(matrix.shape[1])}
    if null is not None:
        columns |= {f"null layer {i}": null[:, i] for i in range(null.shape[1])}
    return columns


def _distinct(names: Sequence[str]) -> list[str]:
    return [name if names.index(name) == i else f"{name} {i + 1}" for i, name in enumerate(names)]
