"""Checkpoints go from either framework to the other; and the files that transformers 4.x left behind."""

from __future__ import annotations

import gzip
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import data2vec_core
from data2vec_core import tensorflow as data2vec_tensorflow
from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.loading import CheckpointWarning
from data2vec_core.tensorflow import (
    TFData2VecVisionForImageClassification,
    TFData2VecVisionForSemanticSegmentation,
    TFData2VecVisionModel,
)
from data2vec_core.tensorflow.weights import named_weights
from tests.tensorflow.sisters import COMPONENT, END_TO_END, TASKS, TINY, array, assert_close, pytorch_model

GOLDEN = Path(__file__).parent / "golden"
PIXELS = np.random.default_rng(0).standard_normal((2, 3, 32, 40)).astype(np.float32)


@pytest.mark.parametrize("options", [{}, {"use_mean_pooling": False, "use_mask_token": True}], ids=["plain", "other"])
@pytest.mark.parametrize("task", TASKS)
def test_a_checkpoint_of_pytorch_and_back(task: str, options: dict[str, Any], tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    pytorch = pytorch_model(task, TINY.replace(**options, auxiliary_num_convs=2))
    pytorch.save_pretrained(first)
    with warnings.catch_warnings():
        warnings.simplefilter("error", CheckpointWarning)
        ours = getattr(data2vec_tensorflow, f"TFData2VecVision{task}").from_pretrained(first)
        ours.save_pretrained(second)
        again = type(pytorch).from_pretrained(second)
    assert ours.load_report.is_complete
    assert (second / "config.json").read_text() == (first / "config.json").read_text()
    before, after = load_file(first / "model.safetensors"), load_file(second / "model.safetensors")
    assert list(before) == list(after)
    for name, tensor in before.items():
        assert torch.equal(tensor, after[name]), name
    with torch.no_grad():
        expected = again(torch.from_numpy(PIXELS))
    for name, values in ours(PIXELS).items():
        assert_close(values, expected[name], END_TO_END, name)


@pytest.mark.parametrize("name", ["vision", "objects", "pets3"])
def test_bundled_models(name: str) -> None:
    """Two of them leave their encoder to another folder."""
    kind = {"vision": "Model", "objects": "ForImageClassification", "pets3": "ForSemanticSegmentation"}[name]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        pytorch = getattr(data2vec_core, f"Data2VecVision{kind}").from_pretrained(name)
        count = len(said)
        ours = getattr(data2vec_tensorflow, f"TFData2VecVision{kind}").from_pretrained(name)
    assert [str(one.message) for one in said[count:] if one.category is CheckpointWarning] == [
        str(one.message) for one in said[:count]
    ]
    assert ours.load_report == pytorch.load_report
    with torch.no_grad():
        expected = pytorch(torch.from_numpy(PIXELS))
    for field, values in ours(PIXELS).items():
        assert_close(values, expected[field], END_TO_END, field)


def test_the_teacher_is_another() -> None:
    student, teacher = (TFData2VecVisionModel.from_pretrained("vision", role=role) for role in ("student", "teacher"))
    assert np.abs(array(student(PIXELS)[("last_hidden_state")] - teacher(PIXELS)["last_hidden_state"])).max() > 1e-3


def test_a_head_that_the_file_lacks_is_fresh_and_said_to_be() -> None:
    with pytest.warns(CheckpointWarning, match="initialised at random, to be trained before use: .*classifier.weight"):
        model = TFData2VecVisionForImageClassification.from_pretrained("vision", num_labels=7, use_mean_pooling=True)
    assert model.load_report is not None
    assert "classifier.weight" in model.load_report.initialised
    assert model(PIXELS).logits.shape == (2, 7)


def test_another_number_of_classes() -> None:
    with pytest.raises(CheckpointError, match="wrong shape: classifier.weight"):
        TFData2VecVisionForImageClassification.from_pretrained("objects", num_labels=7)
    with pytest.warns(CheckpointWarning):
        model = TFData2VecVisionForImageClassification.from_pretrained(
            "objects", num_labels=7, ignore_mismatched_sizes=True
        )
    assert model(PIXELS).logits.shape == (2, 7)


def test_what_cannot_be_loaded() -> None:
    with pytest.raises(CheckpointError, match="there is no checkpoint 'nothing'"):
        TFData2VecVisionModel.from_pretrained("nothing")
    with pytest.raises(CheckpointError, match="data2vec-audio"):
        TFData2VecVisionModel.from_pretrained("audio")
    with pytest.raises(TypeError, match="hidden_sizes"):
        TFData2VecVisionModel.from_pretrained("vision", hidden_sizes=3)
    with pytest.raises(TypeError, match="takes a Data2VecVisionModel, got Data2VecVisionForImageClassification"):
        TFData2VecVisionModel.from_pytorch(data2vec_core.Data2VecVisionForImageClassification(TINY))
    with pytest.raises(TypeError, match="needs a Data2VecVisionConfig, got Data2VecTextConfig"):
        TFData2VecVisionModel(data2vec_core.Data2VecTextConfig())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="load it with linear='plain'"):
        TFData2VecVisionModel.from_pretrained("vision", linear="int8")


def test_half_precision_files_are_held_in_single(tmp_path: Path) -> None:
    pytorch = pytorch_model("ForImageClassification", TINY)
    pytorch.save_pretrained(tmp_path, dtype=torch.float16)
    ours = TFData2VecVisionForImageClassification.from_pretrained(tmp_path, dtype="auto")
    assert {weight.dtype for _, weight in named_weights(ours)} == {"float32"}
    assert_close(ours(PIXELS).logits, pytorch(torch.from_numpy(PIXELS)).logits, 1e-2)


def test_models_change_the_framework_in_memory() -> None:
    """And share nothing: what one learns, the other does not."""
    half = pytorch_model("ForImageClassification", TINY).half()
    ours = TFData2VecVisionForImageClassification.from_pytorch(half)
    assert half.dtype == torch.float16
    back: Any = ours.to_pytorch()
    assert not back.training
    assert all(parameter.requires_grad for parameter in back.parameters())
    with torch.no_grad():
        expected = back(torch.from_numpy(PIXELS)).logits
        back.classifier.bias.add_(1.0)
    assert_close(ours(PIXELS).logits, expected, END_TO_END)
    pooled = TFData2VecVisionModel(TINY, add_pooling_layer=True).to_pytorch()
    assert pooled.pooler is not None


@pytest.mark.parametrize("task", TASKS)
def test_fresh_weights_follow_pytorch(task: str) -> None:
    """Both fresh models have the same constants, and random weights of the same spread."""
    config = TINY.replace(
        hidden_size=64, use_mask_token=True, use_absolute_position_embeddings=True, initializer_range=0.05
    )
    pytorch = getattr(data2vec_core, f"Data2VecVision{task}")(config)
    ours = getattr(data2vec_tensorflow, f"TFData2VecVision{task}")(config).to_pytorch().state_dict()
    for name, expected in pytorch.state_dict().items():
        spread = expected.float().std().item() if expected.numel() > 1 else 0.0
        if spread == 0:
            torch.testing.assert_close(ours[name], expected, msg=name)
        else:
            assert ours[name].std().item() == pytest.approx(spread, rel=0.25), name


# Files of transformers 4.x


def unpacked(name: str, folder: Path) -> Path:
    """A golden case as the checkpoint folder that the library wrote."""
    shutil.copy(GOLDEN / name / "config.json", folder)
    (folder / "tf_model.h5").write_bytes(gzip.decompress((GOLDEN / name / "tf_model.h5.gz").read_bytes()))
    return folder


@pytest.mark.parametrize("task", TASKS)
def test_golden_numbers_of_the_tensorflow_classes(task: str, tmp_path: Path) -> None:
    """Its own `tf_model.h5`, read by us, gives its own numbers where it is known to be right; the losses, which it
    gives for each image or in a list, as one number."""
    name = f"TFData2VecVision{task}"
    stored = dict(np.load(GOLDEN / name / "expected.npz"))
    inputs = {field.removeprefix("input."): values for field, values in stored.items() if field.startswith("input.")}
    with warnings.catch_warnings():
        warnings.simplefilter("error", CheckpointWarning)
        model = getattr(data2vec_tensorflow, name).from_pretrained(unpacked(name, tmp_path))
    assert model.load_report.is_complete
    result = model(**inputs, output_hidden_states=True, output_attentions=True)
    for field, expected in stored.items():
        kind, _, number = field.partition(".")
        if kind == "loss":
            assert_close(result.loss, expected.mean(), END_TO_END, field)
        elif kind != "input":
            assert_close(result[kind][int(number)] if number else result[kind], expected, COMPONENT, field)


@pytest.mark.parametrize("task", TASKS)
def test_pytorch_reads_the_same_file(task: str, tmp_path: Path) -> None:
    """transformers itself cannot load it into PyTorch (data2vec.md 2.4)."""
    stored = np.load(GOLDEN / f"TFData2VecVision{task}" / "expected.npz")
    model = getattr(data2vec_core, f"Data2VecVision{task}").from_pretrained(
        unpacked(f"TFData2VecVision{task}", tmp_path)
    )
    assert model.load_report.is_complete
    field = "last_hidden_state" if task == "Model" else "logits"
    masked = {"bool_masked_pos": torch.from_numpy(stored["input.bool_masked_pos"])} if task == "Model" else {}
    with torch.no_grad():
        result = model(torch.from_numpy(stored["input.pixel_values"]), **masked)
    assert_close(result[field], stored[field], END_TO_END)


def test_an_unknown_weight_in_the_file_is_reported(tmp_path: Path) -> None:
    name = "TFData2VecVisionForImageClassification"
    with h5py.File(unpacked(name, tmp_path) / "tf_model.h5", "a") as file:
        file["extra/tf_model/extra/kernel:0"] = np.zeros((2, 3), np.float32)
    with pytest.warns(CheckpointWarning, match="in the file but not in the model: extra.weight"):
        TFData2VecVisionForImageClassification.from_pretrained(tmp_path)


def test_a_missing_weight_is_an_error(tmp_path: Path) -> None:
    name = "TFData2VecVisionForImageClassification"
    with h5py.File(unpacked(name, tmp_path) / "tf_model.h5", "a") as file:
        [group] = file["data2vec_vision"]
        del file[f"data2vec_vision/{group}/data2vec_vision/encoder/layer_._1/lambda_2:0"]
    with pytest.raises(CheckpointError, match="missing: data2vec_vision.encoder.layer.1.lambda_2"):
        TFData2VecVisionForImageClassification.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "the file is empty"),
        (b"\x89HDF\r\n\x1a\n and then nothing", "cut off or damaged"),
        (b"<!doctype html>", "this is a web page"),
    ],
)
def test_a_damaged_file(content: bytes, complaint: str, tmp_path: Path) -> None:
    (unpacked("TFData2VecVisionModel", tmp_path) / "tf_model.h5").write_bytes(content)
    with pytest.raises(CheckpointError, match=complaint):
        TFData2VecVisionModel.from_pretrained(tmp_path)


def _of_something_else(file: h5py.File) -> None:
    file["weights"] = np.zeros(3)


def _of_words(file: h5py.File) -> None:
    file["a/b/c/kernel:0"] = ["words"]


def _larger_than_itself(file: h5py.File) -> None:
    file.create_dataset("a/b/c/kernel:0", (100_000, 100_000), np.float32)


def _from_elsewhere(file: h5py.File) -> None:
    elsewhere = [("/dev/zero", 0, 400)]
    file.create_dataset("a/b/c/kernel:0", (10, 10), np.float32, external=elsewhere)


@pytest.mark.parametrize("write", [_of_something_else, _of_words, _larger_than_itself, _from_elsewhere])
def test_a_file_that_means_harm_or_something_else(write: Any, tmp_path: Path) -> None:
    path = unpacked("TFData2VecVisionModel", tmp_path) / "tf_model.h5"
    with h5py.File(path, "w") as file:
        write(file)
    with pytest.raises(CheckpointError, match="tf_model.h5 (is not the file|holds .* refusing to read it)"):
        TFData2VecVisionModel.from_pretrained(tmp_path)


def test_without_h5py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(CheckpointError, match="pip install -r requirements-tensorflow.txt"):
        data2vec_core.Data2VecVisionModel.from_pretrained(unpacked("TFData2VecVisionModel", tmp_path))


def test_safetensors_go_before_the_old_file(tmp_path: Path) -> None:
    folder = unpacked("TFData2VecVisionForSemanticSegmentation", tmp_path)
    model = TFData2VecVisionForSemanticSegmentation.from_pretrained(folder)
    model.decode_head.classifier.bias.assign([7.0, 7.0, 7.0])
    model.save_pretrained(folder)
    again = TFData2VecVisionForSemanticSegmentation.from_pretrained(folder)
    np.testing.assert_array_equal(again.decode_head.classifier.bias, [7, 7, 7])


def test_golden_files_are_small() -> None:
    assert all(path.stat().st_size < 100_000 for path in GOLDEN.rglob("*"))
