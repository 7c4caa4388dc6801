"""What must not change a text model's numbers, and what the rules of positions and filters promise."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from data2vec_core import Data2VecTextForCausalLM, Data2VecTextForMaskedLM
from data2vec_core.text.embeddings import token_position_ids
from data2vec_core.text.sampling import keep_top_k, keep_top_p
from tests.text_samples import DECODER, TINY

PAD = TINY.pad_token_id
lengths = st.integers(1, 12)
seeds = st.integers(0, 2**31)


@cache
def masked() -> Data2VecTextForMaskedLM:
    torch.manual_seed(0)
    return Data2VecTextForMaskedLM(TINY.replace(initializer_range=0.2)).eval()


@cache
def causal() -> Data2VecTextForCausalLM:
    torch.manual_seed(0)
    return Data2VecTextForCausalLM(DECODER.replace(initializer_range=0.2)).eval()


def tokens(length: int, seed: int) -> Tensor:
    return torch.randint(4, TINY.vocab_size, (length,), generator=torch.Generator().manual_seed(seed))


def assert_same(ours: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5 * expected.abs().max().item())


@settings(deadline=None, max_examples=25)
@given(st.lists(lengths, min_size=1, max_size=5), seeds, st.booleans())
@torch.no_grad()
def test_a_batch_equals_its_items_whichever_side_is_padded(sizes: list[int], seed: int, left: bool) -> None:
    items = [tokens(size, seed + i) for i, size in enumerate(sizes)]
    longest = max(sizes)
    batch = torch.full((len(items), longest), PAD)
    places = [slice(longest - size, None) if left else slice(size) for size in sizes]
    for row, place, item in zip(batch, places, items, strict=True):
        row[place] = item
    logits = masked()(batch, batch != PAD).logits
    for row, place, item in zip(logits, places, items, strict=True):
        assert_same(row[place], masked()(item[None]).logits[0])


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), seeds)
@torch.no_grad()
def test_a_cache_may_be_fed_in_any_pieces(pieces: list[int], seed: int) -> None:
    ids = tokens(sum(pieces), seed)[None]
    whole = causal()(ids, use_cache=False).logits
    cached, start = None, 0
    for piece in pieces:
        step = causal()(ids[:, start : start + piece], past_key_values=cached)
        assert_same(step.logits, whole[:, start : start + piece])
        cached, start = step.past_key_values, start + piece


@settings(deadline=None, max_examples=25)
@given(lengths, lengths, seeds)
@torch.no_grad()
def test_what_follows_changes_no_earlier_state(length: int, more: int, seed: int) -> None:
    ids = tokens(length + more, seed)[None]
    assert_same(causal()(ids).logits[:, :length], causal()(ids[:, :length]).logits)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.integers(0, 5))
def test_position_ids_number_the_real_tokens(ids: list[int], pad: int) -> None:
    positions = token_position_ids(torch.tensor([ids]), pad)[0].tolist()
    real = [position for token, position in zip(ids, positions, strict=True) if token != pad]
    assert real == list(range(pad + 1, pad + 1 + len(real)))
    assert all(position == pad for token, position in zip(ids, positions, strict=True) if token == pad)


@given(st.integers(2, 30), seeds, st.integers(1, 40), st.floats(0, 1))
def test_filters_keep_the_likeliest(vocab: int, seed: int, top_k: int, top_p: float) -> None:
    logits = torch.randn(vocab, generator=torch.Generator().manual_seed(seed))
    probabilities = logits.softmax(-1)
    by_count = keep_top_k(logits, top_k).isfinite()
    assert by_count.sum() == min(top_k, vocab)
    by_share = keep_top_p(logits, top_p).isfinite()
    assert by_share.any()
    for kept in (by_count, by_share):
        if not kept.all():
            assert probabilities[kept].min() >= probabilities[~kept].max()
    # The set is large enough, and without its least member it would not be (but for rounding).
    assert probabilities[by_share].sum() >= top_p - 1e-5
    if by_share.sum() > 1:
        assert probabilities[by_share].sum() - probabilities[by_share].min() <= top_p + 1e-5


@settings(deadline=None, max_examples=15)
@given(st.lists(lengths, min_size=1, max_size=4), seeds, st.booleans())
def test_a_batch_of_prompts_is_continued_as_each_alone(sizes: list[int], seed: int, zero_based: bool) -> None:
    prompts = [tokens(size, seed + i) for i, size in enumerate(sizes)]
    longest = max(sizes)
    batch = torch.stack([torch.nn.functional.pad(p, (longest - len(p), 0), value=PAD) for p in prompts])
    options: dict[str, Any] = {"max_new_tokens": 6, "eos_token_id": ()}
    together = causal().generate(batch, zero_based_positions=zero_based, **options)
    for row, prompt in zip(together, prompts, strict=True):
        alone = causal().generate(prompt[None], zero_based_positions=zero_based, **options)
        assert row[longest - len(prompt) :].tolist() == alone[0].tolist()


def test_pieces_are_told_apart() -> None:
    """The comparisons above can fail: neighbouring states of one text differ by more than their tolerance."""
    logits = masked()(tokens(6, 1)[None]).logits[0]
    assert all((a - b).abs().max() > 1e-2 * logits.abs().max() for a, b in pairwise(logits))
