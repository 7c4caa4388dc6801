"""The linear layer of the blocks: PyTorch's, with oneDNN's products where these are quicker.

On a processor, PyTorch leaves products in float32 to the BLAS library that it was built with, which on AMD processors
takes a tenth to a quarter longer than oneDNN's kernels for the shapes of a transformer (`benchmarks/RESULTS.md`). Those
kernels can also apply the GELU while the result is in the processor's caches.
"""

from __future__ import annotations

from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDE: Final = 512
"""Features of a layer from which the choice of a kernel pays: of narrower ones, a call takes as long as the product."""
HAS_ONEDNN: Final = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
"""Whether this build of PyTorch has the kernels."""


class Linear(nn.Linear):
    """`nn.Linear`, perhaps with an exact GELU after it."""

    def forward(self, hidden: Tensor, *, gelu: bool = False) -> Tensor:
        """(..., in) -> (..., out)"""
        if not self._suits_onednn(hidden):
            product = F.linear(hidden, self.weight, self.bias)
            return F.gelu(product) if gelu else product
        rows = hidden.reshape(-1, self.in_features)
        return multiply(rows, self.weight, self.bias, gelu=gelu).view(*hidden.shape[:-1], self.out_features)

    def _suits_onednn(self, hidden: Tensor) -> bool:
        is_learning = torch.is_grad_enabled() and (hidden.requires_grad or self.weight.requires_grad)
        return (
            HAS_ONEDNN
            and not is_learning  # gradients are left to PyTorch, rounding and all
            and min(self.in_features, self.out_features) >= WIDE
            and hidden.device.type == self.weight.device.type == "cpu"
            and hidden.dtype == self.weight.dtype == torch.float32
            and hidden.numel() > 0
            and not torch.is_autocast_enabled("cpu")
        )


def multiply(rows: Tensor, weight: Tensor, bias: Tensor | None = None, *, gelu: bool = False) -> Tensor:
    """(rows, in), (out, in) -> (rows, out) by oneDNN, without a gradient. The weight may be in oneDNN's own layout."""
    after, algorithm = ("gelu", "none") if gelu else ("none", "")
    return cast(Tensor, torch.ops.mkldnn._linear_pointwise(rows, weight, bias, after, [], algorithm))
