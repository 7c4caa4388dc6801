"""Reading local folders, fitting what is in them to a model, and saying what was done."""

from __future__ import annotations

import json
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
    Data2VecTextForMaskedLM,
    Data2VecTextForSequenceClassification,
    Data2VecTextModel,
    Data2VecVisionForSemanticSegmentation,
)
from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.loading import CheckpointWarning
from data2vec_core.presets import PRESETS

TEXT: Any = PRESETS["text-tiny"]
AUDIO: Any = PRESETS["audio-tiny"]
VISION: Any = PRESETS["vision-tiny"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A text encoder with a classifier of two classes."""
    Data2VecTextForSequenceClassification(TEXT).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def change_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def change_config(folder: Path, **fields: Any) -> None:
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(values | fields))


def test_a_complete_load_has_nothing_to_say(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = Data2VecTextForSequenceClassification.from_pretrained(folder).load_report
    assert report is not None
    assert report.is_complete
    assert report.sentences() == []
    assert report.source == str(folder)


def test_a_fresh_head_is_named(tmp_path: Path) -> None:
    Data2VecAudioModel(AUDIO).save_pretrained(tmp_path)
    with pytest.warns(CheckpointWarning, match=r"initialised at random.*lm_head\.weight, lm_head\.bias"):
        model = Data2VecAudioForCTC.from_pretrained(tmp_path)
    assert model.load_report is not None
    assert model.load_report.initialised == ("lm_head.weight", "lm_head.bias")
    assert not model.load_report.is_complete
    assert 0.005 < model.lm_head.weight.std() < 0.05
    assert not model.lm_head.bias.any()


def test_left_over_tensors_are_named(folder: Path) -> None:
    with (
        pytest.warns(CheckpointWarning, match="initialised at random"),
        pytest.warns(CheckpointWarning, match=r"in the file but not in the model: classifier\.dense\.bias"),
    ):
        model = Data2VecTextForMaskedLM.from_pretrained(folder)
    assert model.load_report is not None
    assert len(model.load_report.left_over) == 4


def test_unknown_fields_are_named_and_legacy_ones_are_not(folder: Path) -> None:
    change_config(folder, shiny_new_field=1, gradient_checkpointing=False)
    with pytest.warns(CheckpointWarning, match="unknown configuration fields: shiny_new_field") as caught:
        model = Data2VecTextForSequenceClassification.from_pretrained(folder)
    assert len(caught) == 1
    assert model.load_report is not None
    assert "gradient_checkpointing" in model.load_report.config_fields.dropped


def test_the_warning_points_at_the_caller(tmp_path: Path) -> None:
    Data2VecAudioModel(AUDIO).save_pretrained(tmp_path)
    with pytest.warns(CheckpointWarning) as caught:
        Data2VecAudioForCTC.from_pretrained(tmp_path)
    assert caught[0].filename == __file__


def test_a_missing_step_counter_is_not_a_missing_weight(tmp_path: Path) -> None:
    model = Data2VecVisionForSemanticSegmentation(VISION)
    model.save_pretrained(tmp_path)

    def forget(tensors: dict[str, torch.Tensor]) -> None:
        for name in [name for name in tensors if name.endswith("num_batches_tracked")]:
            del tensors[name]

    change_tensors(tmp_path, forget)
    loaded = Data2VecVisionForSemanticSegmentation.from_pretrained(tmp_path)
    assert loaded.load_report is not None
    assert loaded.load_report.is_complete
    counters = [t for name, t in loaded.state_dict().items() if name.endswith("num_batches_tracked")]
    assert counters
    assert all(t.dtype == torch.int64 and t == 0 for t in counters)


def test_a_missing_backbone_tensor_is_an_error(folder: Path) -> None:
    change_tensors(folder, lambda tensors: tensors.pop("data2vec_text.encoder.layer.1.output.dense.bias"))
    with pytest.raises(CheckpointError, match=r"missing: data2vec_text\.encoder\.layer\.1\.output\.dense\.bias"):
        Data2VecTextForSequenceClassification.from_pretrained(folder)


def test_a_backbone_tensor_of_another_shape_is_an_error_even_on_request(folder: Path) -> None:
    with pytest.raises(CheckpointError, match=r"word_embeddings\.weight \(120, 32\) instead of \(60, 32\)"):
        Data2VecTextForSequenceClassification.from_pretrained(folder, vocab_size=60, ignore_mismatched_sizes=True)


def test_a_head_of_another_shape_is_an_error_unless_asked_for(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="ignore_mismatched_sizes=True starts the head afresh"):
        Data2VecTextForSequenceClassification.from_pretrained(folder, num_labels=5)
    with pytest.warns(CheckpointWarning, match="initialised at random"):
        model = Data2VecTextForSequenceClassification.from_pretrained(
            folder, num_labels=5, ignore_mismatched_sizes=True
        )
    assert model.load_report is not None
    assert model.load_report.mismatched == ("classifier.out_proj.weight", "classifier.out_proj.bias")
    kept = load_file(folder / "model.safetensors")["classifier.dense.weight"]
    assert torch.equal(model.state_dict()["classifier.dense.weight"], kept)


def test_an_unknown_override_is_a_type_error(folder: Path) -> None:
    with pytest.raises(TypeError, match="colour"):
        Data2VecTextForSequenceClassification.from_pretrained(folder, colour="blue")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the file is empty"),
        ("<!doctype html><p>Sign in</p>", "a web page"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
        ('{"model_type": "data2ve', "cut off or damaged"),
        ("[1, 2]", "should hold a JSON object"),
        ('{"model_type": "bert"}', "this is a 'bert' configuration; Data2VecTextConfig reads 'data2vec-text'"),
        ('{"model_type": "data2vec-text", "hidden_size": "large"}', "does not fit"),
        ('{"model_type": "data2vec-text", "id2label": ["a"]}', "does not fit"),
        ('{"model_type": "data2vec-text", "hidden_size": 7}', "must be divisible"),
    ],
)
def test_a_broken_configuration_is_said(text: str, expected: str, folder: Path) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=expected):
        Data2VecTextForSequenceClassification.from_pretrained(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "the file is empty"),
        (b"<html>Sign in</html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"\x00\x01\x02 nothing of the kind", "cut off or damaged"),
    ],
)
def test_a_broken_weight_file_is_said(name: str, content: bytes, expected: str, folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=f"{name}.*{expected}"):
        Data2VecTextForSequenceClassification.from_pretrained(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_weight_file_that_is_cut_off_is_said(name: str, folder: Path) -> None:
    if name == "pytorch_model.bin":
        torch.save(load_file(folder / "model.safetensors"), folder / name)
        (folder / "model.safetensors").unlink()
    (folder / name).write_bytes((folder / name).read_bytes()[:-200])
    with pytest.raises(CheckpointError, match="cut off or damaged"):
        Data2VecTextForSequenceClassification.from_pretrained(folder)


def test_a_torch_file_that_holds_more_than_tensors_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"model": {"a": torch.ones(1)}, "epoch": 3}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"more than tensors: model, epoch.*checkpoints\.convert"):
        Data2VecTextForSequenceClassification.from_pretrained(folder)


def test_a_torch_file_that_would_run_code_is_refused(folder: Path, tmp_path: Path) -> None:
    class Explosive:
        def __reduce__(self) -> Any:
            return exec, (f"open({str(tmp_path / 'was-run')!r}, 'w')",)

    (folder / "model.safetensors").unlink()
    torch.save({"a": Explosive()}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="cannot be read"):
        Data2VecTextForSequenceClassification.from_pretrained(folder)
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize(
    "shard", ["../secret.safetensors", "/etc/x.safetensors", "a/b.safetensors", "x.txt", "a\\b.bin"]
)
def test_an_index_may_name_only_weight_files_beside_it(shard: str, folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shard}}))
    with pytest.raises(CheckpointError, match="refusing to open it"):
        Data2VecTextForSequenceClassification.from_pretrained(folder)


@pytest.mark.parametrize(
    ("weight_map", "expected"),
    [
        (None, "no 'weight_map'"),
        ({"a": "model-1.safetensors"}, "promises tensors that its files lack: a"),
        ({"a": "model-2.safetensors"}, "is missing, though"),
    ],
)
def test_an_index_that_does_not_hold_is_said(weight_map: Any, expected: str, folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(CheckpointError, match=expected):
        Data2VecTextForSequenceClassification.from_pretrained(folder)


def test_nothing_of_that_name_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no checkpoint 'an5': no such folder.*bundled:.*owner/name"):
        Data2VecTextModel.from_pretrained("an5")
    with pytest.raises(CheckpointError, match="no such folder"):
        Data2VecTextModel.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="no such folder"):
        Data2VecTextModel.from_pretrained("./not/here")
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        Data2VecTextModel.from_pretrained(tmp_path)
    (tmp_path / "model.pt").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"is a file.*checkpoints\.convert"):
        Data2VecTextModel.from_pretrained(tmp_path / "model.pt")


def test_a_folder_without_weights_is_said(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"holds no weights: expected one of model\.safetensors"):
        Data2VecTextForSequenceClassification.from_pretrained(folder)


@pytest.mark.parametrize(
    ("stored", "asked", "expected"),
    [
        (torch.float16, None, torch.float32),
        (torch.float16, "auto", torch.float16),
        (torch.float32, "bfloat16", torch.bfloat16),
        (torch.float32, torch.float64, torch.float64),
    ],
)
def test_number_formats(stored: torch.dtype, asked: Any, expected: torch.dtype, tmp_path: Path) -> None:
    model = Data2VecVisionForSemanticSegmentation(VISION)
    model.save_pretrained(tmp_path, dtype=stored)
    loaded = Data2VecVisionForSemanticSegmentation.from_pretrained(tmp_path, torch_dtype=asked)
    assert loaded.dtype == expected
    for name, tensor in loaded.state_dict().items():
        assert tensor.dtype == (torch.int64 if name.endswith("num_batches_tracked") else expected), name


def test_a_wrong_number_format_is_a_value_error(folder: Path) -> None:
    with pytest.raises(ValueError, match="torch_dtype='int8'"):
        Data2VecTextForSequenceClassification.from_pretrained(folder, torch_dtype="int8")


def test_old_names_of_text_files_load(folder: Path) -> None:
    def age(tensors: dict[str, torch.Tensor]) -> None:
        for name in [name for name in tensors if "LayerNorm" in name]:
            old = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
            tensors[old] = tensors.pop(name)
        tensors["data2vec_text.embeddings.position_ids"] = torch.arange(40)[None]

    before = Data2VecTextForSequenceClassification.from_pretrained(folder).state_dict()
    change_tensors(folder, age)
    loaded = Data2VecTextForSequenceClassification.from_pretrained(folder)
    assert loaded.load_report is not None
    assert loaded.load_report.sentences() == []
    assert all(torch.equal(tensor, before[name]) for name, tensor in loaded.state_dict().items())


def test_saving_over_the_folder_a_model_came_from_is_safe(folder: Path) -> None:
    model = Data2VecTextForSequenceClassification.from_pretrained(folder)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    Data2VecTextForSequenceClassification(TEXT).save_pretrained(folder)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_two_loads_do_not_share_weights(folder: Path) -> None:
    first = Data2VecTextForSequenceClassification.from_pretrained(folder)
    second = Data2VecTextForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.zero_()
    assert any(parameter.any() for parameter in second.parameters())
    assert any(t.any() for t in load_file(folder / "model.safetensors").values())


def test_the_teacher_has_a_file_of_its_own(tmp_path: Path) -> None:
    student, teacher = Data2VecAudioModel(AUDIO), Data2VecAudioModel(AUDIO)
    student.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"has no teacher: teacher\.safetensors is missing"):
        Data2VecAudioModel.from_pretrained(tmp_path, role="teacher")
    save_file(teacher.public_tensors(), tmp_path / "teacher.safetensors")
    for role, original in (("student", student), ("teacher", teacher)):
        loaded: Any = Data2VecAudioModel.from_pretrained(tmp_path, role=role)  # type: ignore[arg-type]
        assert all(torch.equal(t, original.state_dict()[name]) for name, t in loaded.state_dict().items())


def test_the_number_format_has_two_names(folder: Path) -> None:
    for name in ("torch_dtype", "dtype"):
        options: dict[str, Any] = {name: torch.float16}
        model = Data2VecTextForSequenceClassification.from_pretrained(folder, **options)
        assert model.dtype == torch.float16
        assert model.config.dtype == "float32", "what the file says of itself"
    with pytest.raises(ValueError, match="torch_dtype or dtype, not both"):
        Data2VecTextForSequenceClassification.from_pretrained(folder, dtype="auto", torch_dtype=torch.float16)


def test_as_many_classes_as_the_file_has_keep_their_names(folder: Path) -> None:
    change_config(folder, id2label={"0": "bad", "1": "good"}, label2id={"bad": 0, "good": 1})
    assert Data2VecTextForSequenceClassification.from_pretrained(folder, num_labels=2).config.labels == ["bad", "good"]
