"""Targets against a plain loop written from the formulas, and what the teacher sees of the input."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from data2vec_core.pretraining.masking import BertTokens, Mask, MaskedTokens
from data2vec_core.pretraining.presets import METHODS
from data2vec_core.pretraining.targets import TargetRule, average_layers, normalise
from tests.pretraining_samples import MODALITIES, seeded, tiny_batch, tiny_pretraining


def standardised(numbers: list[float]) -> list[float]:
    """Mean 0, biased variance 1, eps 1e-5."""
    mean = sum(numbers) / len(numbers)
    variance = sum((number - mean) ** 2 for number in numbers) / len(numbers)
    return [(number - mean) / math.sqrt(variance + 1e-5) for number in numbers]


def plain_normalise(item: list[list[float]], how: str, counted: list[int]) -> list[list[float]]:
    """One item of (positions, dim)."""
    if how == "layer":
        return [standardised(position) for position in item]
    if how == "instance":
        result = [[0.0] * len(item[0]) for _ in item]
        for channel in range(len(item[0])):
            column = standardised([item[position][channel] for position in counted])
            for position, number in zip(counted, column, strict=True):
                result[position][channel] = number
        return result
    return item


def plain_targets(layers: list[Tensor], rule: TargetRule, is_counted: Tensor) -> Tensor:
    """(batch, positions, dim), one number at a time."""
    items = []
    for row in range(layers[0].shape[0]):
        counted = is_counted[row].nonzero().flatten().tolist()
        normed = [plain_normalise(layer[row].tolist(), rule.layer_norm, counted) for layer in layers]
        mean = [
            [sum(layer[p][c] for layer in normed) / len(normed) for c in range(len(normed[0][0]))]
            for p in range(len(normed[0]))
        ]
        items.append(plain_normalise(mean, rule.mean_norm, counted))
    return torch.tensor(items)


@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("is_padded", [False, True])
def test_targets_are_those_of_a_plain_loop(modality: str, is_padded: bool) -> None:
    rule = dataclasses.replace(METHODS[f"data2vec-{modality}"].targets, top_layers=3)
    layers = [torch.randn(2, 6, 4) * 3 + 1 for _ in range(3)]
    is_counted = torch.ones(2, 6, dtype=torch.bool)
    if is_padded:
        is_counted[1, 4:] = False
    expected = plain_targets(layers, rule, is_counted)
    assert_close(average_layers(layers, rule, is_counted if is_padded else None), expected)


def test_instance_norm_runs_over_time_not_over_channels() -> None:
    hidden = torch.randn(2, 50, 8) * torch.arange(1.0, 9.0) + torch.arange(8.0)
    normed = normalise(hidden, "instance")
    assert_close(normed.mean(dim=1), torch.zeros(2, 8), atol=1e-5, rtol=0)
    assert_close(normed.var(dim=1, correction=0), torch.ones(2, 8), atol=1e-4, rtol=0)
    assert_close(normed, torch.nn.functional.instance_norm(hidden.transpose(1, 2)).transpose(1, 2))


def test_rule_reads_the_last_blocks_and_refuses_more_than_there_are() -> None:
    rule = TargetRule(top_layers=2, tensor="hidden", layer_norm="layer")
    trace = rule.trace(4)
    for layer in range(5):
        trace.visit("hidden", layer, torch.randn(1, 2, 3))
        trace.visit("feed_forward", layer, torch.randn(1, 2, 3))
    assert trace.layers("hidden") == [3, 4], "the last block is among them"
    assert trace.layers("feed_forward") == []
    assert_close(rule.build(trace), average_layers([trace["hidden", 3], trace["hidden", 4]], rule))
    with pytest.raises(ValueError, match="top_layers=5: the model has 4 layers"):
        TargetRule(top_layers=5, tensor="hidden", layer_norm="layer").trace(4)
    with pytest.raises(ValueError, match="averages 2, got 1"):
        average_layers([torch.randn(1, 2, 3)], rule)


@pytest.mark.parametrize("modality", MODALITIES)
def test_teacher_sees_the_input_without_masks_and_dropout(modality: str) -> None:
    """In training mode: its targets are those of an inference pass of a model with its weights on the whole input."""
    pretraining: Any = tiny_pretraining(modality)
    with torch.no_grad():
        for parameter in pretraining.teacher.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    batch = tiny_batch(modality)
    inputs = pretraining.prepare(batch)
    first, second = (pretraining.draw(inputs, seeded(seed)) for seed in (1, 2))
    assert not torch.equal(first.is_masked, second.is_masked)
    target = pretraining.teach(inputs, first)
    assert torch.equal(pretraining.teach(inputs, second), target)

    trace = pretraining.trace()
    pretraining.teacher.whole(pretraining.student)(**batch, trace=trace)
    rule = pretraining.method.targets
    is_real = {"audio": getattr(inputs, "is_real", None)}.get(modality)
    expected = average_layers(trace.all(rule.tensor), rule, is_real)
    assert_close(target, expected[:, 1:] if modality == "vision" else expected)


def test_padding_stays_out_of_the_statistics_of_speech_unless_compatible() -> None:
    batch = tiny_batch("audio")
    for is_compatible in (False, True):
        pretraining: Any = tiny_pretraining("audio", fairseq_compat=is_compatible)
        frames = pretraining.prepare(batch)
        target = pretraining.teach(frames, Mask(torch.zeros(1)))
        is_real = frames.is_real[1]
        assert 0 < is_real.sum() < len(is_real)
        mean = target[1, is_real].mean(dim=0).abs().max().item()
        assert (mean > 1e-2) == is_compatible, "over the real frames, a channel's mean is 0 when padding does not count"
        assert (target[1, ~is_real].abs().max().item() > 0) == is_compatible
        if is_compatible:
            assert target[1].mean(dim=0).abs().max().item() < 1e-5


def test_text_teacher_sees_the_whole_sentence_unless_compatible() -> None:
    batch = tiny_batch("text")
    ids = batch["input_ids"]
    is_masked = torch.zeros_like(ids, dtype=torch.bool)
    is_masked[:, [3, 7]] = True
    mask = MaskedTokens(is_masked, ids.masked_fill(is_masked, 119))
    for is_compatible in (False, True):
        pretraining: Any = tiny_pretraining("text", fairseq_compat=is_compatible)
        targets = []
        for changed in (ids, ids.index_fill(1, torch.tensor([5]), 77)):  # a token beside the masked ones
            inputs = pretraining.prepare(batch | {"input_ids": changed})
            targets.append(pretraining.teach(inputs, mask)[is_masked])
        assert torch.equal(*targets) == is_compatible


def test_text_loss_is_taken_at_all_chosen_tokens_unless_compatible() -> None:
    batch = tiny_batch("text")
    masking = BertTokens(vocab_size=120, mask_id=119, probability=0.6, random_share=0.3, keep_share=0.3)
    counts = {}
    for is_compatible in (False, True):
        pretraining = tiny_pretraining("text", masking=masking, fairseq_compat=is_compatible)
        output = pretraining(batch, seeded())
        assert isinstance(mask := output.mask, MaskedTokens)
        counts[is_compatible] = (output.count, int(mask.is_masked.sum()), int((mask.input_ids == 119).sum()))
    assert counts[False][0] == counts[False][1]
    assert counts[True][0] == counts[True][2] < counts[True][1]
