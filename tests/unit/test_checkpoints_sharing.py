"""Several tasks on one encoder: what is left out of a folder, and how it comes together again."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from data2vec_core import (
    Data2VecAudioForCTC,
    Data2VecAudioModel,
    Data2VecVisionForSemanticSegmentation,
    Data2VecVisionModel,
)
from data2vec_core.checkpoints import source
from data2vec_core.checkpoints.card import Card
from data2vec_core.checkpoints.errors import CheckpointError, NoTeacherError
from data2vec_core.checkpoints.loading import CheckpointWarning
from data2vec_core.checkpoints.sharing import share_backbone
from data2vec_core.checkpoints.source import open_checkpoint
from data2vec_core.presets import PRESETS
from data2vec_core.processing.audio import SpeechFeatureExtractor

AUDIO: Any = PRESETS["audio-tiny"]


def change_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


@pytest.fixture
def sharing(tmp_path: Path) -> Path:
    """`task`, whose encoder is in `encoder`."""
    Data2VecAudioModel(AUDIO).save_pretrained(tmp_path / "encoder")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CheckpointWarning)
        task = Data2VecAudioForCTC.from_pretrained(tmp_path / "encoder")
    task.save_pretrained(tmp_path / "task")
    Card(name="task", modality="audio", task="transcription").save(tmp_path / "task")
    return tmp_path


def test_tasks_share_an_encoder(sharing: Path) -> None:
    whole = Data2VecAudioForCTC.from_pretrained(sharing / "task").state_dict()
    share_backbone(sharing / "task", "../encoder")
    assert sorted(load_file(sharing / "task" / "model.safetensors")) == ["lm_head.bias", "lm_head.weight"]
    assert Card.load(sharing / "task").backbone == "../encoder"
    loaded = Data2VecAudioForCTC.from_pretrained(sharing / "task")
    assert loaded.load_report is not None
    assert loaded.load_report.sentences() == []
    assert all(torch.equal(tensor, whole[name]) for name, tensor in loaded.state_dict().items())


def test_a_borrowed_encoder_may_have_a_pooler_more(tmp_path: Path) -> None:
    """Of one's own file it is worth a word: a part is left behind. Of another's encoder it is not."""
    config: Any = PRESETS["vision-tiny"]
    Data2VecVisionModel(config, add_pooling_layer=True).save_pretrained(tmp_path / "encoder")
    assert "pooler.layernorm.weight" in load_file(tmp_path / "encoder" / "model.safetensors")
    with pytest.warns(CheckpointWarning) as said:
        task = Data2VecVisionForSemanticSegmentation.from_pretrained(tmp_path / "encoder")
    assert any("not in the model: pooler" in str(one.message) for one in said)
    task.save_pretrained(tmp_path / "task")
    Card(name="task", modality="vision", task="image-segmentation").save(tmp_path / "task")
    assert share_backbone(tmp_path / "task", "../encoder")
    loaded = Data2VecVisionForSemanticSegmentation.from_pretrained(tmp_path / "task")
    assert loaded.load_report is not None
    assert loaded.load_report.sentences() == []


def test_a_tuned_layer_stays_with_its_task(sharing: Path) -> None:
    name = "data2vec_audio.encoder.layers.2.attention.k_proj.weight"
    change_tensors(sharing / "task", lambda tensors: tensors[name].mul_(2))
    whole = Data2VecAudioForCTC.from_pretrained(sharing / "task").state_dict()
    share_backbone(sharing / "task", "../encoder")
    assert name in load_file(sharing / "task" / "model.safetensors")
    loaded = Data2VecAudioForCTC.from_pretrained(sharing / "task").state_dict()
    assert all(torch.equal(tensor, whole[name]) for name, tensor in loaded.items())


def test_processors_that_are_the_same_are_kept_once(sharing: Path) -> None:
    for name in ("encoder", "task"):
        SpeechFeatureExtractor(do_normalize=False).save_pretrained(sharing / name)
    share_backbone(sharing / "task", "../encoder")
    assert not (sharing / "task" / "preprocessor_config.json").exists()
    assert SpeechFeatureExtractor.from_pretrained(sharing / "task").do_normalize is False
    SpeechFeatureExtractor(do_normalize=True).save_pretrained(sharing / "task")  # its own comes first
    assert SpeechFeatureExtractor.from_pretrained(sharing / "task").do_normalize is True


def test_processors_that_differ_stay_with_their_task(sharing: Path) -> None:
    for name, is_normalised in (("encoder", True), ("task", False)):
        SpeechFeatureExtractor(do_normalize=is_normalised).save_pretrained(sharing / name)
    share_backbone(sharing / "task", "../encoder")
    assert (sharing / "task" / "preprocessor_config.json").exists()
    assert SpeechFeatureExtractor.from_pretrained(sharing / "task").do_normalize is False


def test_backbones_that_need_each_other_are_refused_for_processors_too(sharing: Path) -> None:
    Card(name="encoder", modality="audio", task="pretraining", backbone="../task").save(sharing / "encoder")
    Card(name="task", modality="audio", task="transcription", backbone="../encoder").save(sharing / "task")
    with pytest.raises(CheckpointError, match="needs itself"):
        SpeechFeatureExtractor.from_pretrained(sharing / "task")


def test_a_task_with_fewer_blocks_takes_no_more_of_its_backbone(sharing: Path) -> None:
    Data2VecAudioForCTC.from_pretrained(sharing / "task", num_hidden_layers=1).save_pretrained(sharing / "task")
    share_backbone(sharing / "task", "../encoder")
    loaded = Data2VecAudioForCTC.from_pretrained(sharing / "task")
    assert loaded.config.num_hidden_layers == 1
    assert loaded.load_report is not None
    assert loaded.load_report.sentences() == []


def test_nothing_is_shared_with_a_backbone_that_is_another(sharing: Path) -> None:
    change_tensors(sharing / "encoder", lambda tensors: [tensor.add_(1) for tensor in tensors.values()])
    before = {file.name: file.read_bytes() for file in (sharing / "task").iterdir()}
    for file in (sharing / "encoder").glob("*processor*"):
        file.unlink()
    assert not share_backbone(sharing / "task", "../encoder")
    assert {file.name: file.read_bytes() for file in (sharing / "task").iterdir()} == before


def test_an_encoder_that_learnt_on_can_still_leave_the_processors_files_to_its_backbone(sharing: Path) -> None:
    SpeechFeatureExtractor().save_pretrained(sharing / "encoder")
    SpeechFeatureExtractor().save_pretrained(sharing / "task")
    whole = Data2VecAudioForCTC.from_pretrained(sharing / "task").state_dict()
    change_tensors(sharing / "encoder", lambda tensors: [tensor.add_(1) for tensor in tensors.values()])
    shutil.copy(sharing / "encoder" / "model.safetensors", sharing / "encoder" / "teacher.safetensors")
    assert share_backbone(sharing / "task", "../encoder")
    assert not list((sharing / "task").glob("*processor*"))
    assert SpeechFeatureExtractor.from_pretrained(sharing / "task").sampling_rate == 16_000
    loaded = Data2VecAudioForCTC.from_pretrained(sharing / "task").state_dict()
    assert all(torch.equal(tensor, whole[name]) for name, tensor in loaded.items())
    with pytest.raises(NoTeacherError, match="learnt on"):
        source.open_checkpoint(sharing / "task").read_tensors("teacher")


def test_a_backbone_may_be_a_bundled_model(sharing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data2vec_core.checkpoints.backbone.BUNDLED_FOLDER", sharing)
    monkeypatch.setattr(source, "BUNDLED_FOLDER", sharing)
    whole = Data2VecAudioForCTC.from_pretrained("task").state_dict()
    (sharing / "away").mkdir()
    other = sharing / "away" / "other"
    (sharing / "task").rename(other)
    share_backbone(other, "encoder")
    assert all(
        torch.equal(t, whole[name]) for name, t in Data2VecAudioForCTC.from_pretrained(other).state_dict().items()
    )


def test_a_backbone_that_needs_itself_is_refused(sharing: Path) -> None:
    Card(name="task", modality="audio", task="transcription", backbone="../encoder").save(sharing / "task")
    Card(name="encoder", modality="audio", task="pretraining", backbone="../task").save(sharing / "encoder")
    with pytest.raises(CheckpointError, match="needs itself as its backbone"):
        Data2VecAudioForCTC.from_pretrained(sharing / "task")


@pytest.mark.parametrize(("backbone", "expected"), [("../gone", "neither a folder there"), ("/tmp", "leads out of it")])
def test_a_backbone_that_is_not_there_is_said(backbone: str, expected: str, sharing: Path) -> None:
    Card(name="task", modality="audio", task="transcription", backbone=backbone).save(sharing / "task")
    with pytest.raises(CheckpointError, match=expected):
        Data2VecAudioForCTC.from_pretrained(sharing / "task")


def test_a_bundled_name_is_found(sharing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "BUNDLED_FOLDER", sharing)
    assert open_checkpoint("encoder").folder == sharing / "encoder"
    with pytest.raises(CheckpointError, match="this is a 'data2vec-audio' configuration"):
        Data2VecVisionModel.from_pretrained("encoder")
