"""The shared attention, block and stack."""

from __future__ import annotations

import copy
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from data2vec_core import Trace, transformer
from data2vec_core.transformer import MOST_KEYS_IN_PARTS, Attention, Block, BlockStack, drop_items, padding_bias

HIDDEN = torch.randn(3, 6, 8, generator=torch.Generator().manual_seed(1))
IS_REAL = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 1, 0, 1, 0, 1]])


def make_block(**options: Any) -> Block:
    return Block(Attention(8, 2), 8, 20, **options).eval()


def test_fused_and_explicit_attention_agree() -> None:
    attention = Attention(8, 2).eval()
    bias = padding_bias(IS_REAL, torch.float32)
    trace = Trace(["attention"])
    explicit = attention(HIDDEN, bias=bias, trace=trace, layer=1)
    torch.testing.assert_close(attention(HIDDEN, bias=bias), explicit, rtol=1e-5, atol=1e-6)
    assert trace["attention", 1].shape == (3, 2, 6, 6)


def test_the_fused_kernel_runs_unless_the_probabilities_are_wanted() -> None:
    stack = BlockStack([make_block(), make_block(), make_block()]).eval()
    with mock.patch.object(F, "scaled_dot_product_attention", wraps=F.scaled_dot_product_attention) as fused:
        for trace, calls in (
            (None, 3),
            (Trace(["hidden", "values", "feed_forward"]), 3),
            (Trace({"attention": [2]}), 2),
            (Trace(replace={("attention", 1): torch.zeros_like}), 2),
            (Trace(["attention"]), 0),
        ):
            fused.reset_mock()
            stack.run(HIDDEN, trace=trace)
            assert fused.call_count == calls


@pytest.mark.parametrize(("positions", "is_fused"), [(64, False), (MOST_KEYS_IN_PARTS + 1, True)])
def test_training_in_bfloat16_on_a_processor_is_in_parts_where_they_are_short(positions: int, is_fused: bool) -> None:
    attention, hidden = Attention(8, 2), torch.randn(1, positions, 8)
    with (
        mock.patch.object(F, "scaled_dot_product_attention", wraps=F.scaled_dot_product_attention) as fused,
        torch.autocast("cpu", torch.bfloat16),
    ):
        attention(hidden)
        assert fused.called == is_fused
        fused.reset_mock()
        with torch.no_grad():
            attention(hidden)
        assert fused.called


def test_both_ways_of_training_in_bfloat16_have_the_same_gradients() -> None:
    attention = Attention(8, 2)
    bias = padding_bias(IS_REAL, torch.float32)
    found = []
    for is_in_parts in (True, False):
        hidden = HIDDEN.clone().requires_grad_()
        with (
            mock.patch.object(transformer, "is_faster_in_parts", return_value=is_in_parts),
            torch.autocast("cpu", torch.bfloat16),
        ):
            mixed = attention(hidden, bias=bias)
        mixed.float().square().sum().backward()
        found.append((mixed.detach().float(), hidden.grad))
    torch.testing.assert_close(*found, rtol=0.05, atol=0.005)  # bfloat16 has eight bits


def test_masked_keys_get_no_weight_at_all() -> None:
    trace = Trace(["attention"])
    Attention(8, 2)(HIDDEN, bias=padding_bias(IS_REAL, torch.float32), trace=trace, layer=1)
    weights = trace["attention", 1]
    assert (weights.masked_select(~IS_REAL.bool()[:, None, None]) == 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2, 6))


def test_a_padded_item_equals_its_unpadded_run() -> None:
    block = make_block()
    padded = block(HIDDEN, bias=padding_bias(IS_REAL, torch.float32))
    torch.testing.assert_close(padded[1:2, :3], block(HIDDEN[1:2, :3]), rtol=1e-5, atol=1e-6)


def test_a_row_with_nothing_real_gives_no_nan() -> None:
    bias = padding_bias(torch.zeros(1, 6), torch.float32)
    assert torch.isfinite(Attention(8, 2)(HIDDEN[:1], bias=bias)).all()


def test_padding_bias() -> None:
    assert padding_bias(None, torch.float32) is None
    assert padding_bias(torch.ones(2, 5), torch.float32) is None
    lowest = torch.finfo(torch.float16).min
    two = padding_bias(torch.tensor([[1, 0]]), torch.float16)
    assert two is not None
    assert two.shape == (1, 1, 1, 2)
    assert two.flatten().tolist() == [0.0, lowest]
    for shape, expected in (((2, 3, 4), (2, 1, 3, 4)), ((2, 5, 3, 4), (2, 5, 3, 4))):
        bias = padding_bias(torch.zeros(shape), torch.float32)
        assert bias is not None
        assert bias.shape == expected


def test_replaced_values_change_the_output_as_if_they_were_those_values() -> None:
    """Zeroing the value of position 2 is what its weight times nothing gives."""

    def without_third(values: Tensor) -> Tensor:
        return values * torch.tensor([1.0, 1, 0, 1, 1, 1])[:, None]

    attention = Attention(8, 2).eval()
    asked = Trace(["values", "attention"])
    plain = attention(HIDDEN, trace=asked, layer=1)
    trace = Trace(["values"], replace={("values", 1): without_third})
    changed = attention(HIDDEN, trace=trace, layer=1)
    assert not trace["values", 1][:, :, 2].any()
    lost = asked["attention", 1][..., 2:3] * asked["values", 1][:, :, 2:3]  # (batch, heads, query, head_dim)
    expected = plain - F.linear(lost.transpose(1, 2).flatten(2), attention.output.weight)
    torch.testing.assert_close(changed, expected, rtol=1e-5, atol=1e-6)


def test_attention_to_a_context_of_another_length() -> None:
    attention = Attention(8, 2).eval()
    context = torch.randn(3, 4, 8)
    trace = Trace(["cross_attention", "attention", "values"])
    mixed = attention(HIDDEN, context=context, trace=trace, layer=1, name="cross_attention")
    assert mixed.shape == HIDDEN.shape
    assert trace["cross_attention", 1].shape == (3, 2, 6, 4)
    assert not trace.layers("attention")
    assert not trace.layers("values")


def test_no_key_bias() -> None:
    assert Attention(8, 2, key_bias=False).key.bias is None
    assert Attention(8, 2).key.bias is not None


def test_post_norm_block_is_torchs_encoder_layer() -> None:
    """The same arithmetic, from another hand."""
    block = make_block(dropout=0.1, eps=1e-3)
    theirs = nn.TransformerEncoderLayer(
        8, 2, 20, dropout=0.1, activation="gelu", layer_norm_eps=1e-3, batch_first=True
    ).eval()
    copy_weights(block, theirs)
    expected = theirs(HIDDEN, src_key_padding_mask=~IS_REAL.bool())
    got = block(HIDDEN, bias=padding_bias(IS_REAL, torch.float32))
    torch.testing.assert_close(got[IS_REAL.bool()], expected[IS_REAL.bool()], rtol=1e-5, atol=1e-5)


def test_pre_norm_block_is_torchs_encoder_layer() -> None:
    block = make_block(norm_first=True)
    theirs = nn.TransformerEncoderLayer(8, 2, 20, activation="gelu", norm_first=True, batch_first=True).eval()
    copy_weights(block, theirs)
    torch.testing.assert_close(block(HIDDEN), theirs(HIDDEN), rtol=1e-5, atol=1e-5)


def copy_weights(block: Block, layer: nn.TransformerEncoderLayer) -> None:
    attention = block.attention
    projections = (attention.query, attention.key, attention.value)
    with torch.no_grad():
        layer.self_attn.in_proj_weight.copy_(torch.cat([p.weight for p in projections]))
        layer.self_attn.in_proj_bias.copy_(torch.cat([p.bias for p in projections]))
    layer.self_attn.out_proj.load_state_dict(attention.output.state_dict())
    layer.linear1.load_state_dict(block.feed_forward.up.state_dict())
    layer.linear2.load_state_dict(block.feed_forward.down.state_dict())
    layer.norm1.load_state_dict(block.attention_norm.state_dict())
    layer.norm2.load_state_dict(block.feed_forward_norm.state_dict())


def test_feed_forward_is_recorded_before_residual_and_norm() -> None:
    block = make_block()
    trace = Trace(["feed_forward"])
    after_attention = block.attend(HIDDEN)
    output = block(HIDDEN, trace=trace, layer=1)
    torch.testing.assert_close(trace["feed_forward", 1], block.feed_forward(after_attention))
    torch.testing.assert_close(output, block.feed_forward_norm(after_attention + trace["feed_forward", 1]))


def test_scales_exist_only_when_positive() -> None:
    assert make_block().attention_scale is None
    scaled = make_block(scale_init=0.1)
    assert scaled.attention_scale is not None
    assert scaled.attention_scale.eq(0.1).all()


def test_a_scale_of_zero_makes_a_pre_norm_block_the_identity() -> None:
    block = make_block(norm_first=True, scale_init=0.1)
    with torch.no_grad():
        block.attention_scale.zero_()  # type: ignore[union-attr]
        block.feed_forward_scale.zero_()  # type: ignore[union-attr]
    assert torch.equal(block(HIDDEN), HIDDEN)


def test_dropped_items_are_zero_and_the_others_scaled_up() -> None:
    branch = torch.ones(400, 2, 3)
    dropped = drop_items(branch, 0.25)
    kept = dropped[:, 0, 0] > 0
    assert torch.equal(dropped, torch.where(kept[:, None, None], 1 / 0.75, 0.0).expand(400, 2, 3))
    assert 0.65 < kept.float().mean() < 0.85
    assert not drop_items(branch, 1.0).any()


def test_drop_path_acts_in_training_only() -> None:
    block = make_block(norm_first=True, drop_path=1.0)
    assert not torch.equal(block(HIDDEN), HIDDEN)
    assert torch.equal(block.train()(HIDDEN), HIDDEN)


def test_a_stack_hands_out_every_state() -> None:
    stack = BlockStack([make_block(), make_block()]).eval()
    trace = Trace(["hidden"])
    states = list(stack.states(HIDDEN, trace=trace))
    assert torch.equal(states[0], HIDDEN)
    assert len(states) == 3
    assert all(torch.equal(a, b) for a, b in zip(states, trace.all("hidden"), strict=True))
    assert torch.equal(stack.run(HIDDEN), states[-1])


def test_dropped_layers_hand_their_input_on() -> None:
    stack = BlockStack([make_block(), make_block()], layerdrop=1.0)
    trace = Trace(["hidden", "attention"])
    assert torch.equal(stack.train().run(HIDDEN, trace=trace), HIDDEN)
    assert trace.layers("hidden") == [0, 1, 2]
    assert trace.layers("attention") == []
    assert not torch.equal(stack.eval().run(HIDDEN), HIDDEN)


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_gradient_checkpointing_changes_no_gradient(dropout: float) -> None:
    plain = BlockStack([make_block(dropout=dropout), make_block(dropout=dropout)]).train()
    saving = copy.deepcopy(plain)
    saving.gradient_checkpointing = True
    for stack in (plain, saving):
        torch.manual_seed(4)
        stack.run(HIDDEN).square().sum().backward()
    for ours, theirs in zip(saving.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_recorded_states_get_gradients_when_asked() -> None:
    stack = BlockStack([make_block(), make_block()]).eval()
    trace = Trace(["attention", "hidden"], retain_gradients=True)
    stack.run(HIDDEN, trace=trace).square().sum().backward()
    for key in (("attention", 1), ("attention", 2), ("hidden", 1), ("hidden", 2)):
        gradient = trace[key].grad
        assert gradient is not None
        assert gradient.shape == trace[key].shape


def test_what_a_trace_records_outlives_gradient_checkpointing() -> None:
    """A block that is recomputed would record again, and the tensors that the caller has seen get no gradient."""
    stack = BlockStack([make_block(), make_block()]).train()
    stack.gradient_checkpointing = True
    trace = Trace({"values": [2], "hidden": None}, retain_gradients=True)
    with mock.patch("data2vec_core.transformer.checkpoint", wraps=checkpoint) as saved:
        output = stack.run(HIDDEN, trace=trace)
    assert saved.call_count == 1, "the first block, of which nothing but the output is wanted"
    seen = trace["values", 2]
    output.square().sum().backward()
    assert trace["values", 2] is seen
    assert seen.grad is not None
    assert trace["hidden", 1].grad is not None


def test_a_trace_of_layers_beyond_the_last_is_refused() -> None:
    with pytest.raises(ValueError, match="the trace names layer 3, the model has 2 layers"):
        BlockStack([make_block(), make_block()]).run(HIDDEN, trace=Trace({"hidden": [3]}))
