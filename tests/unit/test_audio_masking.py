"""The rules of SpecAugment spans (data2vec.md 2.1)."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from data2vec_core.audio.masking import draw_spans
from data2vec_core.audio.model import Data2VecAudioModel
from tests.clips import FRAMES, TINY, two_clips


def lengths_of(*rows: int) -> torch.Tensor:
    return torch.tensor(rows)


def test_exact_count_of_single_positions() -> None:
    masked = draw_spans(lengths_of(60, 60, 60, 60), 60, probability=0.5, span=1)
    assert masked.sum(dim=1).tolist() == [30] * 4


def test_rounding_goes_both_ways_and_is_shared_by_the_batch() -> None:
    counts: Counter[int] = Counter()
    for _ in range(200):
        rows = draw_spans(lengths_of(101, 101, 101), 101, probability=0.05, span=1).sum(dim=1).tolist()
        assert len(set(rows)) == 1
        counts[rows[0]] += 1
    assert counts.keys() == {5, 6}
    assert counts[5] > counts[6] > 0  # 5.05 spans on average


def test_starts_are_distinct() -> None:
    """All places of a span of 3 in 12 positions are 10; four spans cover at least what four neighbours cover."""
    for _ in range(100):
        masked = draw_spans(lengths_of(12), 12, probability=1.0, span=3)
        assert 6 <= int(masked.sum()) <= 12


def test_starts_are_uniform() -> None:
    hits = torch.zeros(8)
    for _ in range(2000):
        hits += draw_spans(lengths_of(8), 8, probability=1 / 8, span=1)[0]
    assert bool(((hits / hits.sum() - 1 / 8).abs() < 0.03).all())


def test_least_number_of_spans() -> None:
    assert draw_spans(lengths_of(30), 30, probability=0.0, span=1, min_spans=7).sum() == 7
    assert draw_spans(lengths_of(30), 30, probability=0.0, span=1).sum() == 0


def test_no_more_spans_than_fit_into_the_batch() -> None:
    """Seven positions hold two spans of three side by side, so that no row gets a third."""
    for _ in range(50):
        assert 4 <= int(draw_spans(lengths_of(7), 7, probability=1.0, span=3, min_spans=5).sum()) <= 6


def test_padding_is_never_masked() -> None:
    lengths = lengths_of(40, 25, 11, 10)
    for _ in range(50):
        masked = draw_spans(lengths, 40, probability=0.6, span=10, min_spans=2)
        assert not bool((masked & (torch.arange(40) >= lengths[:, None])).any())
        assert bool(masked.any(dim=1).all())


def test_a_row_shorter_than_a_span_stays_whole() -> None:
    masked = draw_spans(lengths_of(40, 5, 0), 40, probability=0.6, span=10, min_spans=2)
    assert masked.any(dim=1).tolist() == [True, False, False]
    assert not bool(draw_spans(lengths_of(5), 5, probability=0.6, span=10, min_spans=2).any())


def test_the_generator_decides() -> None:
    draws = [
        draw_spans(lengths_of(100), 100, probability=0.3, span=5, generator=torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    ]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_a_span_needs_a_position() -> None:
    with pytest.raises(ValueError, match="span=0"):
        draw_spans(lengths_of(5), 5, probability=0.5, span=0)


def test_training_masks_frames_and_channels() -> None:
    model = Data2VecAudioModel(
        TINY.replace(mask_time_prob=0.5, mask_feature_prob=0.5, mask_feature_length=4, mask_feature_min_masks=1)
    )
    hidden = torch.rand(3, 30, TINY.hidden_size) + 2  # no value that masking could leave by chance
    assert torch.equal(model.eval().mask(hidden), hidden)
    masked = model.train().mask(hidden)
    assert model.masked_spec_embed is not None
    is_hidden_channel = (masked == 0).all(dim=1)  # (batch, dim)
    assert bool(is_hidden_channel.any(dim=1).all())
    assert not bool(is_hidden_channel.all(dim=1).any())
    is_masked_frame = (masked != hidden).all(dim=-1)  # (batch, frames)
    assert bool(is_masked_frame.any(dim=1).all())
    assert not bool(is_masked_frame.all(dim=1).any())
    embedding = model.masked_spec_embed.expand_as(masked)
    shown = is_masked_frame.unsqueeze(-1) & ~is_hidden_channel.unsqueeze(1)
    assert torch.equal(masked[shown], embedding[shown])


def test_training_leaves_padded_frames_alone() -> None:
    model = Data2VecAudioModel(TINY.replace(mask_time_prob=0.9)).train()
    hidden = torch.rand(2, 30, TINY.hidden_size) + 2
    is_real = torch.arange(30) < torch.tensor([[30], [12]])
    masked = model.mask(hidden, is_real)
    assert torch.equal(masked[~is_real], hidden[~is_real])
    assert not torch.equal(masked[1, :12], hidden[1, :12])


def test_masking_can_be_switched_off() -> None:
    model = Data2VecAudioModel(TINY.replace(mask_time_prob=0.9, apply_spec_augment=False)).train()
    hidden = torch.rand(2, 30, TINY.hidden_size)
    assert torch.equal(model.mask(hidden), hidden)


def test_a_mask_must_fit() -> None:
    values = two_clips(padded=False)
    with pytest.raises(ValueError, match=rf"mask_time_indices must be .* \(2, {FRAMES}\), got \(2, 3\)"):
        Data2VecAudioModel(TINY)(**values, mask_time_indices=torch.ones(2, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match="no mask embedding"):
        Data2VecAudioModel(TINY.replace(mask_time_prob=0.0))(
            **values, mask_time_indices=torch.ones(2, FRAMES, dtype=torch.bool)
        )
