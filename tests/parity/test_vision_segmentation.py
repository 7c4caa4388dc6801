"""Segmentation against the reference: taps, pyramid, both heads, losses, gradients and running statistics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from data2vec_core import Data2VecVisionForImageClassification, Data2VecVisionForSemanticSegmentation
from data2vec_core.checkpoints.loading import CheckpointWarning
from data2vec_core.presets import PRESETS
from tests.parity.reference import (
    COMPONENT,
    END_TO_END,
    assert_close_to_reference,
    assert_same_gradients,
    assert_same_result,
    random_reference,
    reload_in_ours,
    reload_in_reference,
    transformers,
)

TINY: Any = PRESETS["vision-tiny"].replace(num_labels=5)

OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "no auxiliary head": {"use_auxiliary_head": False},
    "deep auxiliary head": {"auxiliary_num_convs": 3, "auxiliary_loss_weight": 0.7},
    "auxiliary head with its input": {"auxiliary_concat_input": True},
    "auxiliary head without convolutions": {"auxiliary_num_convs": 0, "auxiliary_channels": 32},
    "other pooling": {"pool_scales": (1, 3)},
    "other taps": {"out_indices": (5, 2, 1, 3)},
    "three taps": {"out_indices": (0, 1, 2, 3)},
    "class token pooling": {"use_mean_pooling": False},
    "shared bias and positions": {
        "use_shared_relative_position_bias": True,
        "use_relative_position_bias": False,
        "use_absolute_position_embeddings": True,
    },
    "odd grid": {"image_size": 40},
    "one class": {"num_labels": 1},
}

#: Batch norm by batch statistics takes a constant away, so that these biases have no influence in training.
BEFORE_BATCH_NORM = ("fpn1.0.bias", "fpn1.3.bias", "fpn2.0.bias")


def pair(config: Any, tmp_path: Path) -> tuple[Data2VecVisionForSemanticSegmentation, Any]:
    """Our model and the reference with the same weights and running statistics."""
    reference = random_reference(transformers.Data2VecVisionForSemanticSegmentation, config)
    for name, buffer in reference.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5)
    return reload_in_ours(reference, Data2VecVisionForSemanticSegmentation, tmp_path), reference


def images_and_labels(config: Any, label_size: tuple[int, int] = (32, 32)) -> tuple[Tensor, Tensor]:
    """A batch at the native size (the only one that the reference can), a fifth of its labels to be ignored."""
    labels = torch.randint(0, config.num_labels, (3, *label_size))
    labels[torch.rand(labels.shape) < 0.2] = config.semantic_loss_ignore_index
    return torch.randn(3, 3, *config.image_size_pair), labels


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_logits_states_and_attentions(options: dict[str, Any], tmp_path: Path) -> None:
    config = TINY.replace(**options)
    ours, reference = pair(config, tmp_path)
    pixels, _ = images_and_labels(config)
    wanted = {"output_hidden_states": True, "output_attentions": True}
    with torch.no_grad():
        assert_same_result(ours(pixels, **wanted), reference(pixels, **wanted))
        assert_same_result(ours(pixels), reference(pixels))


@pytest.mark.parametrize("ignored", [255, 2])
@pytest.mark.parametrize("options", [o for name, o in OPTIONS.items() if name != "one class"])
def test_loss_and_gradients(options: dict[str, Any], ignored: int, tmp_path: Path) -> None:
    config = TINY.replace(**options, semantic_loss_ignore_index=ignored)
    ours, reference = pair(config, tmp_path)
    pixels, labels = images_and_labels(config, (37, 50))
    result, expected = ours(pixels, labels=labels), reference(pixels, labels=labels)
    assert_same_result(result, expected)
    result.loss.backward()
    expected.loss.backward()
    assert_same_gradients(ours, reference)


@pytest.mark.parametrize("options", [{}, OPTIONS["auxiliary head with its input"]], ids=["plain", "concat"])
def test_training_step(options: dict[str, Any], tmp_path: Path) -> None:
    """Batch norm by batch statistics: results, gradients, and the running statistics afterwards."""
    config = TINY.replace(**options, drop_path_rate=0.0)
    ours, reference = pair(config, tmp_path)
    pixels, labels = images_and_labels(config)
    results = [model.train()(pixels, labels=labels) for model in (ours, reference)]
    assert_same_result(*results)
    for result in results:
        result.loss.backward()
    assert_same_gradients(ours, reference, invariant=BEFORE_BATCH_NORM)
    expected = reference.eval()(pixels).logits  # by the running statistics that the step has left
    assert_close_to_reference(ours.eval()(pixels).logits, expected, END_TO_END)


def test_plain_tuples(tmp_path: Path) -> None:
    ours, reference = pair(TINY, tmp_path)
    pixels, labels = images_and_labels(TINY)
    inputs: dict[str, Any] = {"pixel_values": pixels, "labels": labels, "return_dict": False}
    with torch.no_grad():
        flags: dict[str, Any]
        for flags in ({}, {"output_hidden_states": True, "output_attentions": True}):
            assert_close_to_reference(ours(**inputs, **flags), reference(**inputs, **flags), END_TO_END)


@pytest.mark.parametrize("size", [(16, 56), (40, 25)], ids=str)
def test_other_sizes(size: tuple[int, int], tmp_path: Path) -> None:
    """The reference cuts its maps by the configured image size; its parts, put together by hand, can do any."""
    ours, reference = pair(TINY, tmp_path)
    pixels = torch.randn(2, 3, *size)
    with torch.no_grad():
        states = reference.data2vec_vision(pixels, output_hidden_states=True).hidden_states[:4]
        maps = [state[:, 1:].transpose(1, 2).reshape(2, 32, size[0] // 8, size[1] // 8) for state in states]
        steps = [reference.fpn1, reference.fpn2, reference.fpn3, reference.fpn4]
        expected = reference.decode_head([step(one) for step, one in zip(steps, maps, strict=True)])
        assert_close_to_reference(ours(pixels).logits, expected, END_TO_END)


def test_heads_component(tmp_path: Path) -> None:
    ours, reference = pair(TINY.replace(auxiliary_concat_input=True), tmp_path)
    levels = [torch.randn(2, 32, rows, columns) for rows, columns in [(20, 12), (10, 6), (5, 3), (2, 1)]]
    with torch.no_grad():
        assert_close_to_reference(ours.decode_head(levels), reference.decode_head(levels), COMPONENT)
        assert ours.auxiliary_head is not None
        assert_close_to_reference(ours.auxiliary_head(levels[2]), reference.auxiliary_head(levels), COMPONENT)


def test_pyramid_component(tmp_path: Path) -> None:
    ours, reference = pair(TINY, tmp_path)
    maps = [torch.randn(2, 32, 5, 3) for _ in range(4)]
    steps = [reference.fpn1, reference.fpn2, reference.fpn3, reference.fpn4]
    with torch.no_grad():
        expected = [step(one) for step, one in zip(steps, maps, strict=True)]
        assert_close_to_reference(ours.pyramid(maps), expected, COMPONENT)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_reference_loads_what_we_save(options: dict[str, Any], tmp_path: Path) -> None:
    config = TINY.replace(**options)
    ours = Data2VecVisionForSemanticSegmentation(config).eval()
    reference = reload_in_reference(ours, transformers.Data2VecVisionForSemanticSegmentation, tmp_path)
    pixels, _ = images_and_labels(config)
    with torch.no_grad():
        assert_same_result(ours(pixels), reference(pixels))


def names_of_4x(name: str) -> str:
    """A tensor's name in transformers 4.x, by data2vec.md 3.3, written here without a look at our table."""
    if name.startswith("decode_head.psp_modules.blocks."):
        name = name.replace("psp_modules.blocks.", "psp_modules.").replace(".conv.", ".1.", 1)
    name = name.replace("decode_head.psp_bottleneck", "decode_head.bottleneck")
    if name.startswith(("decode_head", "auxiliary_head")):
        name = name.replace(".convolution.", ".conv.").replace(".normalization.", ".bn.")
    return name


def test_a_checkpoint_of_transformers_4(tmp_path: Path) -> None:
    """5.x itself reads the decode head of such a file as missing; here nothing is."""
    config = TINY.replace(auxiliary_num_convs=2, auxiliary_concat_input=True)
    _, reference = pair(config, tmp_path)
    reference.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = {names_of_4x(name): tensor for name, tensor in load_file(path).items()}
    changed = {name for name in tensors if name not in load_file(path)}
    # 4 branches, 1 + 1 bottlenecks, 3 + 3 convolutions, 2 + 1 auxiliary ones: a weight and five tensors of a norm each
    assert len(changed) == 15 * 6
    save_file(tensors, path, metadata={"format": "pt"})
    ours = Data2VecVisionForSemanticSegmentation.from_pretrained(tmp_path)
    assert ours.load_report is not None
    assert ours.load_report.is_complete
    assert ours.load_report.left_over == ()
    pixels, _ = images_and_labels(config)
    with torch.no_grad():
        assert_same_result(ours(pixels), reference(pixels))


def test_old_index_buffers_are_dropped(tmp_path: Path) -> None:
    _, reference = pair(TINY, tmp_path)
    reference.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    attention = "data2vec_vision.encoder.layer.0.attention.attention.relative_position_bias"
    tensors[f"{attention}.relative_position_index"] = torch.zeros(17, 17, dtype=torch.int64)
    save_file(tensors, path, metadata={"format": "pt"})
    report = Data2VecVisionForSemanticSegmentation.from_pretrained(tmp_path).load_report
    assert report is not None
    assert report.left_over == ()


def test_head_onto_a_classifier(tmp_path: Path) -> None:
    """Another head's file gives the encoder; our own head starts afresh, and the report names every tensor."""
    classifier = random_reference(transformers.Data2VecVisionForImageClassification, TINY)
    classifier.save_pretrained(tmp_path)
    with pytest.warns(CheckpointWarning):
        ours = Data2VecVisionForSemanticSegmentation.from_pretrained(tmp_path)
    report = ours.load_report
    assert report is not None
    expected = transformers.Data2VecVisionForSemanticSegmentation(classifier.config).state_dict()
    assert set(report.initialised) == {
        name for name in expected if not name.startswith("data2vec_vision.") and not name.endswith("batches_tracked")
    }
    assert set(report.left_over) == {
        "classifier.weight", "classifier.bias",
        "data2vec_vision.pooler.layernorm.weight", "data2vec_vision.pooler.layernorm.bias",
    }  # fmt: skip
    pixels, _ = images_and_labels(TINY)
    with torch.no_grad():
        assert torch.isfinite(ours(pixels).logits).all()
        assert_close_to_reference(ours.backbone(pixels)[0], classifier.data2vec_vision(pixels)[0], END_TO_END)


def test_classifier_onto_a_bare_encoder(tmp_path: Path) -> None:
    encoder = random_reference(transformers.Data2VecVisionModel, TINY)
    encoder.save_pretrained(tmp_path)
    with pytest.warns(CheckpointWarning):
        ours = Data2VecVisionForImageClassification.from_pretrained(tmp_path, num_labels=7)
    report = ours.load_report
    assert report is not None
    assert set(report.initialised) == {
        "classifier.weight", "classifier.bias",
        "data2vec_vision.pooler.layernorm.weight", "data2vec_vision.pooler.layernorm.bias",
    }  # fmt: skip
    pixels = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert_close_to_reference(ours.backbone(pixels)[0], encoder(pixels)[0], END_TO_END)
        assert ours(pixels).logits.shape == (2, 7)
