"""Linear layers laid out for inference: the same model, which no longer learns."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import nn

from data2vec_core import (
    Data2VecAudioForCTC,
    Data2VecTextForMaskedLM,
    Data2VecTextModel,
    Data2VecVisionConfig,
    Data2VecVisionForImageClassification,
)
from data2vec_core.audio.frame_convolution import FrameConvolution
from data2vec_core.audio.waveform_encoder import ConvolutionLayer
from data2vec_core.checkpoints.files import WEIGHTS_FILE
from data2vec_core.fixed_linear import (
    WIDE,
    FixedLinear,
    Int8Convolution,
    Int8Linear,
    PackedLinear,
    best_kind,
    fix_linears,
)
from data2vec_core.linear_choice import LinearKind
from data2vec_core.presets import PRESETS
from data2vec_core.pretrained import PretrainedModel
from tests import clips
from tests.text_samples import TINY, token_ids

KINDS: tuple[LinearKind, ...] = ("packed", "int8")


def models() -> dict[str, tuple[PretrainedModel, dict[str, Any]]]:
    """One of each modality, and its input."""
    vision = cast(Data2VecVisionConfig, PRESETS["vision-tiny"])
    return {
        "audio": (Data2VecAudioForCTC(clips.TINY), clips.two_clips(padded=True)),
        "text": (Data2VecTextModel(TINY), token_ids(TINY, 2, 9)),
        "vision": (Data2VecVisionForImageClassification(vision), {"pixel_values": torch.randn(2, 3, 32, 32)}),
    }


def saved(folder: Path, modality: str) -> tuple[PretrainedModel, dict[str, Any]]:
    model, inputs = models()[modality]
    model.save_pretrained(folder)
    return model.eval(), inputs


def answer(model: PretrainedModel, inputs: dict[str, Any]) -> torch.Tensor:
    with torch.no_grad():
        output = model(**inputs)
    found = output["logits"] if "logits" in output.keys() else output["last_hidden_state"]  # noqa: SIM118
    assert isinstance(found, torch.Tensor)
    return found


@pytest.mark.parametrize("modality", ["audio", "text", "vision"])
def test_packed_layers_give_the_same_numbers(tmp_path: Path, modality: str) -> None:
    plain, inputs = saved(tmp_path, modality)
    packed = type(plain).from_pretrained(tmp_path, linear="packed")
    assert torch.allclose(answer(packed, inputs), answer(plain, inputs), atol=1e-5, rtol=1e-4)
    assert packed.num_parameters() == plain.num_parameters()
    assert packed.nbytes == plain.nbytes


@pytest.mark.parametrize("modality", ["audio", "text", "vision"])
def test_eight_bits_give_nearly_the_same_in_less_memory(tmp_path: Path, modality: str) -> None:
    plain, inputs = saved(tmp_path, modality)
    small = type(plain).from_pretrained(tmp_path, linear="int8")
    ours, expected = answer(small, inputs), answer(plain, inputs)
    assert not torch.equal(ours, expected)
    assert (ours - expected).abs().max() < 0.05 * expected.abs().max()
    assert small.num_parameters() == plain.num_parameters()
    assert small.nbytes < plain.nbytes


@pytest.mark.parametrize("kind", KINDS)
def test_any_number_of_positions_will_do(kind: LinearKind) -> None:
    linear = nn.Linear(48, 40)
    fixed = (PackedLinear if kind == "packed" else Int8Linear)(linear)
    with torch.no_grad():
        for shape in ((48,), (1, 48), (3, 700, 48), (2, 0, 48)):
            hidden = torch.randn(*shape)
            assert fixed(hidden).shape == linear(hidden).shape
            assert torch.allclose(fixed(hidden), linear(hidden), atol=1e-5 if kind == "packed" else 0.1)
        spread = torch.randn(1, 3, 96)[..., ::2]
        assert torch.allclose(fixed(spread), linear(spread), atol=1e-5 if kind == "packed" else 0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_linear_layer_of_the_blocks_is_fixed_and_no_other(kind: LinearKind) -> None:
    model, _ = models()["vision"]
    before = sum(isinstance(module, nn.Linear) for module in model.modules())
    layers = model.get_submodule("backbone.encoder.layers")
    assert isinstance(layers, nn.ModuleList)
    fix_linears(model, kind)
    fixed = [module for module in layers.modules() if isinstance(module, FixedLinear)]
    assert not any(isinstance(module, nn.Linear) for module in layers.modules())
    assert len(fixed) == 6 * len(layers)
    assert sum(isinstance(module, nn.Linear) for module in model.modules()) == before - len(fixed)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_pass_through(kind: LinearKind) -> None:
    linear = nn.Linear(32, 24)
    fixed = (PackedLinear if kind == "packed" else Int8Linear)(linear)
    gradients = []
    hidden = torch.randn(2, 5, 32)
    for layer in (linear, fixed):
        given = hidden.clone().requires_grad_()
        layer(given).square().sum().backward()
        assert given.grad is not None
        gradients.append(given.grad)
    assert (gradients[0] - gradients[1]).abs().max() < 0.05 * gradients[0].abs().max()


def test_what_is_packed_can_be_saved(tmp_path: Path) -> None:
    plain, _ = saved(tmp_path / "plain", "text")
    type(plain).from_pretrained(tmp_path / "plain", linear="packed").save_pretrained(tmp_path / "again")
    written = [(tmp_path / folder / WEIGHTS_FILE).read_bytes() for folder in ("plain", "again")]
    assert written[0] == written[1]


def test_what_it_cannot_do_is_said(tmp_path: Path) -> None:
    saved(tmp_path, "text")
    with pytest.raises(ValueError, match="linear must be one of best, plain, packed, int8, got 'int4'"):
        Data2VecTextModel.from_pretrained(tmp_path, linear="int4")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"float32 on a processor, got torch\.bfloat16"):
        Data2VecTextModel.from_pretrained(tmp_path, linear="packed", dtype=torch.bfloat16)


def test_tied_weights_take_memory_once() -> None:
    masked = Data2VecTextForMaskedLM(TINY)
    assert masked.config.tie_word_embeddings
    assert masked.nbytes - 4 * masked.num_parameters() == sum(one.nbytes for one in masked.buffers())


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (2, 2), (2, 3), (5, 1)])
def test_convolutions_are_linear_layers_of_their_windows(kernel: int, stride: int) -> None:
    convolution = FrameConvolution(16, 24, kernel, stride).requires_grad_(False)
    fixed = Int8Convolution(convolution)
    assert (fixed.weight - convolution.weight).abs().max() <= convolution.weight.abs().max() / 120
    hidden = torch.randn(2, 40, 16)
    expected = convolution(hidden)
    assert fixed(hidden).shape == expected.shape
    assert torch.allclose(fixed(hidden), expected, atol=0.05)
    assert torch.allclose(fixed(hidden[:, :38].transpose(0, 1)[:, :1].transpose(0, 1)), fixed(hidden[:1, :38]))
    given = hidden.clone().requires_grad_()
    assert torch.allclose(fixed(given), expected, atol=0.05)


def test_convolutions_take_eight_bits_but_the_first() -> None:
    model, _ = models()["audio"]
    fix_linears(model, "int8")
    convolutions = [layer.conv for layer in model.modules() if isinstance(layer, ConvolutionLayer)]
    assert [isinstance(one, Int8Convolution) for one in convolutions] == [False, *[True] * (len(convolutions) - 1)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_gives_the_same(kind: LinearKind, tmp_path: Path) -> None:
    plain, inputs = saved(tmp_path, "vision")
    model = type(plain).from_pretrained(tmp_path, linear=kind)
    assert torch.equal(answer(copy.deepcopy(model), inputs), answer(model, inputs))


@pytest.mark.parametrize("kind", KINDS)
def test_it_stays_on_the_processor_in_float32(kind: LinearKind) -> None:
    model, _ = models()["text"]
    fix_linears(model, kind)
    assert model.to(torch.float32) is model
    with pytest.raises(ValueError, match=r"cannot become torch\.float16 on cpu; load it with linear='plain'"):
        model.half()
    with pytest.raises(ValueError, match=r"cannot become torch\.float32 on meta"):
        model.to("meta")


@pytest.mark.parametrize("has_vnni", [True, False])
def test_the_best_depends_on_width_and_processor(has_vnni: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: has_vnni)
    assert best_kind(WIDE) == ("int8" if has_vnni else "packed")
    assert best_kind(WIDE - 1) == "plain"
    wide = Data2VecTextModel(TINY.replace(hidden_size=WIDE, intermediate_size=WIDE))
    assert fix_linears(wide, "best") == best_kind(WIDE)
    assert fix_linears(models()["text"][0], "best") == "plain"
    assert fix_linears(Data2VecTextModel(TINY).half(), "best") == "plain"
