"""The three vision classes: sizes, pooling, recording, drop path, freezing, and segmentation at any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from data2vec_core import (
    Data2VecVisionForImageClassification,
    Data2VecVisionForSemanticSegmentation,
    Data2VecVisionModel,
    Trace,
)
from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.files import write_json
from data2vec_core.checkpoints.loading import CheckpointWarning
from data2vec_core.presets import PRESETS
from data2vec_core.transformer import drop_items
from data2vec_core.vision.block import drop_path_rates
from data2vec_core.vision.segmentation import segmentation_taps

TINY: Any = PRESETS["vision-tiny"]
BASE: Any = PRESETS["vision-base"]
SEGMENTING_BASE = BASE.replace(
    use_shared_relative_position_bias=False, use_relative_position_bias=True, use_mean_pooling=True, num_labels=150
)


@pytest.mark.parametrize(
    ("model_class", "config", "tensors", "parameters"),
    [
        (Data2VecVisionModel, BASE, 210, 85_665_360),
        (Data2VecVisionForImageClassification, PRESETS["vision-base-ft1k"], 223, 86_530_984),
        (Data2VecVisionModel, PRESETS["vision-large"], 414, 303_136_192),
        (Data2VecVisionForImageClassification, PRESETS["vision-large-ft1k"], 439, 304_430_568),
        (Data2VecVisionForSemanticSegmentation, SEGMENTING_BASE, 312, 162_614_252),
    ],
    ids=["base", "base ft1k", "large", "large ft1k", "base segmentation"],
)
def test_counts(model_class: Any, config: Any, tensors: int, parameters: int) -> None:
    """data2vec.md 3.4."""
    with torch.device("meta"):
        model = model_class(config)
    assert len(model.state_dict()) == tensors
    assert model.num_parameters() == parameters


def test_key_projection_has_no_bias() -> None:
    attention: Any = Data2VecVisionModel(TINY).encoder.layers[0].attention
    assert attention.key.bias is None
    assert attention.query.bias is not None
    assert attention.value.bias is not None


def test_pooling() -> None:
    pixels = torch.randn(2, 3, 32, 32)
    mean = Data2VecVisionModel(TINY, add_pooling_layer=True).eval()
    result = mean(pixels)
    patches = result.last_hidden_state[:, 1:].mean(1)
    torch.testing.assert_close(result.pooler_output, torch.nn.functional.layer_norm(patches, (32,), eps=1e-12))
    cls = Data2VecVisionModel(TINY.replace(use_mean_pooling=False), add_pooling_layer=True).eval()
    result = cls(pixels)
    torch.testing.assert_close(result.pooler_output, result.last_hidden_state[:, 0])
    assert Data2VecVisionModel(TINY)(pixels).pooler_output is None


def test_hidden_states_are_before_the_exit_norm() -> None:
    model = Data2VecVisionModel(TINY.replace(use_mean_pooling=False)).eval()
    result = model(torch.randn(2, 3, 32, 32), output_hidden_states=True)
    assert len(result.hidden_states) == 5
    torch.testing.assert_close(model.layernorm(result.hidden_states[-1]), result.last_hidden_state)


@pytest.mark.parametrize(
    "model_class", [Data2VecVisionModel, Data2VecVisionForImageClassification, Data2VecVisionForSemanticSegmentation]
)
def test_recording_leaves_the_result_alone(model_class: Any) -> None:
    model = model_class(TINY).eval()
    pixels = torch.randn(2, 3, 32, 40)
    trace = Trace({"hidden": [0, 3], "attention": [2], "values": None, "feed_forward": [4]})
    recorded = model(pixels, trace=trace)
    torch.testing.assert_close(recorded[0], model(pixels)[0])
    assert recorded.hidden_states is None
    assert trace.layers("hidden") == [0, 3]
    assert trace["attention", 2].shape == (2, 4, 21, 21)
    assert trace.layers("attention") == [2]
    assert trace.layers("values") == [1, 2, 3, 4]
    assert trace["feed_forward", 4].shape == (2, 21, 32)


def test_flags_leave_the_callers_trace_as_it_was() -> None:
    trace = Trace(["feed_forward"])
    result = Data2VecVisionModel(TINY)(torch.randn(1, 3, 32, 32), output_attentions=True, trace=trace)
    assert len(result.attentions) == 4
    assert trace.layers("attention") == []
    assert trace.layers("feed_forward") == [1, 2, 3, 4]


def test_drop_path_rises_to_its_rate() -> None:
    assert drop_path_rates(0.3, 4) == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert drop_path_rates(0.3, 1) == [0.0]
    blocks = Data2VecVisionModel(TINY.replace(drop_path_rate=0.6)).encoder.layers
    assert [block.drop_path for block in blocks] == pytest.approx([0.0, 0.2, 0.4, 0.6])


def test_drop_path_drops_whole_items_and_keeps_the_mean() -> None:
    kept = drop_items(torch.ones(4000, 3, 2), 0.25)
    first = kept[:, :1, :1]
    torch.testing.assert_close(kept, first.expand_as(kept))
    assert first.unique().tolist() == pytest.approx([0, 4 / 3])
    assert kept.mean().item() == pytest.approx(1, abs=0.04)  # four standard errors of a share of 4000


def test_drop_path_acts_in_training_only() -> None:
    model = Data2VecVisionModel(TINY.replace(drop_path_rate=1.0)).eval()
    pixels = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(model(pixels)[0], model(pixels)[0])
    states = model.train()(pixels, output_hidden_states=True).hidden_states
    torch.testing.assert_close(states[4], states[3])  # the last block's rate is the full one
    assert not torch.equal(states[1], states[0])


def test_freezing_leaves_the_head_to_train() -> None:
    model = Data2VecVisionForImageClassification(TINY)
    model.freeze_base_model()
    assert {name for name, p in model.named_parameters() if p.requires_grad} == {"classifier.weight", "classifier.bias"}


@pytest.mark.parametrize("options", [{}, {"use_shared_relative_position_bias": True}], ids=["layer bias", "both"])
def test_checkpointing_saves_no_less_than_the_truth(options: dict[str, Any]) -> None:
    model = Data2VecVisionForSemanticSegmentation(TINY.replace(drop_path_rate=0.0, **options)).train()
    pixels, labels = torch.randn(2, 3, 32, 32), torch.randint(0, 2, (2, 32, 32))
    gradients = []
    for is_on in (False, True):
        (model.gradient_checkpointing_enable if is_on else model.gradient_checkpointing_disable)()
        model.zero_grad()
        model(pixels, labels=labels).loss.backward()
        gradients.append({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)


@pytest.mark.parametrize("image_size", [32, (24, 56)], ids=str)
@pytest.mark.parametrize("size", [(32, 32), (33, 70), (8, 8), (8, 90), (90, 8), (24, 56), (17, 23)], ids=str)
def test_segmentation_of_any_size(size: tuple[int, int], image_size: Any) -> None:
    config = TINY.replace(image_size=image_size, use_absolute_position_embeddings=True, num_labels=3)
    model = Data2VecVisionForSemanticSegmentation(config)
    labels = torch.randint(0, 3, (2, *size))
    result = model(torch.randn(2, 3, *size), labels=labels)
    assert result.logits.shape == (2, 3, size[0] // 8 * 4, size[1] // 8 * 4)
    result.loss.backward()
    for name, parameter in model.named_parameters():
        if not name.startswith("backbone.encoder.layers.3."):  # after the last tap
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name


def test_ignored_pixels_do_not_count() -> None:
    model = Data2VecVisionForSemanticSegmentation(TINY.replace(num_labels=3)).eval()
    pixels = torch.randn(1, 3, 32, 32)
    labels = torch.randint(0, 3, (1, 16, 16))
    half = labels.clone()
    half[:, :, 8:] = 255
    logits = torch.randn(1, 3, 16, 16)
    level = torch.randn(1, 32, 4, 4)
    model.auxiliary_head = None
    torch.testing.assert_close(
        model.loss(logits, level, half), torch.nn.functional.cross_entropy(logits[..., :8], labels[..., :8])
    )
    assert torch.isfinite(model(pixels, labels=half).loss)


@pytest.mark.parametrize(
    ("counting", "out_indices", "taps"),
    [
        ("reference", (3, 5, 7, 11), [2, 4, 6, 10]),
        ("beit", (3, 5, 7, 11), [4, 6, 8, 12]),
        ("reference", (7, 3, 11, 5), [2, 4, 6, 10]),
        ("reference", (0, 1, 2, 3), [0, 1, 2]),
    ],
)
def test_taps(counting: str, out_indices: tuple[int, ...], taps: list[int]) -> None:
    """data2vec.md 2.3: index k is the state after k - 1 blocks in the reference, after k + 1 in the original."""
    assert segmentation_taps(BASE.replace(segmentation_taps=counting, out_indices=out_indices)) == taps


def test_taps_choose_the_hidden_states() -> None:
    model = Data2VecVisionForSemanticSegmentation(TINY.replace(segmentation_taps="beit", out_indices=(0, 1, 2, 3)))
    model.eval()
    pixels = torch.randn(1, 3, 32, 32)
    result = model(pixels, output_hidden_states=True)
    maps = [state[:, 1:].transpose(1, 2).reshape(1, 32, 4, 4) for state in result.hidden_states[1:]]
    torch.testing.assert_close(model.decode_head(model.pyramid(maps)), result.logits)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"out_indices": (1, 2, 3)}, r"out_indices: segmentation needs four entries, got \(1, 2, 3\)"),
        ({"out_indices": (3, 5, 7, 11)}, "name only 2 of the hidden states 0 to 4"),
        ({"auxiliary_num_convs": 0}, "auxiliary_num_convs=0 needs auxiliary_channels=16 to equal hidden_size=32"),
    ],
)
def test_segmentation_configurations_that_cannot_work(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Data2VecVisionForSemanticSegmentation(TINY.replace(**changes))


def test_labels_that_cannot_work() -> None:
    pixels = torch.randn(1, 3, 32, 32)
    model = Data2VecVisionForSemanticSegmentation(TINY.replace(num_labels=1)).eval()
    with pytest.raises(ValueError, match="labels: a loss needs at least two classes"):
        model(pixels, labels=torch.zeros(1, 32, 32))
    model = Data2VecVisionForSemanticSegmentation(TINY).eval()
    with pytest.raises(ValueError, match=r"labels: expected \(1, height, width\), got \(2, 32, 32\)"):
        model(pixels, labels=torch.zeros(2, 32, 32))


def test_half_precision_and_back(tmp_path: Path) -> None:
    model = Data2VecVisionForSemanticSegmentation(TINY).eval()
    model.save_pretrained(tmp_path)
    loaded = Data2VecVisionForSemanticSegmentation.from_pretrained(tmp_path, torch_dtype="bfloat16")
    pixels = torch.randn(1, 3, 32, 40)
    assert loaded(pixels).logits.dtype == torch.bfloat16
    torch.testing.assert_close(loaded(pixels).logits.float(), model(pixels).logits, rtol=0, atol=0.02)


def test_parts_that_an_override_asks_for(tmp_path: Path) -> None:
    """They start afresh and are named; the same parts missing from a file that says to have them are an error."""
    Data2VecVisionModel(TINY).save_pretrained(tmp_path)
    wanted: dict[str, Any] = {
        "use_absolute_position_embeddings": True,
        "use_shared_relative_position_bias": True,
        "use_mean_pooling": False,
        "use_mask_token": True,
    }
    with pytest.warns(CheckpointWarning, match="initialised"):
        model = Data2VecVisionModel.from_pretrained(tmp_path, **wanted)
    assert model.load_report is not None
    assert set(model.load_report.initialised) == {
        "embeddings.position_embeddings",
        "embeddings.mask_token",
        "encoder.relative_position_bias.relative_position_bias_table",
        "layernorm.weight",
        "layernorm.bias",
    }
    assert torch.isfinite(model(torch.randn(1, 3, 32, 32))[0]).all()
    asking = TINY.replace(use_absolute_position_embeddings=True)
    write_json(tmp_path / "config.json", asking.to_dict())
    with pytest.raises(CheckpointError, match=r"missing: embeddings\.position_embeddings"):
        Data2VecVisionModel.from_pretrained(tmp_path)


def test_pooler_on_request_when_loading(tmp_path: Path) -> None:
    Data2VecVisionForImageClassification(TINY).save_pretrained(tmp_path)
    with pytest.warns(CheckpointWarning, match="in the file but not in the model"):
        model = Data2VecVisionModel.from_pretrained(tmp_path, add_pooling_layer=True)
    assert model.pooler is not None
    assert model.load_report is not None
    assert model.load_report.is_complete
    assert model.load_report.left_over == ("classifier.bias", "classifier.weight")
