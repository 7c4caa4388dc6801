"""Masks of pre-training: counts, spans, padding, whatever the sizes and whatever is drawn."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from data2vec_core.pretraining.masking import (
    BertTokens,
    FrameSpans,
    InverseBlocks,
    PatchBlocks,
    TokenSpans,
    mask_generators,
)
from tests.pretraining_samples import seeded

seeds = st.integers(0, 2**31)
shares = st.floats(0.0, 1.0)
VOCABULARY: Any = {"vocab_size": 40, "mask_id": 39, "special_ids": (0, 1, 2)}


def runs(is_masked: Tensor) -> list[tuple[int, int]]:
    """(start, end) of every run of True in a row."""
    edges = torch.diff(torch.nn.functional.pad(is_masked.int(), (1, 1)))
    starts, ends = (edges == 1).nonzero().flatten().tolist(), (edges == -1).nonzero().flatten().tolist()
    return list(zip(starts, ends, strict=True))


@st.composite
def sentences(draw: st.DrawFn) -> Tensor:
    """(batch, tokens): `<s>`, ordinary tokens with separators among them, `</s>`, padding."""
    rows = draw(st.lists(st.lists(st.integers(2, 38), max_size=20), min_size=1, max_size=4))
    longest = max(map(len, rows)) + 2
    return torch.tensor([[0, *row, 2] + [1] * (longest - 2 - len(row)) for row in rows])


@given(st.lists(st.integers(12, 90), min_size=1, max_size=4), shares, st.integers(1, 11), st.integers(1, 3), seeds)
def test_frame_spans(lengths: list[int], probability: float, span: int, min_spans: int, seed: int) -> None:
    masking = FrameSpans(probability=probability, span=span, min_spans=min_spans, equal_counts=False)
    is_masked = masking(torch.tensor(lengths), max(lengths) + 3, seeded(seed, len(lengths))).is_masked
    for row, length in zip(is_masked, lengths, strict=True):
        assert not row[length - 1 :].any(), "padding is never hidden, and the last frame always shows"
        assert all(end - start >= span for start, end in runs(row))
        spans = max(int(probability * length / span) + 1, min_spans)
        assert span <= row.sum() <= spans * span
        least = max(int(probability * length / span), min_spans)
        assert row.sum() >= min(least, length - span) + span - 1, "so many distinct starts cover at least this"


@given(st.lists(st.integers(12, 90), min_size=1, max_size=4), shares, st.integers(1, 11), seeds)
def test_equal_counts_only_uncover(lengths: list[int], probability: float, span: int, seed: int) -> None:
    free = FrameSpans(probability=probability, span=span, equal_counts=False)
    equal = FrameSpans(probability=probability, span=span)
    sizes = torch.tensor(lengths), max(lengths)
    before, after = (draw(*sizes, seeded(seed, len(lengths))).is_masked for draw in (free, equal))
    assert not (after & ~before).any()
    fewest = int(before.sum(dim=1).min())
    assert set(after.sum(dim=1).tolist()) == {fewest}
    fewer = equal(*sizes, seeded(seed, len(lengths)), lambda least: least - 1).is_masked
    assert set(fewer.sum(dim=1).tolist()) == {fewest - 1}, "rows elsewhere may hide fewer"
    assert not (fewer & ~after).any(), "in the same order"


@given(sentences(), shares, seeds)
def test_bert_tokens(input_ids: Tensor, probability: float, seed: int) -> None:
    masking = BertTokens(**VOCABULARY, probability=probability)
    masked = masking(input_ids, seeded(seed, len(input_ids)))
    is_ordinary = (input_ids > 2) & (input_ids < 39)
    assert not (masked.is_masked & ~is_ordinary).any()
    assert torch.equal(masked.input_ids[~masked.is_masked], input_ids[~masked.is_masked])
    assert ((masked.input_ids > 2) | ~masked.is_masked).all(), "no special token is put in another's place"
    for chosen, ordinary in zip(masked.is_masked.sum(dim=1).tolist(), is_ordinary.sum(dim=1).tolist(), strict=True):
        wanted = (torch.tensor(probability) * ordinary).round().long().item()
        assert chosen == min(max(wanted, 1), ordinary)


@given(sentences(), shares, st.integers(1, 5), seeds)
def test_token_spans(input_ids: Tensor, probability: float, span: int, seed: int) -> None:
    masked = TokenSpans(**VOCABULARY, probability=probability, span=span)(input_ids, seeded(seed, len(input_ids)))
    assert torch.equal(masked.input_ids, torch.where(masked.is_masked, 39, input_ids))
    is_ordinary = (input_ids > 2) & (input_ids < 39)
    assert not (masked.is_masked & ~is_ordinary).any()
    for row, ordinary in zip(masked.is_masked, is_ordinary, strict=True):
        inner = row[ordinary]  # special tokens are stepped over
        assert all(end - start >= span or end == len(inner) for start, end in runs(inner))
        spans = probability * len(inner) / span
        assert min(int(spans), len(inner)) <= inner.sum() <= (int(spans) + 1) * span


@given(st.integers(1, 4), st.integers(1, 16), st.integers(1, 16), shares, st.integers(1, 16), seeds)
def test_patch_blocks(batch: int, rows: int, columns: int, share: float, least: int, seed: int) -> None:
    masking = PatchBlocks(share=share, min_patches=least)
    is_masked = masking(batch, (rows, columns), seeded(seed, batch)).is_masked
    assert is_masked.shape == (batch, rows * columns)
    counts = is_masked.sum(dim=1)
    assert (counts >= 1).all()
    assert (counts <= max(round(share * rows * columns), 1)).all()


@given(seeds)
def test_a_block_is_a_rectangle_of_the_wanted_area_and_aspect(seed: int) -> None:
    mask = torch.zeros(14, 14, dtype=torch.bool)
    added = PatchBlocks()._add_block(mask, 120, *seeded(seed, 1))
    (top, bottom), (left, right) = runs(mask.any(dim=1))[0], runs(mask.any(dim=0))[0]
    height, width = bottom - top, right - left
    assert mask[top:bottom, left:right].all()
    assert added == height * width == mask.sum() <= 120
    assert height < 14
    assert width < 14
    # Sides are rounded, so the bounds hold for numbers up to half a patch away.
    assert (height + 0.5) * (width + 0.5) >= 16
    assert (height - 0.5) / (width + 0.5) <= 1 / 0.3
    assert (width - 0.5) / (height + 0.5) <= 1 / 0.3


@given(st.integers(1, 4), st.integers(1, 16), st.integers(2, 16), shares, shares, st.integers(1, 5), seeds)
def test_inverse_blocks(batch: int, rows: int, columns: int, kept: float, surplus: float, side: int, seed: int) -> None:
    masking, patches = InverseBlocks(kept=kept, surplus=surplus, side=side), rows * columns
    is_kept = ~masking(batch, (rows, columns), seeded(seed, batch)).is_masked
    assert is_kept.shape == (batch, patches)
    assert set(is_kept.sum(dim=1).tolist()) == {min(max(int(kept * patches), 1), patches - 1)}
    blocks = masking.blocks((rows, columns), seeded(seed, batch))
    for own, block in zip(is_kept, blocks, strict=True):
        fewer, more = (own, block) if own.sum() <= block.sum() else (block, own)
        assert not (fewer & ~more).any(), "patches are taken from the blocks or added to them, never both"


@given(st.integers(1, 14), st.integers(1, 14), st.sampled_from([1, 3, 5]), seeds)
def test_blocks_to_keep_are_squares_cut_at_the_borders(rows: int, columns: int, side: int, seed: int) -> None:
    masking = InverseBlocks(kept=0.4, side=side)
    blocks = masking.blocks((rows, columns), seeded(seed, 5)).unflatten(1, (rows, columns)).float()
    # Centres are where nothing is missing around them; the squares around all of these are the blocks again.
    window: Any = {"kernel_size": side, "stride": 1, "padding": side // 2}
    is_centre = -torch.nn.functional.max_pool2d(-blocks[:, None], **window)
    assert torch.equal(torch.nn.functional.max_pool2d(is_centre, **window)[:, 0], blocks)
    assert (blocks.sum(dim=(1, 2)) <= int(rows * columns * 0.47 / side**2) * side**2).all()


@given(seeds)
def test_masks_are_functions_of_the_generators_alone(seed: int) -> None:
    ids = torch.arange(3, 39).repeat(2, 1)
    for draw in (
        lambda: FrameSpans()(torch.tensor([50, 40]), 50, seeded(seed, 2)).is_masked,
        lambda: BertTokens(**VOCABULARY)(ids, seeded(seed, 2)).input_ids,
        lambda: TokenSpans(**VOCABULARY)(ids, seeded(seed, 2)).input_ids,
        lambda: PatchBlocks()(2, (14, 14), seeded(seed, 2)).is_masked,
        lambda: InverseBlocks()(2, (14, 14), seeded(seed, 2)).is_masked,
    ):
        state = torch.get_rng_state()
        first = draw()
        assert torch.equal(torch.get_rng_state(), state), "the global generator is left alone"
        torch.rand(1)
        assert torch.equal(draw(), first)


@given(st.lists(st.integers(12, 90), min_size=1, max_size=4), st.booleans(), seeds)
def test_frame_spans_of_a_row_know_nothing_of_the_others(lengths: list[int], equal_counts: bool, seed: int) -> None:
    masking = FrameSpans(equal_counts=equal_counts)
    many = masking(torch.tensor(lengths), max(lengths) + 5, seeded(seed, len(lengths))).is_masked
    fewest = int(many.sum(dim=1).min())
    for place, length in enumerate(lengths):
        own = mask_generators(seed, 0, [place])
        (alone,) = masking(torch.tensor([length]), length, own, lambda _: fewest).is_masked
        assert torch.equal(many[place, :length], alone)


@given(sentences(), shares, seeds)
def test_tokens_of_a_row_know_nothing_of_the_others(input_ids: Tensor, probability: float, seed: int) -> None:
    for kind in (BertTokens, TokenSpans):
        masking = kind(**VOCABULARY, probability=probability)
        many = masking(input_ids, seeded(seed, len(input_ids)))
        for place, row in enumerate(input_ids):
            alone = masking(row[row != 1][None], mask_generators(seed, 0, [place]))
            assert torch.equal(many.is_masked[place][row != 1], alone.is_masked[0])
            assert torch.equal(many.input_ids[place][row != 1], alone.input_ids[0])


@given(st.integers(2, 5), seeds)
def test_blocks_of_a_row_know_nothing_of_the_others(batch: int, seed: int) -> None:
    for masking in (PatchBlocks(), InverseBlocks()):
        many = masking(batch, (14, 14), seeded(seed, batch)).is_masked
        for place, row in enumerate(many):
            assert torch.equal(masking(1, (14, 14), mask_generators(seed, 0, [place])).is_masked[0], row)


def test_generators_differ_by_seed_batch_place_and_number() -> None:
    def first(*key: int) -> list[float]:
        seed, batch, place, number = key
        return torch.rand(3, generator=mask_generators(seed, batch, [place], 4)[number]).tolist()

    keys = [(0, 0, 0, 0), *itertools.permutations((0, 0, 0, 1)), *itertools.permutations((0, 1, 2, 3))]
    drawn = {key: tuple(first(*key)) for key in keys}
    assert len(drawn) == 1 + 4 + 24
    assert len(set(drawn.values())) == len(drawn)
    assert tuple(first(0, 1, 2, 3)) == drawn[0, 1, 2, 3]
    several = [tuple(torch.rand(3, generator=own).tolist()) for own in mask_generators(0, 1, [2, 3], 4)]
    assert several[3] == drawn[0, 1, 2, 3], "the masks of a row follow each other"
    assert several[6] == drawn[0, 1, 3, 2]
    # Of neighbours nothing is shared: first numbers over many places are uniform and unrelated.
    numbers = torch.stack([torch.rand(2, generator=own) for own in mask_generators(1, 5, range(2000))])
    assert numbers.mean(dim=0).tolist() == pytest.approx([0.5, 0.5], abs=0.03)
    assert (
        torch.corrcoef(torch.stack([numbers[:-1, 0], numbers[1:, 0], numbers[1:, 1]])).fill_diagonal_(0).abs().max()
        < 0.1
    )


def test_shares_of_the_published_settings() -> None:
    """Over many draws: half of the frames, 80/10/10 of the chosen tokens, nearly 120 of 196 patches."""
    frames = FrameSpans(equal_counts=False)(torch.full((400,), 500), 500, seeded(rows=400)).is_masked
    assert frames.float().mean().item() == pytest.approx(1 - (1 - 0.65 / 10) ** 10, abs=0.01)

    ids = torch.randint(3, 50264, (200, 500), generator=torch.Generator().manual_seed(0))
    masked = BertTokens()(ids, seeded(1, 200))
    chosen, seen = ids[masked.is_masked], masked.input_ids[masked.is_masked]
    assert len(chosen) == 200 * 75
    assert (seen == 50264).float().mean().item() == pytest.approx(0.8, abs=0.015)
    assert (seen == chosen).float().mean().item() == pytest.approx(0.1, abs=0.01)

    spans = TokenSpans()(ids, seeded(2, 200)).is_masked
    assert spans.float().mean().item() == pytest.approx(1 - (1 - 0.35 / 4) ** 4, abs=0.01)

    counts = PatchBlocks()(200, (14, 14), seeded(rows=200)).is_masked.sum(dim=1)
    assert counts.max() == 120
    assert counts.float().mean() > 115
    assert len(counts.unique()) > 1, "the count varies"

    inverse = InverseBlocks()
    assert (~inverse(200, (14, 14), seeded(rows=200)).is_masked).sum(dim=1).unique().tolist() == [39]
    per_row = inverse.blocks((14, 14), seeded(rows=2000)).sum(dim=1)
    assert per_row.max() == 5 * 9, "five blocks"
    assert 30 < per_row.float().mean() < 40, "which overlap and are cut"


def test_settings_and_clips_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match=r"FrameSpans.probability=1.5"):
        FrameSpans(probability=1.5)
    with pytest.raises(ValueError, match=r"FrameSpans.span=0"):
        FrameSpans(span=0)
    with pytest.raises(ValueError, match="add up to more than 1"):
        BertTokens(random_share=0.7, keep_share=0.7)
    with pytest.raises(ValueError, match="mask_id=50264 is outside"):
        TokenSpans(vocab_size=100)
    with pytest.raises(ValueError, match=r"PatchBlocks.min_aspect=2"):
        PatchBlocks(min_aspect=2)
    with pytest.raises(ValueError, match=r"InverseBlocks.kept=-0.1"):
        InverseBlocks(kept=-0.1)
    with pytest.raises(ValueError, match=r"InverseBlocks.side=0"):
        InverseBlocks(side=0)
    with pytest.raises(ValueError, match="a clip of 10 frames cannot hide a span of 10"):
        FrameSpans()(torch.tensor([30, 10]), 30, seeded(rows=2))
    for draw in (
        lambda few: FrameSpans()(torch.tensor([30, 30]), 30, few),
        lambda few: BertTokens()(torch.zeros(2, 5, dtype=torch.long), few),
        lambda few: PatchBlocks()(2, (14, 14), few),
        lambda few: InverseBlocks()(2, (14, 14), few),
    ):
        with pytest.raises(ValueError, match="generators: one for each of the 2 rows, got 1"):
            draw(seeded(rows=1))
