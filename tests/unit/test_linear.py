"""The linear layer of the blocks is `nn.Linear` to its users, whichever kernel multiplies."""

from __future__ import annotations

import copy
from unittest.mock import Mock

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from data2vec_core import linear
from data2vec_core.linear import WIDE, Linear, multiply, quicken_learning

SIZES = [(WIDE, WIDE), (WIDE, 2 * WIDE), (2 * WIDE, WIDE), (WIDE - 1, WIDE), (24, 8)]


def gradients(layer: nn.Linear, hidden: Tensor, *, gelu: bool) -> list[Tensor]:
    """The result, and the gradients of a weighted sum of it."""
    hidden = hidden.clone().requires_grad_()
    result = layer(hidden, gelu=gelu) if isinstance(layer, Linear) else layer(hidden)
    if gelu and not isinstance(layer, Linear):
        result = F.gelu(result)
    direction = torch.randn(result.shape, generator=torch.Generator().manual_seed(1))
    found = torch.autograd.grad(result, [hidden, *layer.parameters()], direction)
    return [result, *found]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", [(1,), (5,), (2, 3), (2, 1, 4)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("gelu", [True, False])
@pytest.mark.parametrize("is_quick", [True, False])
def test_result_and_gradients(
    size: tuple[int, int], shape: tuple[int, ...], bias: bool, gelu: bool, is_quick: bool
) -> None:
    torch.manual_seed(0)
    plain = nn.Linear(*size, bias=bias)
    ours = Linear(*size, bias=bias)
    ours.load_state_dict(plain.state_dict())
    if is_quick:
        quicken_learning(ours)
    hidden = torch.randn(*shape, size[0])
    for found, expected in zip(gradients(ours, hidden, gelu=gelu), gradients(plain, hidden, gelu=gelu), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    with torch.inference_mode():
        expected = F.gelu(plain(hidden)) if gelu else plain(hidden)
        torch.testing.assert_close(ours(hidden, gelu=gelu), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("is_quick", [True, False])
def test_gradients_where_only_some_are_wanted(is_quick: bool) -> None:
    layer = Linear(WIDE, WIDE).requires_grad_(False)
    if is_quick:
        quicken_learning(layer)
    hidden = torch.randn(3, WIDE, requires_grad=True)
    layer(hidden).sum().backward()
    torch.testing.assert_close(hidden.grad, layer.weight.sum(0).expand(3, -1), rtol=1e-4, atol=1e-5)
    assert layer.weight.grad is None
    layer.requires_grad_(True)
    layer(hidden.detach()).sum().backward()
    torch.testing.assert_close(layer.bias.grad, torch.full((WIDE,), 3.0))


@pytest.mark.parametrize("rows", [0, 2])
def test_other_formats_and_no_input_at_all(rows: int) -> None:
    """Half precision, double precision, autocast and an empty batch are left to PyTorch."""
    layer = Linear(WIDE, WIDE)
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        assert copy.deepcopy(layer).to(dtype)(torch.zeros(rows, WIDE, dtype=dtype)).dtype is dtype
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.zeros(rows, WIDE)).dtype is torch.bfloat16


def test_a_weight_that_is_a_slice_is_left_to_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, hidden = Linear(WIDE, WIDE).requires_grad_(False), torch.randn(2, WIDE)
    expected = layer(hidden)
    layer.weight = nn.Parameter(torch.cat([layer.weight, layer.weight], dim=1)[:, :WIDE], requires_grad=False)
    monkeypatch.setattr(linear, "multiply", None)
    torch.testing.assert_close(layer(hidden), expected, rtol=1e-5, atol=1e-5)


def test_layers_learn_by_the_kernels_only_where_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Mock(side_effect=multiply)
    monkeypatch.setattr(linear, "multiply", kernel)
    stack = nn.Sequential(Linear(WIDE, WIDE), nn.LayerNorm(WIDE), Linear(WIDE, 8))
    stack(torch.zeros(2, WIDE)).sum().backward()
    assert not kernel.called
    quicken_learning(stack)
    assert copy.deepcopy(stack)[0].learns_by_onednn
    stack(torch.zeros(2, WIDE)).sum().backward()
    assert kernel.called is linear.HAS_ONEDNN


def test_recomputed_blocks_have_the_same_gradients() -> None:
    """What is saved for the way back is the same when the pass is made a second time, as checkpointing does."""
    stack = nn.Sequential(Linear(WIDE, WIDE), nn.GELU(), Linear(WIDE, WIDE))
    quicken_learning(stack)
    hidden = torch.randn(3, WIDE)
    direct = torch.autograd.grad(stack(hidden).square().sum(), list(stack.parameters()))
    again = torch.autograd.grad(checkpoint(stack, hidden, use_reentrant=False).square().sum(), list(stack.parameters()))
    for one, other in zip(direct, again, strict=True):
        torch.testing.assert_close(one, other)


def test_without_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, hidden = Linear(WIDE, WIDE), torch.randn(2, WIDE)
    with_them = layer(hidden, gelu=True)
    monkeypatch.setattr(linear, "HAS_ONEDNN", False)
    monkeypatch.setattr(linear, "multiply", None)
    torch.testing.assert_close(layer(hidden, gelu=True), with_them, rtol=1e-5, atol=1e-5)
