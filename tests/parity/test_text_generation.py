"""Generated texts against the reference's `generate`, token by token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from data2vec_core import Data2VecTextForCausalLM
from tests.parity.reference import random_reference, reload_in_ours, transformers
from tests.text_samples import CROSS_DECODER, DECODER

Pair = tuple[Any, Data2VecTextForCausalLM]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A decoder that likes to end its texts, so that they differ in length."""
    torch.manual_seed(11)
    reference = random_reference(transformers.Data2VecTextForCausalLM, DECODER)
    with torch.no_grad():
        reference.lm_head.bias[DECODER.eos_token_id] += 0.9
    return reference, reload_in_ours(reference, Data2VecTextForCausalLM, tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def prompts() -> dict[str, Any]:
    """Five prompts, of which two are padded on the left."""
    ids = torch.randint(4, DECODER.vocab_size, (5, 7), generator=torch.Generator().manual_seed(5))
    ids[1, :2] = DECODER.pad_token_id
    ids[4, :5] = DECODER.pad_token_id
    return {"input_ids": ids, "attention_mask": (ids != DECODER.pad_token_id).long()}


def lengths(texts: Tensor) -> set[int]:
    """The different lengths of the texts, padding left out."""
    return set((texts != DECODER.pad_token_id).sum(dim=1).tolist())


@pytest.mark.parametrize("use_cache", [True, False], ids=["cache", "no cache"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_beams": 3},
        {"num_beams": 4, "num_return_sequences": 3, "length_penalty": 2.0, "early_stopping": True},
        {"num_beams": 4, "num_return_sequences": 4, "length_penalty": -1.0, "early_stopping": "never"},
        {"num_beams": 3, "length_penalty": 1.5, "early_stopping": "never"},
        {"num_beams": 2, "length_penalty": 0.0},
        {"num_beams": 3, "eos_token_id": [2, 17, 40]},
        {"eos_token_id": [2, 17, 40]},
    ],
    ids=str,
)
def test_the_same_tokens(options: dict[str, Any], use_cache: bool, pair: Pair, prompts: dict[str, Any]) -> None:
    reference, ours = pair
    expected = reference.generate(**prompts, **options, use_cache=use_cache, max_new_tokens=24)
    got = ours.generate(**prompts, **options, use_cache=use_cache, max_new_tokens=24)
    assert len(lengths(expected)) > 1, "texts of one length only would not test their end"
    assert torch.equal(got, expected)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.6, "top_k": 10},
        {"top_k": 0, "top_p": 0.7},
        {"temperature": 1.5, "top_k": 30, "top_p": 0.5, "num_return_sequences": 3},
    ],
    ids=str,
)
def test_the_same_draws(options: dict[str, Any], pair: Pair, prompts: dict[str, Any]) -> None:
    """With the same random numbers, whichever generator they come from."""
    reference, ours = pair
    torch.manual_seed(3)
    expected = reference.generate(**prompts, **options, do_sample=True, max_new_tokens=24)
    own = torch.Generator().manual_seed(3)
    assert torch.equal(ours.generate(**prompts, **options, do_sample=True, max_new_tokens=24, generator=own), expected)
    torch.manual_seed(3)
    assert torch.equal(ours.generate(**prompts, **options, do_sample=True, max_new_tokens=24), expected)


def test_the_default_length_and_mask(pair: Pair, prompts: dict[str, Any]) -> None:
    reference, ours = pair
    expected = reference.generate(prompts["input_ids"])
    assert expected.shape[1] == 7 + 20
    assert torch.equal(ours.generate(prompts["input_ids"]), expected)
    assert torch.equal(ours.generate(**prompts, max_length=12), reference.generate(**prompts, max_length=12))


@pytest.mark.parametrize("beams", [1, 3])
def test_with_an_encoder_to_look_at(beams: int, prompts: dict[str, Any], tmp_path: Path) -> None:
    reference = random_reference(transformers.Data2VecTextForCausalLM, CROSS_DECODER)
    ours = reload_in_ours(reference, Data2VecTextForCausalLM, tmp_path)
    prompts = {name: tensor[:2] for name, tensor in prompts.items()}
    states = torch.randn(2, 6, CROSS_DECODER.hidden_size)
    is_real = torch.tensor([[1] * 6, [1, 1, 1, 0, 0, 0]])
    given = {**prompts, "encoder_hidden_states": states, "encoder_attention_mask": is_real}
    options: dict[str, Any] = {"num_beams": beams, "max_new_tokens": 10}
    # The reference's `generate` makes a cache without room for cross-attention: so it goes without.
    expected = reference.generate(**given, **options, use_cache=False)
    got = ours.generate(**given, **options)
    assert torch.equal(got, expected)


def test_positions_count_from_zero_only_when_asked(pair: Pair, prompts: dict[str, Any]) -> None:
    """The reference's `generate` and `forward` disagree on positions (data2vec.md 2.2): the default follows the
    former, `zero_based_positions=False` the latter. Each greedy text is checked against plain forward passes."""
    reference, ours = pair
    alone = prompts["input_ids"][:1]
    texts = {}
    for zero_based in (True, False):
        text = alone
        while text.shape[1] < 19 and text[0, -1] != DECODER.eos_token_id:
            positions = torch.arange(text.shape[1])[None] if zero_based else None
            with torch.no_grad():
                logits = reference(text, position_ids=positions, use_cache=False).logits
            text = torch.cat([text, logits[:, -1:].argmax(-1)], dim=1)
        texts[zero_based] = text
        got = ours.generate(alone, max_length=19, zero_based_positions=zero_based)
        assert torch.equal(got, text)
    assert not torch.equal(texts[True], texts[False]), "the two ways must differ for the test to say anything"
    assert torch.equal(reference.generate(alone, max_length=19), texts[True])
