"""The vision models against numbers that the transformers library left in small files, without that library.

Among them is a segmentation checkpoint of 4.57.6, whose decode head 5.x itself reads as missing (data2vec.md 3.3).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import data2vec_core
from data2vec_core.checkpoints.loading import CheckpointWarning

GOLDEN = Path(__file__).parents[1] / "golden"
FOLDERS = sorted(GOLDEN.glob("vision-*/*/"))


def test_golden_files_are_there() -> None:
    assert len(FOLDERS) == 6


@pytest.mark.parametrize("folder", FOLDERS, ids=[f"{folder.parent.name} {folder.name}" for folder in FOLDERS])
def test_golden_numbers(folder: Path) -> None:
    stored = load_file(folder / "expected.safetensors")
    inputs = {name.removeprefix("input."): tensor for name, tensor in stored.items() if name.startswith("input.")}
    with warnings.catch_warnings():
        warnings.simplefilter("error", CheckpointWarning)
        model: Any = getattr(data2vec_core, folder.name).from_pretrained(folder)
    with torch.no_grad():
        result = model(**inputs, output_hidden_states=True, output_attentions=True)
    seen = 0
    for name, expected in stored.items():
        field, _, index = name.partition(".")
        if field == "input":
            continue
        ours = result[field][int(index)] if index else result[field]
        assert (ours - expected).abs().max() <= 1e-4 * expected.abs().max(), name
        seen += 1
    assert seen == len(result.keys()) - 2 + 5 + 4  # the plain fields, five states, four attentions
