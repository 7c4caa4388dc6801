"""Method and predictor on disk: what was saved predicts the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from data2vec_core.checkpoints.errors import CheckpointError, NoTeacherError
from data2vec_core.checkpoints.files import TEACHER_FILE
from data2vec_core.pretraining.decoder import ConvDecoder
from data2vec_core.pretraining.masking import InverseBlocks
from data2vec_core.pretraining.modalities import build_pretraining
from data2vec_core.pretraining.model import Data2VecPretraining
from data2vec_core.pretraining.presets import PUBLISHED
from data2vec_core.pretraining.saved import METHOD_FILE, PREDICTOR_FILE, load_method, save_method
from data2vec_core.pretraining.start import load_pretraining
from recipes.backbones.begin import BACKBONES
from tests.pretraining_samples import MODALITIES, seeded, tiny_batch, tiny_method, tiny_pretraining, tiny_student

METHODS = {name: preset.method for name, preset in PUBLISHED.items()} | {
    f"bundled {name}": backbone.method for name, backbone in BACKBONES.items()
}


def economical() -> Data2VecPretraining:
    """Vision with visible patches alone and a decoder without noise, so that two passes give the same."""
    method = tiny_method(
        "vision",
        masking=InverseBlocks(kept=0.5),
        decoder=ConvDecoder(width=32, layers=2, groups=4, noise=0.0),
    )
    return build_pretraining(tiny_student("vision", use_mask_token=False), method)


@pytest.mark.parametrize("name", METHODS)
def test_methods_come_back_equal(name: str, tmp_path: Path) -> None:
    save_method(METHODS[name], tmp_path)
    assert load_method(tmp_path) == METHODS[name]


@pytest.mark.parametrize("modality", [*MODALITIES, "vision with a decoder"])
def test_what_was_saved_predicts_the_same(modality: str, tmp_path: Path) -> None:
    torch.manual_seed(2)
    before = economical() if "decoder" in modality else tiny_pretraining(modality)
    with torch.no_grad():
        for parameter in before.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    before.save_pretrained(tmp_path)
    after = load_pretraining(tmp_path)
    assert not after.training
    batch = tiny_batch(modality.split()[0])
    with torch.no_grad():
        ours, theirs = before.eval()(batch, seeded()), after(batch, seeded())
    torch.testing.assert_close(theirs.predictions, ours.predictions)
    torch.testing.assert_close(theirs.targets, ours.targets)
    assert ours.predictions.std() > 0


def test_missing_and_foreign_files_are_named(tmp_path: Path) -> None:
    tiny_pretraining("text").save_pretrained(tmp_path)
    predictor = (tmp_path / PREDICTOR_FILE).read_bytes()
    method = json.loads((tmp_path / METHOD_FILE).read_text())

    (tmp_path / PREDICTOR_FILE).unlink()
    with pytest.raises(CheckpointError, match=PREDICTOR_FILE):
        load_pretraining(tmp_path)
    (tmp_path / PREDICTOR_FILE).write_bytes(predictor)

    (tmp_path / METHOD_FILE).write_text(json.dumps(method | {"head": "linear"}))
    with pytest.raises(CheckpointError, match="another method"):
        load_pretraining(tmp_path)
    (tmp_path / METHOD_FILE).write_text(json.dumps(method | {"masking": {"kind": "Confetti"}}))
    with pytest.raises(CheckpointError, match="Confetti"):
        load_pretraining(tmp_path)
    (tmp_path / METHOD_FILE).write_text(json.dumps(method | {"surprise": 1}))
    with pytest.raises(CheckpointError, match="surprise"):
        load_pretraining(tmp_path)
    (tmp_path / METHOD_FILE).unlink()
    with pytest.raises(CheckpointError, match=METHOD_FILE):
        load_pretraining(tmp_path)


def test_a_student_alone_is_not_enough(tmp_path: Path) -> None:
    tiny_pretraining("audio").save_pretrained(tmp_path)
    (tmp_path / TEACHER_FILE).unlink()
    with pytest.raises(NoTeacherError, match=TEACHER_FILE):
        load_pretraining(tmp_path)
