"""The text models by themselves: positions, limits, cache, resizing, freezing, recording, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from data2vec_core import (
    Data2VecTextForCausalLM,
    Data2VecTextForMaskedLM,
    Data2VecTextForMultipleChoice,
    Data2VecTextForQuestionAnswering,
    Data2VecTextForSequenceClassification,
    Data2VecTextForTokenClassification,
    Data2VecTextModel,
    Trace,
)
from data2vec_core.checkpoints.loading import CheckpointWarning
from data2vec_core.text.attention import self_attention_bias
from data2vec_core.text.cache import KeyValueCache
from data2vec_core.text.embeddings import running_position_ids, token_position_ids
from tests.text_samples import CROSS_DECODER, DECODER, TINY, token_ids


def test_position_ids_count_real_tokens_from_one_past_padding() -> None:
    ids = torch.tensor([[0, 5, 2, 1, 1], [1, 1, 0, 5, 2], [1, 1, 1, 1, 1]])
    assert token_position_ids(ids, 1).tolist() == [[2, 3, 4, 1, 1], [1, 1, 2, 3, 4], [1, 1, 1, 1, 1]]
    assert token_position_ids(ids, 0).tolist()[0] == [0, 1, 2, 3, 4]
    assert token_position_ids(ids, 1, past_length=3).tolist()[0] == [5, 6, 7, 1, 1]


def test_position_ids_of_embeddings_run_on() -> None:
    assert running_position_ids(4, 1).tolist() == [[2, 3, 4, 5]]


def test_ten_positions_hold_eight_tokens() -> None:
    model = Data2VecTextModel(TINY.replace(max_position_embeddings=10)).eval()
    model(torch.full((1, 8), 5))
    model(torch.tensor([[5] * 8 + [1] * 3]))  # padding has no position of its own
    model(inputs_embeds=torch.zeros(1, 8, 32))
    with pytest.raises(ValueError, match="has 9 tokens, the model reads at most 8"):
        model(torch.full((1, 9), 5))
    with pytest.raises(ValueError, match="has 9 tokens, the model reads at most 8"):
        model(inputs_embeds=torch.zeros(1, 9, 32))


def test_a_cache_counts_towards_the_limit() -> None:
    model = Data2VecTextModel(DECODER.replace(max_position_embeddings=10)).eval()
    cache = model(torch.full((1, 6), 5)).past_key_values
    model(torch.full((1, 2), 5), past_key_values=cache)
    with pytest.raises(ValueError, match="has 9 tokens"):
        model(torch.full((1, 1), 5), past_key_values=cache)


@pytest.mark.parametrize("form", ["relative_key", "relative_key_query"])
def test_relative_positions(form: Any) -> None:
    """A cache does not change the numbers, whichever way the tokens come; the table of distances is the limit."""
    model = Data2VecTextModel(DECODER.replace(position_embedding_type=form, max_position_embeddings=10)).eval()
    ids = torch.randint(4, 100, (2, 10))
    whole = model(ids, use_cache=False).last_hidden_state
    cache = None
    for start, end in ((0, 6), (6, 7), (7, 10)):
        step = model(ids[:, start:end], past_key_values=cache)
        cache = step.past_key_values
        torch.testing.assert_close(step.last_hidden_state, whole[:, start:end], rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="11 tokens, the model knows distances up to 9"):
        model(torch.full((1, 11), 5))


@pytest.mark.parametrize(
    ("config", "inputs", "message"),
    [
        (TINY, {}, "exactly one of input_ids and inputs_embeds"),
        (TINY, {"input_ids": torch.tensor([[5]]), "inputs_embeds": torch.zeros(1, 1, 32)}, "exactly one of"),
        (TINY, {"input_ids": torch.tensor([[5, 120]])}, r"input_ids must lie in 0..119 .*got 5..120"),
        (TINY, {"input_ids": torch.tensor([[-1]])}, "input_ids must lie in"),
        (TINY, {"input_ids": torch.tensor([[5]]), "token_type_ids": torch.tensor([[2]])}, "token_type_ids must lie"),
        (TINY, {"input_ids": torch.tensor([[5]]), "position_ids": torch.tensor([[40]])}, "position_ids must lie in"),
        (TINY, {"input_ids": torch.tensor([[5, 6]]), "attention_mask": torch.ones(1, 3)}, r"shape \(1, 3\); expected"),
        (TINY, {"input_ids": torch.tensor([[5]]), "encoder_hidden_states": torch.zeros(1, 2, 32)}, "is_decoder=True"),
        (DECODER, {"input_ids": torch.tensor([[5]]), "encoder_hidden_states": torch.zeros(1, 2, 32)}, "add_cross_at"),
        (TINY, {"input_ids": torch.tensor([[5]]), "past_key_values": KeyValueCache(3)}, "past_key_values needs"),
        (DECODER, {"input_ids": torch.tensor([[5]]), "past_key_values": ()}, "must be a KeyValueCache, got tuple"),
        (TINY, {"input_ids": torch.tensor([5, 6])}, r"input_ids must be \(batch, tokens\), got shape \(2,\)"),
        (TINY, {"inputs_embeds": torch.zeros(1, 32)}, r"inputs_embeds must be \(batch, tokens, dim\)"),
    ],
)
def test_clear_errors(config: Any, inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Data2VecTextModel(config)(**inputs)


@pytest.mark.parametrize(
    ("model_class", "labels", "message"),
    [
        (Data2VecTextForSequenceClassification, [2], r"ids from 0 to 1 \(num_labels=2\), or -100 .* got 2 to 2"),
        (Data2VecTextForTokenClassification, [[0, -1, -100]], r"\(num_labels=2\), or -100 .* got -1 to 0"),
        (Data2VecTextForMaskedLM, [[5, 120, 6]], r"ids from 0 to 119 \(vocab_size=120\)"),
    ],
)
def test_labels_that_name_no_class(model_class: Any, labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model_class(TINY)(torch.tensor([[5, 6, 7]]), labels=torch.tensor(labels))


def test_a_cache_is_not_dropped_in_silence() -> None:
    model = Data2VecTextModel(DECODER).train()
    ids = torch.tensor([[5, 6, 7]])
    cache = model(ids).past_key_values
    model.gradient_checkpointing_enable()
    with pytest.warns(UserWarning, match="past_key_values is left out"):
        result = model(ids, past_key_values=cache)
    assert result.past_key_values is None
    assert cache.length == 3


def test_question_answering_wants_two_labels_and_choices_a_dimension() -> None:
    with pytest.raises(ValueError, match="num_labels=2"):
        Data2VecTextForQuestionAnswering(TINY.replace(num_labels=3))
    with pytest.raises(ValueError, match=r"\(batch, choices, tokens\)"):
        Data2VecTextForMultipleChoice(TINY)(torch.tensor([[5]]))


def test_causal_and_masked_models_say_when_the_other_was_meant() -> None:
    with pytest.warns(UserWarning, match="cannot write"):
        Data2VecTextForCausalLM(TINY)
    with pytest.warns(UserWarning, match="is_decoder=True"):
        Data2VecTextForMaskedLM(DECODER)


def test_a_causal_mask_hides_later_tokens_and_padding() -> None:
    bias = self_attention_bias(torch.tensor([[0, 1, 1, 1]]), queries=2, keys=4, is_causal=True, like=torch.zeros(()))
    assert bias is not None
    assert (bias == 0).int().tolist() == [[[[0, 1, 1, 0], [0, 1, 1, 1]]]]
    assert self_attention_bias(None, queries=1, keys=4, is_causal=True, like=torch.zeros(())) is None


def test_a_decoder_does_not_see_the_future() -> None:
    """By gradients: the state of token 3 depends on tokens 0 to 3 alone."""
    for config, seen in ((DECODER, 4), (TINY, 8)):
        model = Data2VecTextModel(config).eval()
        embedded = torch.randn(1, 8, 32, requires_grad=True)
        model(inputs_embeds=embedded).last_hidden_state[0, 3].square().sum().backward()
        assert embedded.grad is not None
        assert embedded.grad[0].abs().sum(-1).gt(0).tolist() == [position < seen for position in range(8)]


def test_a_cache_is_made_only_by_a_decoder_that_wants_one() -> None:
    ids = torch.tensor([[5, 6, 7]])
    assert Data2VecTextModel(TINY)(ids).past_key_values is None
    assert Data2VecTextModel(TINY)(ids, use_cache=True).past_key_values is None
    assert Data2VecTextModel(DECODER)(ids).past_key_values.length == 3
    assert Data2VecTextModel(DECODER)(ids, use_cache=False).past_key_values is None
    assert Data2VecTextModel(DECODER.replace(use_cache=False))(ids).past_key_values is None
    causal = Data2VecTextForCausalLM(DECODER)
    assert causal(ids, labels=ids, use_cache=True).past_key_values is None


def test_a_reordered_cache_continues_other_rows() -> None:
    model = Data2VecTextForCausalLM(CROSS_DECODER).eval()
    ids = torch.randint(4, 100, (3, 6))
    states = torch.randn(3, 4, 32)
    cache = model(ids[:, :5], encoder_hidden_states=states).past_key_values
    rows = torch.tensor([2, 0, 2, 1])
    cache.reorder(rows)
    step = model(ids[rows, 5:], encoder_hidden_states=states[rows], past_key_values=cache)
    whole = model(ids, encoder_hidden_states=states, use_cache=False)
    torch.testing.assert_close(step.logits[:, -1], whole.logits[rows, -1], rtol=1e-5, atol=1e-5)
    assert step.past_key_values.length == 6


def test_cross_attention_keys_are_made_once() -> None:
    model = Data2VecTextModel(CROSS_DECODER).eval()
    cache = model(torch.tensor([[5, 6]]), encoder_hidden_states=torch.randn(1, 4, 32)).past_key_values
    first = cache[0].cross.keys
    model(torch.tensor([[7]]), encoder_hidden_states=torch.randn(1, 4, 32), past_key_values=cache)
    assert cache[0].cross.keys is first


def test_an_empty_cache_has_no_length() -> None:
    assert KeyValueCache(2).length == 0
    assert KeyValueCache(0).length == 0
    KeyValueCache(2).reorder(torch.tensor([0]))


@pytest.mark.parametrize("is_tied", [True, False])
@pytest.mark.parametrize("size", [150, 90])
def test_resizing_keeps_old_tokens(size: int, is_tied: bool, tmp_path: Path) -> None:
    model = Data2VecTextForMaskedLM(TINY.replace(tie_word_embeddings=is_tied)).eval()
    with torch.no_grad():
        model.lm_head.bias.normal_()
    ids = torch.randint(4, 90, (2, 7))
    before = model(ids).logits
    table = model.resize_token_embeddings(size)
    assert model.get_input_embeddings() is table
    assert model.config.vocab_size == model.backbone.config.vocab_size == table.num_embeddings == size
    after = model(ids).logits
    assert after.shape == (2, 7, size)
    kept = min(size, 120)
    torch.testing.assert_close(after[..., :kept], before[..., :kept])
    assert not model.lm_head.bias[kept:].any()
    model(torch.full((1, 1), size - 1), labels=torch.full((1, 1), size - 1)).loss.backward()
    model.save_pretrained(tmp_path)
    again = Data2VecTextForMaskedLM.from_pretrained(tmp_path)
    torch.testing.assert_close(again(ids).logits, after)


def test_resizing_a_bare_model_and_a_frozen_one() -> None:
    model = Data2VecTextModel(TINY)
    model.freeze_base_model()
    table = model.resize_token_embeddings(130)
    assert not table.weight.requires_grad
    assert not table.weight[TINY.pad_token_id].any()
    assert model.config.vocab_size == 130
    model(torch.tensor([[129]]))
    with pytest.raises(ValueError, match="new_num_tokens=1 leaves out the padding token 1"):
        model.resize_token_embeddings(new_num_tokens=1)


def test_freezing_the_base_leaves_the_head() -> None:
    model = Data2VecTextForSequenceClassification(TINY)
    model.freeze_base_model()
    model(torch.tensor([[5, 6]]), labels=torch.tensor([1])).loss.backward()
    assert all(parameter.grad is None for parameter in model.base_model.parameters())
    assert all(parameter.grad is not None for parameter in model.classifier.parameters())


def test_a_tied_table_is_one_parameter() -> None:
    tied = Data2VecTextForMaskedLM(TINY)
    untied = Data2VecTextForMaskedLM(TINY.replace(tie_word_embeddings=False))
    assert untied.num_parameters() - tied.num_parameters() == TINY.vocab_size * TINY.hidden_size
    assert "lm_head.decoder.weight" not in tied.state_dict()


def test_the_trace_records_chosen_layers_and_the_others_run_fused() -> None:
    model = Data2VecTextForMaskedLM(TINY).eval()
    inputs = token_ids(TINY, 2, 9, padded=True)
    trace = Trace({"attention": [2], "feed_forward": None, "values": [1], "hidden": [0, 3]})
    with mock.patch.object(F, "scaled_dot_product_attention", wraps=F.scaled_dot_product_attention) as fused:
        plain = model(**inputs)
        assert fused.call_count == 3
        fused.reset_mock()
        traced = model(**inputs, trace=trace)
        assert fused.call_count == 2
    torch.testing.assert_close(traced.logits, plain.logits, rtol=1e-5, atol=1e-5)
    assert traced.hidden_states is None
    assert trace.layers("attention") == [2]
    assert trace.layers("feed_forward") == [1, 2, 3]
    assert trace["values", 1].shape == (2, 4, 9, 8)
    asked = model(**inputs, output_hidden_states=True, output_attentions=True)
    torch.testing.assert_close(trace["hidden", 3], asked.hidden_states[3], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(trace["attention", 2], asked.attentions[1], rtol=1e-5, atol=1e-6)


def test_flags_and_a_callers_trace_work_together() -> None:
    model = Data2VecTextModel(TINY).eval()
    trace = Trace({"hidden": [1]})
    output = model(torch.tensor([[5, 6, 7]]), output_hidden_states=True, trace=trace)
    assert len(output.hidden_states) == 4
    assert trace.layers("hidden") == [1]
    assert torch.equal(trace["hidden", 1], output.hidden_states[1])


def test_the_configuration_can_ask_for_states_and_tuples_are_given() -> None:
    model = Data2VecTextModel(TINY.replace(output_hidden_states=True, output_attentions=True)).eval()
    ids = torch.tensor([[5, 6, 7]])
    assert len(model(ids).attentions) == 3
    plain = model(ids, output_hidden_states=False, output_attentions=False, return_dict=False)
    assert isinstance(plain, tuple)
    assert [tuple(tensor.shape) for tensor in plain] == [(1, 3, 32), (1, 32)]


def test_cross_attentions_are_recorded() -> None:
    model = Data2VecTextForCausalLM(CROSS_DECODER).eval()
    trace = Trace({"cross_attention": [1]})
    states = torch.randn(2, 5, 32)
    model(torch.randint(4, 100, (2, 3)), encoder_hidden_states=states, trace=trace)
    assert trace["cross_attention", 1].shape == (2, 4, 3, 5)
    assert trace.layers("attention") == []


def test_redundant_decoder_entries_are_read_without_remark(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    model = Data2VecTextForMaskedLM(TINY).eval()
    with torch.no_grad():
        model.lm_head.bias.normal_()
    model.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    tensors["lm_head.decoder.weight"] = tensors["data2vec_text.embeddings.word_embeddings.weight"].clone()
    tensors["lm_head.decoder.bias"] = tensors.pop("lm_head.bias")
    tensors["data2vec_text.embeddings.position_ids"] = torch.arange(40)[None]
    save_file(tensors, path)
    again = Data2VecTextForMaskedLM.from_pretrained(tmp_path)
    assert again.load_report is not None
    assert again.load_report.is_complete
    assert again.load_report.left_over == ()
    assert not [w for w in recwarn if issubclass(w.category, CheckpointWarning)]
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name


def test_a_head_on_a_bare_encoder_is_fresh_and_named(tmp_path: Path) -> None:
    Data2VecTextModel(TINY).save_pretrained(tmp_path)
    with pytest.warns(CheckpointWarning, match="initialised at random"):
        model = Data2VecTextForSequenceClassification.from_pretrained(tmp_path, num_labels=5)
    assert model.load_report is not None
    assert set(model.load_report.initialised) == {
        "classifier.dense.weight",
        "classifier.dense.bias",
        "classifier.out_proj.weight",
        "classifier.out_proj.bias",
    }
    assert set(model.load_report.left_over) == {"pooler.dense.weight", "pooler.dense.bias"}
    assert model.classifier.out_proj.weight.detach().std().item() == pytest.approx(TINY.initializer_range, rel=0.4)


def test_a_masked_model_becomes_a_causal_one_and_a_bare_one(tmp_path: Path) -> None:
    masked = Data2VecTextForMaskedLM(TINY).eval()
    masked.save_pretrained(tmp_path)
    causal = Data2VecTextForCausalLM.from_pretrained(tmp_path, is_decoder=True)
    assert torch.equal(causal.lm_head.dense.weight, masked.lm_head.dense.weight)
    with pytest.warns(CheckpointWarning) as caught:
        bare = Data2VecTextModel.from_pretrained(tmp_path)
    assert {"pooler.dense", "lm_head"} <= {
        part for w in caught for part in ("pooler.dense", "lm_head") if part in str(w)
    }
    ids = torch.tensor([[5, 6, 7]])
    assert torch.equal(bare(ids).last_hidden_state, masked.backbone(ids).last_hidden_state)
