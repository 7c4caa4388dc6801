"""Layouts in which the transformers library keeps weights, or did: shards with an index, and torch files."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import data2vec_core
from data2vec_core.checkpoints.loading import CheckpointWarning
from data2vec_core.presets import PRESETS
from tests.clips import two_clips
from tests.parity.reference import assert_same_result, random_reference, transformers
from tests.text_samples import TINY as TEXT
from tests.text_samples import token_ids

MODELS: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "Data2VecAudioForCTC": ("audio-tiny", lambda: two_clips(padded=True)),
    "Data2VecTextForMaskedLM": ("text-tiny", lambda: token_ids(TEXT, 4, 11, padded=True)),  # a tied table and bias
    "Data2VecVisionForSemanticSegmentation": ("vision-tiny", lambda: {"pixel_values": torch.randn(2, 3, 32, 32)}),
}
"""Preset and inputs by class."""


def save_shards(reference: Any, folder: Path) -> None:
    reference.save_pretrained(folder, max_shard_size="40KB")
    assert len(list(folder.glob("model-*-of-*.safetensors"))) > 2
    assert not (folder / "model.safetensors").exists()


def save_torch_file(reference: Any, folder: Path) -> None:
    """5.x no longer writes this one; its state, tied tensors under both names, is what the older versions pickled."""
    reference.config.save_pretrained(folder)
    torch.save(reference.state_dict(), folder / "pytorch_model.bin")


def save_torch_shards(reference: Any, folder: Path) -> None:
    reference.config.save_pretrained(folder)
    state = reference.state_dict()
    files = {name: f"pytorch_model-0000{1 + index % 2}-of-00002.bin" for index, name in enumerate(state)}
    for file in set(files.values()):
        torch.save({name: tensor for name, tensor in state.items() if files[name] == file}, folder / file)
    index = {"metadata": {"total_size": 0}, "weight_map": files}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index), encoding="utf-8")


@pytest.mark.parametrize("save", [save_shards, save_torch_file, save_torch_shards])
@pytest.mark.parametrize("name", MODELS)
def test_reading(name: str, save: Any, tmp_path: Path) -> None:
    preset, make_inputs = MODELS[name]
    config: Any = PRESETS[preset]
    reference = random_reference(getattr(transformers, name), config)
    save(reference, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", CheckpointWarning)
        ours: Any = getattr(data2vec_core, name).from_pretrained(tmp_path)
    wanted = {"output_hidden_states": True, "output_attentions": True}
    inputs = make_inputs()
    with torch.no_grad():
        assert_same_result(ours(**inputs, **wanted), reference(**inputs, **wanted))
