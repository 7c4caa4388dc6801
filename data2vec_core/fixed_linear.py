"""Linear layers whose weights are laid out for inference on a processor, and no longer learn.

Nearly all the work of an encoder is in the linear layers of its blocks. PyTorch keeps their weights so that they can be
trained, and lays them out anew at every call. Here that is done once:

* `packed`: in oneDNN's blocked layout, in float32. The same numbers up to rounding.
* `int8`: eight bits, one scale for each output channel; the input is quantised as it comes, with one scale. A quarter
  of the memory, and a fraction of the time where the processor multiplies bytes (AVX-512 VNNI, AVX-VNNI).

Both are kernels that PyTorch itself ships. Measured and dropped: see `benchmarks/RESULTS.md`.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from data2vec_core.transformer import BlockStack

LinearKind = Literal["plain", "packed", "int8"]
LINEAR_KINDS: tuple[LinearKind, ...] = get_args(LinearKind)
_POSITIONS = 256
"""For which oneDNN chooses the layout; others use the same."""


class FixedLinear(nn.Module):
    """A linear layer without a trainable weight. The plain weight is made anew whenever it is asked for, as files and
    gradients through the layer need it."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach(), requires_grad=False)

    @property
    def weight(self) -> Tensor:
        """(out, in) float32."""
        raise NotImplementedError

    @property
    def nbytes(self) -> int:
        """Memory of the weight."""
        raise NotImplementedError

    def forward(self, hidden: Tensor) -> Tensor:
        """(..., in) -> (..., out)"""
        needs_gradient = torch.is_grad_enabled() and hidden.requires_grad
        if needs_gradient or not hidden.numel():  # the kernels know no way back, and no input of nothing
            return F.linear(hidden, self.weight, self.bias)
        rows = hidden.reshape(-1, self.in_features)
        return self.multiply(rows).view(*hidden.shape[:-1], self.out_features)

    def multiply(self, rows: Tensor) -> Tensor:
        """(rows, in) -> (rows, out), without a gradient."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[f"{prefix}weight"] = self.weight


class PackedLinear(FixedLinear):
    """float32 in oneDNN's layout."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear)
        self._packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach().contiguous(), _POSITIONS)

    @property
    def weight(self) -> Tensor:
        return cast(Tensor, self._packed.to_dense())

    @property
    def nbytes(self) -> int:
        return 4 * self.in_features * self.out_features

    def multiply(self, rows: Tensor) -> Tensor:
        return cast(Tensor, torch.ops.mkldnn._linear_pointwise(rows, self._packed, self.bias, "none", [], ""))


class Int8Linear(FixedLinear):
    """Weights of eight bits, one scale an output channel; inputs quantised as they come."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear)
        weight = linear.weight.detach()
        scales = (weight.abs().amax(dim=1) / 127).clamp(min=torch.finfo(torch.float32).tiny)
        with warnings.catch_warnings():  # torch 2.13 speaks of taking quantised tensors out; the pin keeps them
            warnings.simplefilter("ignore", UserWarning)
            rounded = torch.quantize_per_channel(
                weight, scales.double(), torch.zeros(len(weight), dtype=torch.long), 0, torch.qint8
            )
            self._packed = torch.ops.quantized.linear_prepack(rounded, self.bias)
        # Without VNNI two products of eight bits may overflow their sum of sixteen: then seven bits for the input.
        self._is_reduced = not torch.cpu._is_vnni_supported()

    @property
    def weight(self) -> Tensor:
        return cast(Tensor, torch.ops.quantized.linear_unpack(self._packed)[0].dequantize())

    @property
    def nbytes(self) -> int:
        return self.in_features * self.out_features

    def multiply(self, rows: Tensor) -> Tensor:
        return cast(Tensor, torch.ops.quantized.linear_dynamic(rows, self._packed, self._is_reduced))


_CLASSES: dict[LinearKind, type[FixedLinear]] = {"packed": PackedLinear, "int8": Int8Linear}


def offers(kind: LinearKind) -> bool:
    """Whether this build of PyTorch can."""
    match kind:
        case "packed":
            return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        case "int8":
            return bool({"x86", "fbgemm", "onednn", "qnnpack"} & set(torch.backends.quantized.supported_engines))
        case "plain":
            return True


def fix_linears(model: nn.Module, kind: LinearKind) -> None:
    """Replace the linear layers of a model's blocks, which can then be used for inference only.

    Raises:
        ValueError: there is no such kind, or not on this host, or the model is not in float32 on a processor.
    """
    if kind not in LINEAR_KINDS:
        raise ValueError(f"linear must be one of {', '.join(LINEAR_KINDS)}, got {kind!r}")
    if not offers(kind):
        raise ValueError(f"linear={kind!r} is not in this build of PyTorch; use 'plain'")
    if kind == "plain":
        return
    stacks = [module for module in model.modules() if isinstance(module, BlockStack)]
    for block in (block for stack in stacks for block in stack.layers):
        for module in list(block.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, nn.Linear):
                    if child.weight.dtype is not torch.float32 or child.weight.device.type != "cpu":
                        where = f"{child.weight.dtype} on {child.weight.device.type}"
                        raise ValueError(f"linear={kind!r} needs a model in float32 on a processor, got {where}")
                    setattr(module, name, _CLASSES[kind](child))
