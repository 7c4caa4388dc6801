"""Figures of the inside views: how they look, what they state, and what they refuse."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from analysis.figures.attention import attention_grid, attention_matrix, head_measures
from analysis.figures.comparison import LIMITS, layer_curves, layer_matrix
from analysis.figures.files import save_figure
from analysis.figures.geometry import layer_geometry, probes, spectrum
from analysis.figures.heat import differences, magnitudes, short, symmetric
from analysis.figures.maps import layouts
from analysis.figures.palette import STUDENT, TEACHER
from analysis.figures.places import (
    attention_on_photo,
    attention_on_spectrogram,
    masked_patches,
    masked_tokens,
)
from analysis.figures.plate import Plate, drawable
from analysis.figures.replay import training, training_maps
from analysis.figures.stage import masked_errors, target_tiles
from analysis.figures.statement import ALTERNATIVES, KINDS, MISLEADS, NAMES, Phrase, Statement, number
from analysis.layer_comparison import MEASURES
from tests import figure_samples as samples
from tests.figure_samples import SAID, SAMPLES
from tests.golden.draw import FOLDER, drawn

MEAN, LARGE, MANY = 2, 60, 0.005
"""Of 255: the mean difference of a golden figure, and what share of the channels may differ by much."""


@pytest.fixture(scope="module")
def plates() -> dict[str, Plate]:
    return {name: make() for name, make in SAMPLES.items()}


def apart(figure: Plate, name: str) -> tuple[float, float]:
    """Mean difference to the golden figure, and the share of channels that differ by much."""
    with Image.open(FOLDER / f"{name}.png") as image:
        golden = np.asarray(image.convert("RGB"), dtype=int)
    now = np.asarray(drawn(figure), dtype=int)
    assert now.shape == golden.shape
    found = np.abs(now - golden)
    return float(found.mean()), float((found > LARGE).mean())


@pytest.mark.parametrize("name", SAMPLES)
def test_a_figure_looks_as_it_did(name: str, plates: dict[str, Plate]) -> None:
    mean, much = apart(plates[name], name)
    assert mean <= MEAN, f"{mean:.2f}; if it is meant: python -m tests.golden.draw {name}"
    assert much <= MANY


def test_golden_figures_are_all_there_and_small() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(SAMPLES)
    assert all(path.stat().st_size < 8_000 for path in FOLDER.iterdir())


def test_another_value_is_another_picture() -> None:
    """What the tolerance lets pass is less than one cell, one line or one letter's change."""
    other = samples.comparison()
    other.matrix[0, 3] = 1
    figure = layer_matrix(other, null=samples.shuffled(), names=("student", "teacher"), statement=SAID)
    assert apart(figure, "layer_matrix")[1] > MANY
    run = samples.recording()
    runs = {"healthy": replace(run, loss=run.loss[::-1].copy()), "tau 0": samples.recording(0)}
    assert max(apart(training(runs, moment=3), "training")) > MANY


@pytest.mark.parametrize("name", SAMPLES)
def test_a_figure_tells_what_it_was_made_from(name: str, plates: dict[str, Plate]) -> None:
    figure = plates[name]
    assert isinstance(figure, Figure)
    assert figure.kind in KINDS
    told = dict(figure.statement.pairs())
    assert told.keys() <= set(NAMES)
    assert {"model", "role", "seed"} <= told.keys()
    if name != "spectrum":  # whose rows only the caller knows
        assert figure.statement.n is not None or name in ("probes", "head_measures")
    assert figure.statement.model in figure.get_supxlabel()
    assert figure.arrays
    assert str(figure.misleads) == MISLEADS[figure.kind]


@pytest.mark.parametrize("name", SAMPLES)
def test_the_alternative_text_has_a_number_and_no_hole(name: str, plates: dict[str, Plate]) -> None:
    alt = str(plates[name].alt)
    assert re.search(r"\d", alt)
    assert "{" not in alt
    assert "nan" not in alt
    assert alt.endswith(".")


def test_alternative_texts_tell_the_numbers_of_the_figure(plates: dict[str, Plate]) -> None:
    matrix = samples.comparison().matrix
    assert str(plates["layer_matrix"].alt) == (
        f"4 by 4 layers compared; values run from {matrix.min():.2f} to 1.00, with a mean of {matrix.mean():.2f}."
    )
    assert "best is 90.0% at layer 2" in str(plates["probes"].alt)
    assert "12 of 24" in str(plates["masked_patches"].alt).replace(" positions", "")
    assert "6 of 24 patches hold 60%" in str(plates["attention_on_photo"].alt)
    assert "the frame at 0.16 s" in str(plates["attention_on_spectrogram"].alt)


def test_every_kind_has_its_sentences_and_a_sample(plates: dict[str, Plate]) -> None:
    assert set(MISLEADS) == set(ALTERNATIVES) == set(KINDS)
    assert {figure.kind for figure in plates.values()} == set(KINDS)
    assert all(text.endswith(".") and "\n" not in text for text in (*MISLEADS.values(), *ALTERNATIVES.values()))


def test_sentences_can_be_said_in_another_language() -> None:
    phrase = Phrase("{n} items, {share:.0%}", {"n": 3, "share": 0.5})
    assert phrase.said() == "3 items, 50%"
    assert phrase.said({"{n} items, {share:.0%}": "{share:.1%} / {n}"}.__getitem__) == "50.0% / 3"


def test_a_statement_as_pairs_caption_and_json() -> None:
    told = Statement(
        model="m", layers=(0, 1, 2, 3), heads=(2,), n=7, p=(8, 8), seed=0, limits=(-0.5, 1), more={"chance": 0.125}
    )
    assert dict(told.pairs()) == {
        "model": "m",
        "layers": "0\u20133",
        "heads": "2",
        "n": "7",
        "p": "8",
        "seed": "0",
        "limits": "\u22120.5 to 1",
        "chance": "0.125",
    }
    assert told.caption() == "  \u00b7  ".join(
        ["m", "layer 0\u20133", "head 2", "n = 7", "p = 8", "seed 0", "chance 0.125"]
    )
    assert max(len(line) for line in told.caption(20).splitlines()) <= 20
    assert told.caption(20).replace("\n", "  \u00b7  ") == told.caption()
    assert told.to_dict()["limits"] == (-0.5, 1)
    assert Statement(heads=(0,)).caption() == "head mean"
    assert Statement().pairs() == ()
    assert Statement().to_dict() == {}
    assert [number(value) for value in (2, 2.0, 0.12345, "a b")] == ["2", "2", "0.123", "a b"]


def texts(figure: Figure) -> list[str]:
    from matplotlib.text import Text

    save_figure(figure, "png", dpi=20)  # ticks get their labels when they are drawn
    return [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]


@pytest.mark.parametrize("name", SAMPLES)
def test_no_sentences_and_no_letters_without_a_shape_in_a_figure(name: str, plates: dict[str, Plate]) -> None:
    for text in texts(plates[name]):
        assert not re.search(r"\w{2,}\. |\w{3,}\.$", text), text
        assert all(drawable(line) == line for line in text.split("\n"))


def test_letters_that_the_font_lacks_become_boxes() -> None:
    assert drawable("a\u4e2d\u6587 \u03b1\u2212\n") == "a\u25a1\u25a1 \u03b1\u2212\u21b5"
    assert drawable("  ") == "\u2423\u2423"
    assert drawable("") == ""


def test_dollars_in_tokens_are_no_formula() -> None:
    tokens = ["$x$", "$\\frac{1}", "_^{"]
    figure = attention_matrix(np.eye(3), tokens, statement=Statement(model="$a_b$"))
    assert {*tokens, "$a_b$  \u00b7  n = 3"} <= set(texts(figure))
    masked = masked_tokens(tokens, np.array([True, False, True]), shown=["$y$"] * 3)
    assert save_figure(masked, "svg").count(b"$y$") == 2


def colour_limits(figure: Figure) -> set[tuple[float, float]]:
    return {image.get_clim() for axes in figure.axes for image in axes.get_images()}


@pytest.mark.parametrize("measure", MEASURES)
def test_a_measure_has_one_scale_whatever_its_values(measure: Any) -> None:
    one, null = samples.comparison(measure, 0.01), samples.shuffled(measure)
    assert colour_limits(layer_matrix(one, null=null)) == {LIMITS[measure]}
    assert layer_matrix(one).statement.limits == LIMITS[measure]
    assert LIMITS["cka"] == LIMITS["mutual_knn"] == (0, 1)


def test_differences_are_symmetric_and_have_the_roles_colours() -> None:
    values = np.array([[0.1, -0.4], [0.0, 0.2]])
    assert colour_limits(attention_matrix(values, ["a", "b"], difference=True)) == {(-0.4, 0.4)}
    assert symmetric(np.zeros(3)) == (-1, 1)
    assert symmetric(np.full(3, np.nan)) == (-1, 1)
    colours = differences()
    student, teacher = colours(0.75, bytes=True), colours(0.25, bytes=True)
    assert np.abs(np.array(student[:3], int) - STUDENT).max() <= 2
    assert np.abs(np.array(teacher[:3], int) - TEACHER).max() <= 2
    assert min(colours(0.5, bytes=True)[:3]) > 240


def test_magnitudes_get_lighter_all_the_way() -> None:
    shades = magnitudes()(np.linspace(0, 1, 32))[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(shades) > 0).all()


def test_heads_share_a_scale_or_say_that_they_do_not() -> None:
    layers = list(samples.attention())
    shared, own = attention_grid(layers), attention_grid(layers, scale_by="head")
    largest = max(float(layer.max()) for layer in layers)
    assert shared.statement.limits == pytest.approx((0, largest))
    assert own.statement.limits is None
    assert any("each head to its largest" in text for text in texts(own))
    assert not any("each head" in text for text in texts(shared))


def test_values_are_printed_short() -> None:
    shown = [short(value) for value in (1.0, 0.934, -0.041, -0.001, 0.0, np.nan, -1.0)]
    assert shown == [
        "1.0", ".93", "\u2212.04", ".00", ".00", "\u2013", "\u22121.0",
    ]  # fmt: skip


def test_what_is_below_the_scale_or_undefined_is_printed_as_it_is() -> None:
    assert {"\u2212.04", "\u2013"} <= set(texts(layer_matrix(samples.shuffled())))


def test_the_same_label_has_the_same_look_on_every_map() -> None:
    figure = layouts([samples.layout(0), samples.layout(1)], ["a", "b"], ["cat", "dog"] * 12)
    looks = [[str(points.get_facecolor()) for points in axes.collections] for axes in figure.axes]
    assert looks[0] == looks[1]
    assert len(set(looks[0])) == 2
    assert any("T 0.85   C 0.97" in text for text in texts(figure))


def test_many_labels_do_not_flood_the_legend() -> None:
    labels = [f"class {index}" for index in range(24)]
    one = samples.layout(0)
    both = replace(one, points=np.concatenate([one.points, one.points]))
    figure = layouts([both], ["map"], labels + [f"kind {index}" for index in range(24)])
    (legend,) = figure.legends
    assert len(legend.get_texts()) == 24
    assert legend.get_texts()[-1].get_text() == "\u2026 48"


def test_settings_of_a_map_are_stated() -> None:
    stated = layouts([samples.layout(0, "tsne")], ["map"], statement=SAID).statement
    assert (stated.estimator, stated.seed, stated.n) == ("t-SNE", 3, 24)
    assert stated.more["perplexity"] == 8


def test_masked_places_have_one_look() -> None:
    from matplotlib.patches import Patch

    for name in ("masked_waveform", "masked_tokens", "masked_patches", "masked_errors"):
        patches = [patch for axes in SAMPLES[name]().axes for patch in axes.patches]
        assert {patch.get_hatch() for patch in patches if isinstance(patch, Patch)} - {None} == {"////"}, name


def test_inputs_stay_as_they_were() -> None:
    layers = samples.attention()
    before = layers.copy()
    attention_grid(list(layers), scale_by="head")
    assert np.array_equal(layers, before)
    picture = samples.photo()
    attention_on_photo(picture, samples.weights())
    assert picture.tobytes() == samples.photo().tobytes()


def test_statements_of_the_caller_are_kept_and_added_to() -> None:
    stated = layer_matrix(samples.comparison(), statement=SAID).statement
    assert dataclasses.replace(stated, n=None, p=(), estimator="", layers=(), limits=None, more={}) == SAID
    assert (stated.n, stated.p, stated.estimator, stated.layers) == (60, (24, 24), "linear CKA, debiased", (0, 1, 2, 3))


def test_a_notebook_shows_a_figure_without_a_backend() -> None:
    assert SAMPLES["spectrum"]()._repr_png_().startswith(b"\x89PNG")


def test_sentences_need_no_matplotlib_and_figures_no_pyplot() -> None:
    code = (
        "import sys, analysis.figures.statement\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from tests.figure_samples import SAMPLES\n"
        "SAMPLES['layer_matrix']()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


REFUSED = {
    "attention_grid": (lambda: attention_grid([]), "layers: expected"),
    "heads that differ": (lambda: attention_grid([np.ones((2, 3, 3)), np.ones((1, 3, 3))]), r"\(2, 3, 3\)"),
    "names": (lambda: attention_matrix(np.eye(3), ["a"]), r"weights: expected \(1, 1\)"),
    "query": (lambda: attention_matrix(np.eye(2), ["a", "b"], query=2), "query=2: there are 2"),
    "photo": (lambda: attention_on_photo(samples.photo(), np.ones(4)), "weights: expected"),
    "photo's query": (lambda: attention_on_photo(samples.photo(), samples.weights(), query=(4, 0)), "4 rows"),
    "sound": (lambda: attention_on_spectrogram(np.ones(3), np.ones(3), seconds=1), "expected"),
    "frame": (lambda: attention_on_spectrogram(np.ones((2, 3)), np.ones(3), seconds=1, query=3), "query=3"),
    "measures": (lambda: head_measures({}), "measures: expected"),
    "null": (lambda: layer_matrix(samples.comparison(), null=samples.comparison("cosine")), "null: expected cka"),
    "no curves": (lambda: layer_curves([]), "comparisons: expected"),
    "lone null": (
        lambda: layer_curves([samples.comparison()], nulls=[samples.comparison("cosine")]),
        "nulls: of .'cosine'.",
    ),
    "unknown": (lambda: layer_geometry({"size": {"student": [1.0]}}), "measures: expected"),  # type: ignore[dict-item]
    "uneven": (
        lambda: layer_geometry({"spread": {"student": [1.0], "teacher": [1.0, 2.0]}}),
        "a value for each layer",
    ),
    "no spectrum": (lambda: spectrum({}), "variances: expected"),
    "no probes": (lambda: probes({}, test_items=1, chance=0.1), "accuracies: expected"),
    "titles": (lambda: layouts([samples.layout(0)], []), "found: expected"),
    "labels": (lambda: layouts([samples.layout(0)], ["a"], ["x"]), "labels: expected 24"),
    "chosen": (lambda: layouts([samples.layout(0)], ["a"], chosen=24), "chosen=24"),
    "tokens": (lambda: masked_tokens(["a"], samples.is_masked()), "one of each"),
    "patches": (lambda: masked_patches(samples.photo(), samples.is_masked()), "is_masked: expected"),
    "grid": (lambda: target_tiles(samples.target(), 4, grid=(5, 5)), "24 positions"),
    "depth": (lambda: target_tiles(samples.target(), 2), "depth=2: the target has 3"),
    "predictions": (lambda: target_tiles(samples.target(), 4, predictions=np.ones((1, 6))), "predictions: expected"),
    "errors": (lambda: masked_errors(samples.errors(), samples.is_masked(10)), "errors: 12 for"),
    "runs": (lambda: training({}), "recordings: expected"),
    "no runs": (lambda: training_maps({}), "recordings: expected"),
    "moments": (lambda: training_maps({"a": samples.recording()}, [9]), r"moments=.9.: the shortest run has 7"),
    "moment": (lambda: training({"a": samples.recording()}, moment=7), "moment=7: the shortest has 7"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused(case: str) -> None:
    draw, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        draw()
