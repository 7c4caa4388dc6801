"""The text model as a decoder, against the reference: causality, cache, cross-attention, tied tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from data2vec_core import Data2VecTextConfig, Data2VecTextForCausalLM, Data2VecTextForMaskedLM, Data2VecTextModel
from tests.parity.reference import (
    assert_close_to_reference,
    assert_same_gradients,
    random_reference,
    relative_difference,
    reload_in_ours,
    reload_in_reference,
    transformers,
)
from tests.text_samples import CROSS_DECODER, DECODER, TINY, token_ids

RECORD: dict[str, Any] = {"output_hidden_states": True, "output_attentions": True}


def causal_pair(config: Data2VecTextConfig, tmp_path: Path) -> tuple[Any, Data2VecTextForCausalLM]:
    reference = random_reference(transformers.Data2VecTextForCausalLM, config)
    return reference, reload_in_ours(reference, Data2VecTextForCausalLM, tmp_path)


def encoder_states(config: Data2VecTextConfig, *, padded: bool) -> dict[str, Tensor]:
    states = {"encoder_hidden_states": torch.randn(4, 7, config.hidden_size)}
    if padded:
        states["encoder_attention_mask"] = torch.ones(4, 7, dtype=torch.long)
        states["encoder_attention_mask"][1::2, 5:] = 0
    return states


@pytest.mark.parametrize("config", [DECODER, CROSS_DECODER], ids=["self", "cross"])
@pytest.mark.parametrize("padded", [False, True], ids=["unpadded", "padded"])
def test_token_by_token_with_a_cache(config: Data2VecTextConfig, padded: bool, tmp_path: Path) -> None:
    """A prompt, then a few tokens at a time: every step's states and attentions, and the last logits."""
    reference, ours = causal_pair(config, tmp_path)
    context = encoder_states(config, padded=padded) if config.add_cross_attention else {}
    ids = torch.randint(4, config.vocab_size, (4, 12))
    is_real = torch.ones_like(ids)
    if padded:
        is_real[1::2, :3] = 0
        ids = ids.masked_fill(is_real == 0, config.pad_token_id)
    our_cache = their_cache = None
    start = 0
    for end in (5, 6, 7, 10, 12):
        inputs: dict[str, Any] = {"input_ids": ids[:, start:end], "attention_mask": is_real[:, :end]}
        inputs |= {"use_cache": True} | context
        with torch.no_grad():
            expected = reference(**inputs, past_key_values=their_cache, **RECORD)
            got = ours(**inputs, past_key_values=our_cache, **RECORD)
        assert_close_to_reference(got, expected)
        their_cache, our_cache, start = expected.past_key_values, got.past_key_values, end
        assert our_cache.length == end


def test_embeddings_after_a_cache_start_anew(tmp_path: Path) -> None:
    """A quirk of the reference: positions of `inputs_embeds` ignore the cache. With explicit ones all is well."""
    reference, ours = causal_pair(DECODER, tmp_path)
    ids = torch.randint(4, DECODER.vocab_size, (2, 8))
    embedded = ours.get_input_embeddings()(ids[:, 5:])
    with torch.no_grad():
        whole = ours(ids, use_cache=False).logits[:, 5:]
        for positions in (None, torch.arange(7, 10)[None]):
            theirs = reference(ids[:, :5], use_cache=True).past_key_values
            expected = reference(inputs_embeds=embedded, past_key_values=theirs, position_ids=positions).logits
            cache = ours(ids[:, :5]).past_key_values
            got = ours(inputs_embeds=embedded, past_key_values=cache, position_ids=positions).logits
            assert_close_to_reference(got, expected)
            assert (relative_difference(got, whole) < 1e-5) == (positions is not None)


@pytest.mark.parametrize("padded", [False, True], ids=["unpadded", "padded"])
def test_cross_attention_losses_and_gradients(padded: bool, tmp_path: Path) -> None:
    reference, ours = causal_pair(CROSS_DECODER, tmp_path)
    inputs = token_ids(CROSS_DECODER, 4, 11, padded=padded)
    inputs |= encoder_states(CROSS_DECODER, padded=padded) | {"labels": inputs["input_ids"]}
    expected, got = reference(**inputs, **RECORD), ours(**inputs, **RECORD)
    assert len(got.cross_attentions) == CROSS_DECODER.num_hidden_layers
    assert_close_to_reference(got, expected)
    expected.loss.backward()
    got.loss.backward()
    assert_same_gradients(ours, reference)


def test_a_cross_attention_decoder_without_encoder_states(tmp_path: Path) -> None:
    reference, ours = causal_pair(CROSS_DECODER, tmp_path)
    inputs = token_ids(CROSS_DECODER, 4, 11, padded=True)
    assert_close_to_reference(ours(**inputs, **RECORD), reference(**inputs, **RECORD))


def test_cross_attention_files_load_on_both_sides(tmp_path: Path) -> None:
    ours = Data2VecTextModel(CROSS_DECODER).eval()
    reference = reload_in_reference(ours, transformers.Data2VecTextModel, tmp_path)
    inputs = token_ids(CROSS_DECODER, 4, 11) | encoder_states(CROSS_DECODER, padded=True)
    assert_close_to_reference(ours(**inputs, **RECORD), reference(**inputs, **RECORD))


@pytest.mark.parametrize("kept", [1, 3, torch.tensor([0, 4, 10])], ids=["last", "last three", "chosen"])
def test_logits_to_keep(kept: Any, tmp_path: Path) -> None:
    reference, ours = causal_pair(DECODER, tmp_path)
    inputs = token_ids(DECODER, 2, 11)
    assert_close_to_reference(ours(**inputs, logits_to_keep=kept), reference(**inputs, logits_to_keep=kept))


def test_gradient_checkpointing_gives_the_same_gradients_and_no_cache(tmp_path: Path) -> None:
    reference, ours = causal_pair(DECODER.replace(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0), tmp_path)
    ids = token_ids(DECODER, 2, 11)["input_ids"]
    reference(ids, labels=ids).loss.backward()
    ours.train()
    ours.gradient_checkpointing_enable()
    assert ours(ids, use_cache=True).past_key_values is None
    ours(ids, labels=ids).loss.backward()
    assert_same_gradients(ours, reference)


@pytest.mark.parametrize("name", ["Data2VecTextForMaskedLM", "Data2VecTextForCausalLM"])
def test_an_untied_table(name: str, tmp_path: Path) -> None:
    """The reference then has two biases, of which it uses the decoder's; ours has that one."""
    is_decoder = name.endswith("CausalLM")
    config = TINY.replace(tie_word_embeddings=False, is_decoder=is_decoder)
    our_class = Data2VecTextForCausalLM if is_decoder else Data2VecTextForMaskedLM
    reference = random_reference(getattr(transformers, name), config)
    ours = reload_in_ours(reference, our_class, tmp_path)
    inputs = token_ids(config, 2, 9, padded=True)
    inputs["labels"] = inputs["input_ids"]
    expected, got = reference(**inputs), ours(**inputs)
    assert_close_to_reference(got, expected)

    expected.loss.backward()
    got.loss.backward()
    table, bias = ours.lm_head.decoder.weight, ours.lm_head.bias  # type: ignore[union-attr]
    assert_close_to_reference(table.grad, reference.lm_head.decoder.weight.grad, 1e-4)
    assert_close_to_reference(bias.grad, reference.lm_head.decoder.bias.grad, 1e-4)
    words = ours.get_input_embeddings().weight.grad
    assert_close_to_reference(words, reference.get_input_embeddings().weight.grad, 1e-4)

    back = reload_in_reference(ours, type(reference), tmp_path)
    assert_close_to_reference(ours(**inputs), back(**inputs))


def test_a_tied_file_has_the_tensors_of_the_references(tmp_path: Path) -> None:
    from safetensors import safe_open

    reference = random_reference(transformers.Data2VecTextForMaskedLM, TINY)
    ours = reload_in_ours(reference, Data2VecTextForMaskedLM, tmp_path)
    ours.save_pretrained(tmp_path / "again")
    names = []
    for folder in ("from-reference", "again"):
        with safe_open(tmp_path / folder / "model.safetensors", "pt") as file:
            names.append(sorted(file.keys()))
    assert names[0] == names[1]
    assert not [name for name in names[0] if "decoder" in name]
