"""Our models against numbers that the transformers library left in small files, without that library.

Those of 4.57.6 guard what 5.x no longer does: the relative positions of text, the old names of the segmentation head,
and a training pass that drops every layer and then mixes them.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

import data2vec_core
from data2vec_core.checkpoints.loading import CheckpointWarning

FOLDERS = sorted((Path(__file__).parents[1] / "golden").glob("*/*/"))
STATES = ("extract_features", "last_hidden_state", "hidden_states", "attentions")
"""What the layers computed, held to 1e-5; answers, losses and gradients go through the whole model, to 1e-4."""


def test_golden_files_are_all_there_and_small() -> None:
    assert sorted(folder.parent.name for folder in FOLDERS) == ["4.57.6"] * 6 + ["5.23.0"] * 15
    assert all(path.stat().st_size < 100_000 for folder in FOLDERS for path in folder.iterdir())


def own_name(model: Any, public_name: str) -> str:
    """Our name of a tensor that a file, of either version, calls `public_name`."""
    table = model.key_table
    in_backbone = model.base_model is not model and public_name.startswith(table.prefix)
    return ("backbone." if in_backbone else "") + table.to_own(public_name.removeprefix(table.prefix))


@pytest.mark.parametrize("folder", FOLDERS, ids=[f"{folder.parent.name} {folder.name}" for folder in FOLDERS])
def test_golden_numbers(folder: Path) -> None:
    stored = load_file(folder / "expected.safetensors")
    inputs = {name.removeprefix("input."): tensor for name, tensor in stored.items() if name.startswith("input.")}
    class_name, _, form = folder.name.partition("-")
    with warnings.catch_warnings():
        warnings.simplefilter("error", CheckpointWarning)
        model: Any = getattr(data2vec_core, class_name).from_pretrained(folder)
    drops_layers = form == "layerdrop"
    model.train(drops_layers)
    result = model(**inputs, output_hidden_states=True, output_attentions=not drops_layers)
    loss = result.last_hidden_state.square().mean() if "loss" not in result.keys() else result.loss  # noqa: SIM118
    loss.backward()
    parameters = dict(model.named_parameters())
    seen = []
    for name, expected in stored.items():
        field, _, rest = name.partition(".")
        if field == "input":
            continue
        value = parameters[own_name(model, rest)].grad if field == "gradient" else result[field]
        ours = value[int(rest)] if isinstance(value, tuple) else value
        tolerance = 1e-5 if field in STATES else 1e-4
        assert ours.shape == expected.shape, name
        assert (ours - expected).abs().max() <= tolerance * expected.abs().max(), name
        seen.append(field)
    assert {*seen} == {*result.keys(), "gradient"} - {"cross_attentions"}  # which are empty in every case
    assert seen.count("hidden_states") == model.config.num_hidden_layers + 1
    assert seen.count("attentions") == (0 if drops_layers else model.config.num_hidden_layers)


@pytest.mark.parametrize("form", ["relative_key", "relative_key_query"])
def test_relative_positions_have_their_gradients(form: str) -> None:
    """One table a layer; without them the files would guard nothing."""
    for folder in (folder for folder in FOLDERS if folder.name.endswith(f"-{form}")):
        names = [name for name in load_file(folder / "expected.safetensors") if "distance_embedding" in name]
        assert len(names) == 2
