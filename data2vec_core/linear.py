"""The linear layer of the blocks: PyTorch's, with oneDNN's products where these are quicker.

On a processor, PyTorch leaves products in float32 to the BLAS library that it was built with, which on AMD processors
takes a tenth to a quarter longer than oneDNN's kernels for the shapes of a transformer (`benchmarks/RESULTS.md`). Those
kernels can also apply the GELU while the result is in the processor's caches.
"""

from __future__ import annotations

from typing import Any, Final, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

WIDE: Final = 512
"""Features of a layer from which the choice of a kernel pays: of narrower ones, a call takes as long as the product."""
HAS_ONEDNN: Final = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
"""Whether this build of PyTorch has the kernels."""


class Linear(nn.Linear):
    """`nn.Linear`, perhaps with an exact GELU after it."""

    learns_by_onednn = False
    """Whether a layer that learns uses oneDNN's products, too. Usually it leaves them to PyTorch, rounding and all:
    sums in another order move gradients of a model of twelve layers by up to 1.2e-4 of their largest value."""

    def forward(self, hidden: Tensor, *, gelu: bool = False) -> Tensor:
        """(..., in) -> (..., out)"""
        is_learning = torch.is_grad_enabled() and (hidden.requires_grad or self.weight.requires_grad)
        if (is_learning and not self.learns_by_onednn) or not suits_onednn(hidden, self.weight):
            product = F.linear(hidden, self.weight, self.bias)
        else:
            rows, shape = hidden.reshape(-1, self.in_features), (*hidden.shape[:-1], self.out_features)
            if not is_learning:
                return multiply(rows, self.weight, self.bias, gelu=gelu).view(shape)
            product = _Product.apply(rows, self.weight, self.bias).view(shape)
        return F.gelu(product) if gelu else product


def quicken_learning(model: nn.Module) -> None:
    """Let the layers of a model learn by oneDNN's products: for trainings in which rounding is nothing beside what is
    drawn at random."""
    for module in model.modules():
        if isinstance(module, Linear):
            module.learns_by_onednn = True


def suits_onednn(hidden: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN's products are to be had for these, and are the quicker ones.

    Args:
        hidden: (..., in).
        weight: (out, in, ...).
    """
    return (
        HAS_ONEDNN
        and min(weight.shape[:2]) >= WIDE
        and weight.is_contiguous()  # a slice of columns sends oneDNN to its slowest kernel, a thousand times as slow
        and hidden.device.type == weight.device.type == "cpu"
        and hidden.dtype == weight.dtype == torch.float32
        and hidden.numel() > 0
        and not torch.is_autocast_enabled("cpu")
    )


def multiply(rows: Tensor, weight: Tensor, bias: Tensor | None = None, *, gelu: bool = False) -> Tensor:
    """(rows, in), (out, in) -> (rows, out) by oneDNN, without a gradient. The weight may be in oneDNN's own layout."""
    after, algorithm = ("gelu", "none") if gelu else ("none", "")
    return cast(Tensor, torch.ops.mkldnn._linear_pointwise(rows, weight, bias, after, [], algorithm))


class _Product(torch.autograd.Function):
    """`multiply`, and both ways back."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(rows, weight)
        return multiply(rows, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        rows, weight = ctx.saved_tensors
        for_rows, for_weight, for_bias = ctx.needs_input_grad
        return (
            multiply(gradient, weight.t()) if for_rows else None,
            _outer(gradient, rows) if for_weight else None,
            gradient.sum(0) if for_bias else None,
        )


def _outer(gradient: Tensor, rows: Tensor) -> Tensor:
    """(rows, out), (rows, in) -> (out, in); oneDNN is the quicker where that is a wide matrix."""
    if rows.shape[1] > gradient.shape[1]:
        return multiply(gradient.t(), rows.t())
    return gradient.t() @ rows
