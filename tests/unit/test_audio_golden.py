"""The speech models against numbers that the transformers library left in small files, without that library."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

import data2vec_core
from data2vec_core.checkpoints.loading import CheckpointWarning, to_public_name

GOLDEN = Path(__file__).parents[1] / "golden"
FOLDERS = sorted(GOLDEN.glob("audio-*/*/"))


def test_golden_files_are_there() -> None:
    assert len(FOLDERS) == 5


@pytest.mark.parametrize("folder", FOLDERS, ids=[f"{folder.parent.name} {folder.name}" for folder in FOLDERS])
def test_golden_numbers(folder: Path) -> None:
    stored = load_file(folder / "expected.safetensors")
    inputs = {name.removeprefix("input."): tensor for name, tensor in stored.items() if name.startswith("input.")}
    with warnings.catch_warnings():
        warnings.simplefilter("error", CheckpointWarning)
        model: Any = getattr(data2vec_core, folder.name).from_pretrained(folder)
    result = model(**inputs, output_hidden_states=True, output_attentions=True)
    loss = result.last_hidden_state.square().mean() if "loss" not in result.keys() else result.loss  # noqa: SIM118
    loss.backward()
    parameters = {to_public_name(model, name): parameter for name, parameter in model.named_parameters()}
    seen = set()
    for name, expected in stored.items():
        field, _, rest = name.partition(".")
        if field == "input":
            continue
        result_value = result[field] if field in result.keys() else parameters[rest].grad  # noqa: SIM118
        ours = result_value[int(rest)] if isinstance(result_value, tuple) else result_value
        tolerance = 1e-4 if field in ("loss", "gradient") else 1e-5
        assert (ours - expected).abs().max() <= tolerance * expected.abs().max(), name
        seen.add(field)
    assert seen == {*result.keys(), "gradient"}
