"""One small figure of each kind, of numbers that follow from formulas alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image

from analysis.attention import HeadKind
from analysis.dimension import Decay
from analysis.figures.attention import attention_grid, attention_matrix, head_measures
from analysis.figures.comparison import layer_curves, layer_matrix
from analysis.figures.geometry import layer_geometry, probes, spectrum
from analysis.figures.maps import layouts
from analysis.figures.places import (
    attention_on_photo,
    attention_on_spectrogram,
    masked_patches,
    masked_tokens,
    masked_waveform,
)
from analysis.figures.plate import Plate
from analysis.figures.replay import training, training_maps
from analysis.figures.stage import masked_errors, target_tiles
from analysis.figures.statement import Statement
from analysis.layer_comparison import LayerComparison, Measure
from analysis.layouts import Layout
from analysis.masked_prediction import Errors, Target
from analysis.recordings import About, Recording
from data2vec_core.pretraining.targets import TargetRule

SAID = Statement(model="tiny", role="student", tensor="block output", items="sample", seed=0)
TOKENS = ("<s>", "I", " paid", " $", "5", " $", "\u4e2d", "</s>")


def attention(layers: int = 2, heads: int = 3, positions: int = 8, turn: float = 0.0) -> np.ndarray:
    """(layers, heads, query, key): diagonals of different width, rows summing to 1."""
    at = np.arange(positions)
    width = (1 + np.arange(layers))[:, None, None, None] * (1 + np.arange(heads))[None, :, None, None] + turn
    raw = np.exp(-np.abs(at[:, None] - at) / width)
    return raw / raw.sum(axis=-1, keepdims=True)


def comparison(measure: Measure = "cka", fall: float = 0.15, chance: float | None = 0.0) -> LayerComparison:
    """Four layers a side, the less alike the further apart."""
    at = np.arange(4)
    matrix = 1 - fall * np.abs(at[:, None] - at) - 0.05 * at
    layers = (0, 1, 2, 3)
    estimator = "linear CKA, debiased" if measure == "cka" else measure
    return LayerComparison(matrix, measure, layers, layers, 60, (24, 24), estimator, chance)


def shuffled(measure: Measure = "cka") -> LayerComparison:
    """Values around 0, one below it and one undefined."""
    matrix = np.full((4, 4), 0.02)
    matrix[1, 2], matrix[3, 3] = -0.04, np.nan
    return replace(comparison(measure), matrix=matrix)


def photo() -> Image.Image:
    """Squares of several colours, 48 by 32 pixels."""
    rows, columns = np.mgrid[:32, :48] // 8
    return Image.fromarray(np.stack([40 * columns, 60 * rows, 128 + 0 * rows], axis=-1).astype(np.uint8))


def weights() -> np.ndarray:
    """(4, 6) attention of one query over the photo's patches."""
    rows, columns = np.mgrid[:4, :6]
    raw = np.exp(-((rows - 1) ** 2 + (columns - 2) ** 2) / 2.0)
    return raw / raw.sum()


def is_masked(positions: int = 24) -> np.ndarray:
    return np.arange(positions) % 7 >= 3


def target(positions: int = 24, top: int = 3) -> Target:
    """Waves, shifted a little from layer to layer."""
    phase = np.arange(positions)[None, :, None] / 4 + np.arange(top)[:, None, None] / 5
    tiles = np.sin(phase + np.arange(6)[None, None]).astype(np.float32)
    return Target(TargetRule(top_layers=top, tensor="hidden", layer_norm="layer"), tiles, tiles.mean(axis=0))


def errors(positions: int = 24) -> Errors:
    count = int(is_masked(positions).sum())
    at = np.arange(count, dtype=np.float64)
    error, cosine = np.multiply(at, 0.05) + 0.2, 0.9 - np.multiply(at, 0.06)
    return Errors(error, cosine, (1 + at**2 % 11).astype(np.int64), 1 / positions)


def layout(turn: float, method: str = "pca") -> Layout:
    """Two groups, turned."""
    at = np.arange(24)
    angle = 0.4 * at + turn
    points = np.stack([np.cos(angle) + 3 * (at % 2), np.sin(angle)], axis=-1).astype(np.float32)
    settings: dict[str, float | int | str] = {"explained": 0.61} if method == "pca" else {"perplexity": 8.0, "seed": 3}
    return Layout(points, method, settings, 0.95 - turn / 10, 0.97, 10)  # type: ignore[arg-type]


def recording(tau: float = 0.99) -> Recording:
    """Seven moments of a run."""
    moments = np.arange(7, dtype=np.float32)
    both = np.stack([moments, moments + 1], axis=1)
    corners = np.array([[1, 0], [0, 1], [-1, 0], [0, -1], [1, 1], [-1, -1]])
    about = About(
        title="sample",
        description="",
        trained_on="",
        licence="",
        model="2 blocks",
        method={},
        settings={"seed": 5},
        layer=2,
        classes=("a", "b"),
        knn_items=40,
        knn_chance=0.5,
        attention_input="",
        grid=(2, 2),
    )
    return Recording(
        about=about,
        steps=(100 * moments).astype(np.int32),
        tau=np.full(7, tau, np.float32),
        loss=np.exp(-moments / 3),
        target_spread=np.ones(7, np.float32),
        prediction_spread=1 - np.exp(-moments / 2),
        effective_rank=4 + both,
        knn=(0.5 + both / 20).astype(np.float32),
        cka=np.stack([1 - moments / 20, 1 - moments / 30, 1 - moments / 40], axis=1),
        distance=np.stack([moments / 50, moments / 60], axis=1),
        labels=np.arange(6, dtype=np.uint8) % 2,
        positions=(corners * (1 + tau * both[:, None])).astype(np.float32),
        explained=np.full(7, 0.5, np.float32),
        attention=np.full((7, 2, 5, 5), 0.2, np.float32),
    )


_KINDS: list[list[HeadKind]] = [["diagonal", "global", "vertical"], ["global", "diagonal", "diagonal"]]
_RISE = np.array([0.3, 0.5, 0.7, 0.6])

SAMPLES: dict[str, Callable[[], Plate]] = {
    "attention_grid": lambda: attention_grid(list(attention()), kinds=_KINDS, statement=SAID),
    "attention_grid_by_head": lambda: attention_grid(list(attention()), scale_by="head", statement=SAID),
    "attention_grid_difference": lambda: attention_grid(
        list(attention() - attention(turn=1)), difference=True, statement=SAID
    ),
    "attention_matrix": lambda: attention_matrix(attention()[1, 2], TOKENS, query=2, statement=SAID),
    "attention_difference": lambda: attention_matrix(
        attention()[1, 2] - attention()[0, 1], TOKENS, difference=True, statement=SAID
    ),
    "attention_on_photo": lambda: attention_on_photo(photo(), weights(), query=(1, 2), statement=SAID),
    "attention_on_spectrogram": lambda: attention_on_spectrogram(
        np.sin(np.arange(40) / 3) * np.linspace(-60, 0, 16)[:, None],
        weights().ravel(),
        seconds=0.5,
        query=9,
        path=[(0.1, "H"), (0.3, "I")],
        statement=SAID,
    ),
    "head_measures": lambda: head_measures(
        {"distance (ms)": 20 * np.array([[1, 2, 3], [4, 6, 5]]), "entropy (nats)": np.array([[1, 2, 1], [2, 2.5, 1]])},
        uniform={"entropy (nats)": 2.8},
        kinds=_KINDS,
        statement=SAID,
    ),
    "layer_matrix": lambda: layer_matrix(comparison(), null=shuffled(), names=("student", "teacher"), statement=SAID),
    "layer_matrix_cosine": lambda: layer_matrix(comparison("cosine", 0.45), statement=SAID),
    "layer_curves": lambda: layer_curves(
        [comparison(), comparison("mutual_knn", chance=0.17), comparison("procrustes")],
        nulls=[shuffled()],
        statement=SAID,
    ),
    "layer_geometry": lambda: layer_geometry(
        {
            "effective_rank": {"student": 20 * _RISE, "untrained": 30 * _RISE},
            "anisotropy": {"student": 1 - _RISE},
            "uniformity": {"student": -3 * _RISE, "teacher": [-2.0, -3.0, np.nan, -3.5]},
        },
        statement=replace(SAID, n=100, p=(64,)),
    ),
    "spectrum": lambda: spectrum(
        {"0": 2 / np.arange(1, 31), "3": 5 / np.arange(1, 31) ** 1.5}, {"3": Decay(1.5, 2, 20)}, statement=SAID
    ),
    "probes": lambda: probes(
        {"kNN": {"student": _RISE, "teacher": _RISE + 0.1}, "linear probe": {"student": _RISE + 0.2}},
        test_items=120,
        chance=0.14,
        raw={"kNN": 0.25},
        statement=SAID,
    ),
    "layouts": lambda: layouts(
        [layout(0), layout(1)], ["layer 1", "layer 2"], ["cat", "dog"] * 12, chosen=3, statement=SAID
    ),
    "masked_waveform": lambda: masked_waveform(
        np.sin(np.arange(8000) / 40) * np.sin(np.arange(8000) / 900), 16000, is_masked(), statement=SAID
    ),
    "masked_tokens": lambda: masked_tokens(
        TOKENS, is_masked(8), shown=["<mask>"] * 4 + ["7", "<mask>", "x", "x"], statement=SAID
    ),
    "masked_patches": lambda: masked_patches(photo(), is_masked().reshape(4, 6), statement=SAID),
    "target_tiles": lambda: target_tiles(
        target(),
        4,
        predictions=target().vectors[is_masked()],
        is_masked=is_masked(),
        labels=[f"{0.02 * at:.2f}" for at in range(24)],
        unit="s",
        statement=replace(SAID, tensor=""),
    ),
    "target_tiles_photo": lambda: target_tiles(target(), 4, grid=(4, 6), statement=SAID),
    "masked_errors": lambda: masked_errors(errors(), is_masked(), statement=SAID),
    "masked_errors_photo": lambda: masked_errors(errors(), is_masked(), grid=(4, 6), statement=SAID),
    "training_maps": lambda: training_maps({"healthy": recording(), "tau 0": recording(0)}, [0, 3, 6], statement=SAID),
    "training": lambda: training({"healthy": recording(), "tau 0": recording(0)}, moment=3),
}
"""By name: a figure of every kind, and of each of its forms."""
