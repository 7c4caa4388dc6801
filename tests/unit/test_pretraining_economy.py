"""The economy of data2vec 2.0: several masks for one pass of the teacher, and a decoder behind a student that encodes
the visible patches alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from data2vec_core import Data2VecVisionModel
from data2vec_core.checkpoints.loading import blank_weights
from data2vec_core.presets import PRESETS
from data2vec_core.pretraining.decoder import ConvDecoder, PatchDecoder
from data2vec_core.pretraining.loop import pretrain
from data2vec_core.pretraining.masking import InverseBlocks, Mask, PatchBlocks, mask_generators
from data2vec_core.pretraining.modalities import build_pretraining
from data2vec_core.pretraining.plan import Plan
from data2vec_core.pretraining.presets import ECONOMICAL_VISION
from data2vec_core.pretraining.schedule import WarmupCosine
from tests.pretraining_samples import (
    MODALITIES,
    STILL,
    tiny_batch,
    tiny_method,
    tiny_pretraining,
    tiny_student,
)

DECODER = ConvDecoder(width=32, layers=2, groups=4)
KEPT = InverseBlocks(kept=0.3, side=2)  # 4 of 16 patches


def decoding(*, masks: int = 1, still: bool = True, **settings: Any) -> Any:
    """Vision with a decoder."""
    student = tiny_student(
        "vision",
        use_mask_token=False,
        use_absolute_position_embeddings=True,
        **(STILL["vision"] if still else {"drop_path_rate": 0.3}),
    )
    method = tiny_method(
        "vision", masking=KEPT, decoder=dataclasses.replace(DECODER, **settings), masks_per_sample=masks
    )
    return build_pretraining(student, method)


def copied(mask: Any, times: int) -> Any:
    """Every row of a mask so many times."""
    tensors = {field.name: getattr(mask, field.name) for field in dataclasses.fields(mask)}
    return type(mask)(**{name: tensor.repeat_interleave(times, dim=0) for name, tensor in tensors.items()})


def rows_of(mask: Any, rows: slice) -> Any:
    """Some rows of a mask."""
    return type(mask)(*(getattr(mask, field.name)[rows] for field in dataclasses.fields(mask)))


def calls_of(module: nn.Module) -> list[int]:
    """A list that gets the number of rows of every call to come."""
    rows: list[int] = []
    module.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    return rows


@pytest.mark.parametrize("modality", MODALITIES)
def test_equal_masks_give_the_loss_of_one(modality: str) -> None:
    torch.manual_seed(0)
    one: Any = tiny_pretraining(modality, still=True)
    many = build_pretraining(one.student, tiny_method(modality, masks_per_sample=3))
    many.load_state_dict(one.state_dict())
    batch = tiny_batch(modality)
    single = one(batch, mask_generators(0, 0, range(3)))
    single.loss.backward()
    expected = {name: p.grad.clone() for name, p in one.student.named_parameters()}
    one.zero_grad()
    triple = many(batch, mask=copied(single.mask, 3))
    assert triple.count == 3 * single.count
    assert_close(triple.loss, single.loss)
    triple.loss.backward()
    for name, parameter in many.student.named_parameters():
        assert_close(parameter.grad, expected[name], rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("modality", MODALITIES)
def test_several_masks_are_several_passes_over_the_same_items(modality: str) -> None:
    """Item-major: rows 0 and 1 are the first item's. Losses add up and are divided by all that is masked."""
    torch.manual_seed(0)
    one: Any = tiny_pretraining(modality, still=True)
    two: Any = build_pretraining(one.student, tiny_method(modality, masks_per_sample=2))
    two.load_state_dict(one.state_dict())
    batch = tiny_batch(modality)
    both = two(batch, mask_generators(5, 0, range(3), 2))
    assert len(both.mask.is_masked) == 6
    assert not torch.equal(both.mask.is_masked[::2], both.mask.is_masked[1::2])
    passes = [one(batch, mask=rows_of(both.mask, slice(start, None, 2))) for start in (0, 1)]
    assert_close(both.total, passes[0].total + passes[1].total)
    assert both.count == passes[0].count + passes[1].count
    assert_close(both.loss, both.total / both.count)
    of_item = both.mask.is_masked.sum(dim=1).tolist()
    assert_close(both.targets[: of_item[0]], passes[0].targets[: of_item[0]])
    assert_close(both.targets[of_item[0] : sum(of_item[:2])], passes[1].targets[: of_item[1]])
    if modality != "audio":  # whose rows are trimmed to the fewest of all
        alone = one(batch, mask_generators(5, 0, range(3))).mask.is_masked
        assert torch.equal(both.mask.is_masked[::2], alone), "more masks leave the first ones as they are"


@pytest.mark.parametrize("modality", MODALITIES)
def test_what_comes_before_the_masks_runs_once(modality: str) -> None:
    pretraining: Any = tiny_pretraining(modality, still=True, masks_per_sample=4)
    teacher = calls_of(
        pretraining.teacher.model.get_submodule("layers" if modality == "audio" else "encoder.layers")[0]
    )
    student = calls_of(pretraining.student.encoder.layers[0])
    shared = {"audio": "feature_extractor.conv_layers.0", "vision": "embeddings.patch_projection"}
    before = calls_of(pretraining.student.get_submodule(shared[modality])) if modality in shared else [3]
    pretraining(tiny_batch(modality), mask_generators(0, 0, range(3), 4))
    assert (teacher, student, before) == ([3], [12], [3])


def plan() -> Plan:
    return Plan(schedule=WarmupCosine(peak=1e-3, total=5, warmup=1), save_every=2)


@pytest.mark.parametrize("modality", [*MODALITIES, "decoder"])
def test_a_killed_run_goes_on_bit_for_bit(modality: str, tmp_path: Path) -> None:
    def fresh(seed: int) -> Any:
        torch.manual_seed(seed)
        if modality == "decoder":
            return decoding(masks=2, still=False)
        return tiny_pretraining(modality, masks_per_sample=2)

    def batches(index: int, *_: Any) -> dict[str, Tensor]:
        return tiny_batch("vision" if modality == "decoder" else modality, seed=index)

    whole, halves = fresh(0), fresh(0)
    losses = [report.loss for report in pretrain(whole, batches, plan(), tmp_path / "whole")]
    for report in pretrain(halves, batches, plan(), tmp_path / "halves"):
        if report.step == 3:
            break
    halves = fresh(99)
    assert [report.loss for report in pretrain(halves, batches, plan(), tmp_path / "halves")] == losses[2:]
    expected = whole.state_dict()
    assert any(name.startswith("decoder.") for name in expected) == (modality == "decoder")
    for name, tensor in halves.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def plain_decoder(decoder: PatchDecoder, hidden: Tensor, visible: Tensor, grid: tuple[int, int]) -> Tensor:
    """By the formulas, one picture at a time, with nothing at masked places."""
    results = []
    for row, places in zip(hidden, visible.tolist(), strict=True):
        state = torch.zeros(*grid, hidden.shape[-1])
        for vector, place in zip(row, places, strict=True):
            state[place // grid[1], place % grid[1]] = vector
        for convolution in decoder.convolutions:
            assert isinstance(convolution, nn.Conv2d)
            padding = int(convolution.padding[0])
            convolved = F.conv2d(
                state.permute(2, 0, 1), convolution.weight, convolution.bias, 1, padding, groups=convolution.groups
            ).permute(1, 2, 0)
            centred = convolved - convolved.mean(dim=-1, keepdim=True)
            normed = centred / (centred.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()
            activated = normed * 0.5 * (1 + torch.erf(normed / 2**0.5))
            state = activated + state if activated.shape == state.shape else activated
        results.append(state.flatten(0, 1))
    return torch.stack(results)


@pytest.mark.parametrize(("width", "kernel", "groups"), [(12, 3, 4), (24, 3, 2), (24, 5, 1)])
def test_decoder_by_the_formulas(width: int, kernel: int, groups: int) -> None:
    """The first layer has a residual where the widths are equal, the others always."""
    decoder = PatchDecoder(12, ConvDecoder(width=width, kernel=kernel, layers=3, groups=groups, noise=0.0))
    hidden, visible = torch.randn(2, 4, 12), torch.tensor([[0, 3, 7, 14], [2, 8, 9, 1]])
    result = decoder(hidden, visible, (3, 5))
    assert result.shape == (2, 15, width)
    assert_close(result, plain_decoder(decoder, hidden, visible, (3, 5)), rtol=1e-4, atol=1e-5)


def test_noise_stands_at_masked_places_alone() -> None:
    decoder, seen = PatchDecoder(8, ConvDecoder(width=8, layers=1, groups=1)), []
    decoder.convolutions[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    hidden, visible = torch.randn(50, 2, 8), torch.tensor([[3, 11]]).expand(50, 2)
    decoder(hidden, visible, (4, 4))
    places = seen[0].flatten(2).transpose(1, 2)
    assert torch.equal(places[:, [3, 11]], hidden)
    masked = places[:, [place for place in range(16) if place not in (3, 11)]]
    assert masked.std().item() == pytest.approx(0.01, rel=0.05)  # 5600 numbers
    assert masked.mean().item() == pytest.approx(0.0, abs=0.001)
    torch.manual_seed(3)
    first = decoder(hidden, visible, (4, 4))
    torch.manual_seed(3)
    assert torch.equal(decoder(hidden, visible, (4, 4)), first)


def test_the_student_sees_visible_patches_alone_and_everything_learns() -> None:
    torch.manual_seed(0)
    pretraining = decoding(masks=2, noise=0.0)
    rows = calls_of(pretraining.student.encoder.layers[0])
    lengths: list[int] = []
    pretraining.student.encoder.layers[0].register_forward_pre_hook(
        lambda _, inputs: lengths.append(inputs[0].shape[1])
    )
    batch = tiny_batch("vision")
    output = pretraining(batch, mask_generators(0, 0, range(3), 2))
    assert (rows, lengths) == ([6], [5]), "the class token and 4 patches"
    assert output.predictions.shape == (6 * 12, 32)

    pixels = batch["pixel_values"].clone()
    is_hidden = output.mask.is_masked[4] & output.mask.is_masked[5]  # in both masks of the last picture
    pixels[2].unflatten(1, (4, 8)).unflatten(3, (4, 8)).permute(1, 3, 0, 2, 4)[is_hidden.view(4, 4)] = 5.0
    assert torch.equal(pretraining({"pixel_values": pixels}, mask=output.mask).predictions, output.predictions)

    output.loss.backward()
    for name, parameter in pretraining.named_parameters():
        assert (parameter.grad is not None and parameter.grad.any()) == (not name.startswith("teacher.")), name


def test_under_autocast_student_and_decoder_are_rounded() -> None:
    """As on a GPU; the CPU has the same switch."""
    torch.manual_seed(0)
    pretraining, batch = decoding(masks=2, noise=0.0), tiny_batch("vision")
    exact = pretraining(batch, mask_generators(0, 0, range(3), 2))
    with torch.autocast("cpu", torch.bfloat16):
        output = pretraining(batch, mask_generators(0, 0, range(3), 2))
    assert output.predictions.dtype == torch.bfloat16
    assert torch.equal(output.targets, exact.targets)
    assert output.loss.item() == pytest.approx(exact.loss.item(), rel=0.02)
    output.loss.backward()
    assert all(p.grad.dtype == torch.float32 for p in pretraining.parameters() if p.requires_grad)


def test_loss_falls_on_one_batch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    pretraining, batch = decoding(masks=4), tiny_batch("vision")
    reports = list(
        pretrain(
            pretraining,
            lambda *_: batch,
            Plan(schedule=WarmupCosine(peak=1e-2, total=60, warmup=1), save_every=60),
            tmp_path,
        )
    )
    assert sum(report.loss for report in reports[-5:]) < 0.7 * sum(report.loss for report in reports[:5])
    assert min(report.target_spread for report in reports) > 0.1


def test_checkpoints_hold_neither_decoder_nor_head(tmp_path: Path) -> None:
    pretraining = decoding()
    pretraining.save_pretrained(tmp_path)
    for role in ("student", "teacher"):
        model = Data2VecVisionModel.from_pretrained(tmp_path, role=role)
        assert model.load_report is not None
        assert model.load_report.is_complete
        assert model.load_report.left_over == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "ConvDecoder.width=0: at least 1"),
        ({"kernel": 4}, "ConvDecoder.kernel=4: must be odd"),
        ({"noise": -1.0}, "ConvDecoder.noise=-1.0: must not be negative"),
    ],
)
def test_sizes_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ConvDecoder(**changes)


def test_the_class_token_enters_no_statistics() -> None:
    """Instance norm of targets runs over the patches alone, as in data2vec 2.0."""
    pretraining: Any = tiny_pretraining("vision", still=True)
    rule = dataclasses.replace(pretraining.method.targets, layer_norm="instance")
    pretraining.method = pretraining.method.replace(targets=rule)
    inputs = pretraining.prepare(tiny_batch("vision"))
    states = pretraining.teacher.model(inputs.pixel_values, output_hidden_states=True).hidden_states
    normed = [F.instance_norm(state[:, 1:].transpose(1, 2)).transpose(1, 2) for state in states[-2:]]
    expected = F.layer_norm((normed[0] + normed[1]) / 2, (32,))
    assert_close(pretraining.teach(inputs, None), expected, rtol=1e-4, atol=1e-4)


def test_the_economical_method_fits_a_student_of_base_size() -> None:
    config: Any = PRESETS["vision-base"]
    with blank_weights():
        pretraining = build_pretraining(Data2VecVisionModel(config), ECONOMICAL_VISION)
    assert pretraining.decoder is not None
    # 6 convolutions of 768 channels in 16 groups, kernels of 3 x 3, with biases, and the last linear layer.
    of_decoder = sum(p.numel() for part in (pretraining.decoder, pretraining.head) for p in part.parameters())
    assert of_decoder == 6 * (768 * 48 * 9 + 768) + 768 * 768 + 768
    mask = ECONOMICAL_VISION.masking(2, (14, 14), mask_generators(0, 0, range(2)))  # type: ignore[operator]
    assert mask.is_masked.sum(dim=1).tolist() == [157, 157]


def test_what_does_not_go_together_is_refused() -> None:
    vision, without_token = tiny_student("vision"), tiny_student("vision", use_mask_token=False)
    with pytest.raises(ValueError, match="mask token would never be trained: use_mask_token=False"):
        build_pretraining(vision, tiny_method("vision", masking=KEPT, decoder=DECODER))
    with pytest.raises(ValueError, match="method.masking must be InverseBlocks, got PatchBlocks"):
        build_pretraining(without_token, tiny_method("vision", masking=PatchBlocks(), decoder=DECODER))
    with pytest.raises(ValueError, match="groups=5: must divide the student's width 32 and the decoder's 32"):
        decoding(groups=5)
    with pytest.raises(ValueError, match="method.decoder: AudioPretraining has none"):
        tiny_pretraining("audio", decoder=DECODER)
    with pytest.raises(ValueError, match="masks_per_sample=0: at least 1"):
        tiny_method("text", masks_per_sample=0)
    with pytest.raises(ValueError, match="fairseq_compat: .* masks_per_sample=2 must be 1"):
        tiny_pretraining("text", fairseq_compat=True, masks_per_sample=2)

    pretraining, batch = decoding(masks=2), tiny_batch("vision")
    is_masked = torch.ones(6, 16, dtype=torch.bool)
    with pytest.raises(ValueError, match="mask: 2 for each of 3 rows, got 3 in all"):
        pretraining(batch, mask=Mask(is_masked[:3]))
    with pytest.raises(ValueError, match="must show as many patches, got 0 to 0"):
        pretraining(batch, mask=Mask(is_masked))
    is_masked[:, :3] = False
    is_masked[0, 3] = False
    with pytest.raises(ValueError, match="must show as many patches, got 3 to 4"):
        pretraining(batch, mask=Mask(is_masked))


def test_inverse_blocks_serve_mask_tokens_too() -> None:
    pretraining = tiny_pretraining("vision", still=True, masking=KEPT)
    output = pretraining(tiny_batch("vision"), mask_generators(0, 0, range(3)))
    assert output.mask.is_masked.sum(dim=1).tolist() == [12, 12, 12]
