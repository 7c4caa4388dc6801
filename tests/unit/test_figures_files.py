"""Figures and their data as files."""

from __future__ import annotations

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from analysis.figures.files import FIGURE_FORMATS, FigureFormat, data_of, save_figure, to_csv, to_npz
from analysis.figures.palette import hexadecimal
from tests.figure_samples import SAID, SAMPLES

SVG = "{http://www.w3.org/2000/svg}"


def read_csv(content: bytes) -> dict[str, list[str]]:
    assert content.startswith("\ufeff".encode())
    first, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig")))
    return {name: [row[place] for row in rows] for place, name in enumerate(first)}


@pytest.mark.parametrize("format", FIGURE_FORMATS)
def test_the_same_figure_gives_the_same_bytes(format: FigureFormat) -> None:
    make = SAMPLES["layer_curves"]
    content = save_figure(make(), format, title="a title")
    assert content == save_figure(make(), format, title="a title")
    assert content.startswith({"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG"}[format])


def test_figures_are_saved_from_many_threads() -> None:
    make = SAMPLES["masked_tokens"]
    expected = save_figure(make(), "svg")
    with ThreadPoolExecutor(4) as pool:
        assert {*pool.map(lambda _: save_figure(make(), "svg"), range(12))} == {expected}


def test_an_svg_has_its_text_as_text_and_tells_its_story() -> None:
    figure = SAMPLES["layer_matrix"]()
    tree = ElementTree.fromstring(save_figure(figure, "svg", title="layers"))
    shown = ["".join(text.itertext()) for text in tree.iter(f"{SVG}text")]
    assert "layer (teacher)" in shown
    told = "".join(tree.find(f"{SVG}metadata").itertext())  # type: ignore[union-attr]
    assert str(figure.alt) in told
    assert str(figure.misleads) in told
    assert "linear CKA, debiased" in told
    assert "layers" in told


def test_a_png_is_clear_where_nothing_is_drawn_and_tells_its_story() -> None:
    figure = SAMPLES["spectrum"]()
    with Image.open(io.BytesIO(save_figure(figure, "png", dpi=50))) as image:
        assert image.size == tuple(round(50 * side) for side in figure.get_size_inches())
        assert image.getpixel((0, 0))[3] == 0  # type: ignore[index]
        assert str(figure.alt) in image.info["Description"]


def test_any_other_figure_can_be_saved() -> None:
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([1, 2], color=hexadecimal((1, 2, 3)))
    assert save_figure(figure, "svg")
    with pytest.raises(ValueError, match="format='gif'"):
        save_figure(figure, "gif")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SAMPLES)
def test_data_come_back_as_they_were(name: str) -> None:
    figure = SAMPLES[name]()
    files = data_of(figure)
    with np.load(io.BytesIO(files["npz"]), allow_pickle=False) as read:
        told = json.loads(read["statement"].tobytes().decode())
        assert told == json.loads(json.dumps(figure.statement.to_dict()))
        assert set(read.files) == {*figure.arrays, "statement"}
        for key, array in figure.arrays.items():
            assert np.array_equal(read[key], array, equal_nan=np.asarray(array).dtype.kind == "f"), key
    assert ("csv" in files) == bool(figure.table)
    if figure.table:
        columns = read_csv(files["csv"])
        assert list(columns) == list(figure.table)
        for key, values in figure.table.items():
            numbers = np.asarray(values)
            if numbers.dtype.kind == "f":
                back = np.array([float(cell) if cell else np.nan for cell in columns[key]], dtype=numbers.dtype)
                assert np.array_equal(back, numbers, equal_nan=True), key
            else:
                assert columns[key] == [str(value) for value in values], key


def test_only_heads_in_small_are_no_table() -> None:
    without = {name for name, make in SAMPLES.items() if not make().table}
    assert without == {"attention_grid", "attention_grid_by_head", "attention_grid_difference"}


def test_a_table_holds_texts_of_any_kind() -> None:
    texts = ['a "b", c', "\u4e2d\u6587", "two\nlines", ""]
    assert read_csv(to_csv({"text": texts, "n": [1, 2, 3, 4]}))["text"] == texts


@pytest.mark.parametrize("columns", [{}, {"a": [1], "b": [1, 2]}])
def test_a_table_has_columns_of_one_length(columns: dict[str, list[int]]) -> None:
    with pytest.raises(ValueError, match="columns: expected"):
        to_csv(columns)


def test_arrays_hold_no_objects() -> None:
    with pytest.raises(ValueError, match="a holds Python objects"):
        to_npz({"a": np.array([{}, None], dtype=object)})
    with pytest.raises(ValueError, match="the name statement is taken"):
        to_npz({"statement": np.zeros(1)}, SAID)
    arrays = {"text": np.array(["\u4e2d", "b"]), "x": np.arange(3)}
    assert to_npz(arrays, SAID) == to_npz(arrays, SAID)
    with np.load(io.BytesIO(to_npz(arrays)), allow_pickle=False) as read:
        assert read["text"].tolist() == ["\u4e2d", "b"]
