"""Figures and the data behind them as bytes to keep: SVG, PDF, PNG, CSV, NPZ."""

from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Mapping
from typing import Any, Literal, get_args

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.figures.plate import Columns, Plate
from analysis.figures.statement import Statement

FigureFormat = Literal["svg", "pdf", "png"]
FIGURE_FORMATS: tuple[FigureFormat, ...] = get_args(FigureFormat)
_one_at_a_time = threading.Lock()
"""For matplotlib's settings are those of the process: two threads that change them for a while undo each other's."""
_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: small, sharp at every size, and found by a search
    "svg.hashsalt": "data2vec",  # ids in the file do not change from run to run
    "pdf.fonttype": 42,  # TrueType, which journals ask for
}


def save_figure(figure: Figure, format: FigureFormat, *, dpi: int = 200, title: str = "") -> bytes:
    """A figure as a file; the same figure gives the same bytes. What a `Plate` tells goes into the file's metadata.

    Args:
        format: the ground is transparent in each.
        dpi: of PNG, and of pictures inside SVG and PDF.
        title: for the metadata.

    Raises:
        ValueError: another format.
    """
    if format not in FIGURE_FORMATS:
        raise ValueError(f"format={format!r}: expected one of {', '.join(FIGURE_FORMATS)}")
    told = _description(figure)
    metadata: dict[str, Any] = {"Title": title} if title else {}
    if format == "svg":
        metadata |= {"Date": None, "Description": told}
    elif format == "pdf":
        metadata |= {"CreationDate": None, "Subject": told}
    else:
        metadata |= {"Description": told}
    file = io.BytesIO()
    # a plate's ground is transparent already, and some of its panels have one of their own
    with _one_at_a_time, matplotlib.rc_context(_STYLE):
        figure.savefig(file, format=format, transparent=not isinstance(figure, Plate), dpi=dpi, metadata=metadata)
    return file.getvalue()


def to_csv(columns: Columns) -> bytes:
    """A table in UTF-8, with a mark at its start by which spreadsheets know that. Numbers come back as they were; not
    a number is an empty cell.

    Raises:
        ValueError: no columns, or of different lengths.
    """
    if not columns or len({len(values) for values in columns.values()}) != 1:
        raise ValueError(f"columns: expected some of one length, got {[len(values) for values in columns.values()]}")
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(columns)
    writer.writerows(zip(*([_cell(value) for value in values] for values in columns.values()), strict=True))
    return table.getvalue().encode("utf-8-sig")


def to_npz(arrays: Mapping[str, NDArray[Any]], statement: Statement | None = None) -> bytes:
    """Arrays in numpy's format, without pickled objects; the same arrays give the same bytes.

    Args:
        statement: goes in as `statement`, UTF-8 bytes of a JSON object.

    Raises:
        ValueError: an array of Python objects, or one that is called `statement` itself.
    """
    content = {name: np.asarray(array) for name, array in arrays.items()}
    if wrong := [name for name, array in content.items() if array.dtype.hasobject]:
        raise ValueError(f"arrays: {wrong[0]} holds Python objects")
    if statement is not None:
        if "statement" in content:
            raise ValueError("arrays: the name statement is taken")
        told = json.dumps(statement.to_dict(), ensure_ascii=False).encode()
        content["statement"] = np.frombuffer(told, dtype=np.uint8)
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **content)
    return file.getvalue()


def data_of(figure: Plate) -> dict[str, bytes]:
    """All data files of a figure by the end of their name: `npz`, and `csv` where it is a table."""
    files = {"npz": to_npz(figure.arrays, figure.statement)}
    return files | ({"csv": to_csv(figure.table)} if figure.table else {})


def _cell(value: Any) -> Any:
    if isinstance(value, (float, np.floating)):
        return "" if np.isnan(value) else str(value)
    return value


def _description(figure: Figure) -> str:
    if not isinstance(figure, Plate):
        return ""
    return " ".join(part for part in (str(figure.alt), figure.statement.caption(), str(figure.misleads)) if part)
