"""The text models against numbers that the transformers library left in small files, without that library.

Those of 4.57.6 are the only guard of the relative position forms, which 5.x no longer has.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

import data2vec_core
from data2vec_core.checkpoints.loading import CheckpointWarning, to_public_name

GOLDEN = Path(__file__).parents[1] / "golden"
FOLDERS = sorted(GOLDEN.glob("text-*/*/"))


def test_golden_files_are_there() -> None:
    assert len(FOLDERS) == 7 + 4


@pytest.mark.parametrize("folder", FOLDERS, ids=[f"{folder.parent.name} {folder.name}" for folder in FOLDERS])
def test_golden_numbers(folder: Path) -> None:
    stored = load_file(folder / "expected.safetensors")
    inputs = {name.removeprefix("input."): tensor for name, tensor in stored.items() if name.startswith("input.")}
    class_name, _, form = folder.name.partition("-")
    with warnings.catch_warnings():
        warnings.simplefilter("error", CheckpointWarning)
        model: Any = getattr(data2vec_core, class_name).from_pretrained(folder)
    assert model.config.position_embedding_type == (form or "absolute")
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
        assert (ours - expected).abs().max() <= 1e-5 * expected.abs().max(), name
        seen.add(field)
    assert {"hidden_states", "attentions", "gradient"} < seen
    assert ("encoder.layer.0.attention.self.distance_embedding" in " ".join(stored)) == bool(form)
