"""Linear layers whose weights are laid out for inference on a processor, and no longer learn.

Nearly all the work of an encoder is in the linear layers of its blocks. PyTorch keeps their weights so that they can be
trained, and lays them out anew at every call. Here that is done once:

* `packed`: in oneDNN's blocked layout, in float32. The same numbers up to rounding.
* `int8`: eight bits, one scale for each output channel; the input is quantised as it comes, with a scale for each
  position, so that one loud position does not coarsen the others. A quarter of the memory, and a fraction of the time
  where the processor multiplies bytes (AVX-512 VNNI). Not tried on ARM.

Both are kernels that PyTorch itself ships; what they buy, and what was dropped, is in `benchmarks/RESULTS.md`. Where a
choice is wanted rather than a kind, `best` takes eight bits for wide models on processors that multiply bytes, the
blocked layout for other wide models, and plain layers for narrow ones, in which there is nothing to win.
"""

from __future__ import annotations

from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from data2vec_core.audio.frame_convolution import FrameConvolution
from data2vec_core.audio.waveform_encoder import ConvolutionLayer
from data2vec_core.linear import HAS_ONEDNN, WIDE, multiply
from data2vec_core.linear_choice import LINEAR_CHOICES, LinearChoice, LinearKind
from data2vec_core.transformer import BlockStack

_ROWS_AT_ONCE = 256
"""Positions whose products are scaled while they are in the processor's caches."""
_FIT = (torch.float32, "cpu")
"""Number format and device that the kernels take."""
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
        """Memory of the weight, beside parameters and buffers."""
        return 0

    def forward(self, hidden: Tensor, *, gelu: bool = False) -> Tensor:
        """(..., in) -> (..., out), perhaps with an exact GELU after it."""
        needs_gradient = torch.is_grad_enabled() and hidden.requires_grad
        if needs_gradient or not hidden.numel():  # the kernels know no way back, and no input of nothing
            product = F.linear(hidden, self.weight, self.bias)
            return F.gelu(product) if gelu else product
        rows = hidden.reshape(-1, self.in_features)
        return self.multiply(rows, gelu=gelu).view(*hidden.shape[:-1], self.out_features)

    def multiply(self, rows: Tensor, *, gelu: bool = False) -> Tensor:
        """(rows, in) -> (rows, out), without a gradient."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        changed = fn(torch.zeros(1))
        if changed.device.type != "cpu" or changed.dtype is not torch.float32:
            raise ValueError(
                f"a model whose linear layers are laid out for a processor stays there, in float32, and cannot become "
                f"{changed.dtype} on {changed.device.type}; load it with linear='plain'"
            )
        return cast(Self, super()._apply(fn, recurse))

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[f"{prefix}weight"] = self.weight


class PackedLinear(FixedLinear):
    """float32 in oneDNN's layout."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear)
        self._packed = _blocked(linear.weight.detach())

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_packed": self.weight}  # PyTorch can copy and pickle no blocked tensor

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({**state, "_packed": _blocked(state["_packed"])})

    @property
    def weight(self) -> Tensor:
        return self._packed.to_dense()

    @property
    def nbytes(self) -> int:
        return 4 * self.in_features * self.out_features

    def multiply(self, rows: Tensor, *, gelu: bool = False) -> Tensor:
        return multiply(rows, self._packed, self.bias, gelu=gelu)


class Int8Linear(FixedLinear):
    """Weights of eight bits, one scale an output channel; inputs quantised as they come, one scale a position."""

    _scales: Tensor
    _rounded: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear)
        weight = linear.weight.detach()
        # Without VNNI, oneDNN adds pairs of products in 16 bits: weights of seven bits keep these from overflowing.
        highest = 127 if torch.cpu._is_vnni_supported() else 63
        scales, rounded = _quantised(weight, highest)
        self.register_buffer("_scales", scales[:, 0], persistent=False)
        self.register_buffer("_rounded", rounded.t(), persistent=False)  # (in, out), the way the kernel likes best

    @property
    def weight(self) -> Tensor:
        return self._rounded.t().float() * self._scales[:, None]

    def multiply(self, rows: Tensor, *, gelu: bool = False) -> Tensor:
        product = rows.new_empty(len(rows), self.out_features)
        for few, result in zip(rows.split(_ROWS_AT_ONCE), product.split(_ROWS_AT_ONCE), strict=True):
            scales, rounded = _quantised(few, 127)
            result.copy_(torch._int_mm(rounded, self._rounded)).mul_(scales).mul_(self._scales)
            if self.bias is not None:
                result.add_(self.bias)
            if gelu:
                torch.ops.aten.gelu_(result)
        return product


class Int8Convolution(Int8Linear):
    """A convolution of the waveform encoder: a linear layer of its windows."""

    def __init__(self, convolution: FrameConvolution) -> None:
        [self._kernel], [self._stride] = convolution.kernel_size, convolution.stride
        weight = convolution.weight.detach().transpose(1, 2).flatten(1)  # (out, kernel * in)
        linear = nn.utils.skip_init(nn.Linear, weight.shape[1], len(weight), bias=convolution.bias is not None)
        linear.weight, linear.bias = nn.Parameter(weight, requires_grad=False), convolution.bias
        super().__init__(linear)

    @property
    def weight(self) -> Tensor:
        """(out, in, kernel) float32."""
        return super().weight.unflatten(1, (self._kernel, -1)).transpose(1, 2)

    def forward(self, hidden: Tensor) -> Tensor:  # type: ignore[override]  # a norm comes before the activation
        """(batch, time, in) -> (batch, frames, out)"""
        if torch.is_grad_enabled() and hidden.requires_grad:
            return F.conv1d(hidden.transpose(1, 2), self.weight, self.bias, self._stride).transpose(1, 2)
        frames, channels = (hidden.shape[1] - self._kernel) // self._stride + 1, hidden.shape[2]
        place = (self._stride * channels, 1)  # windows overlap in memory: nothing is copied
        windows = (item.contiguous().as_strided((frames, self.in_features), place) for item in hidden)
        return torch.stack([self.multiply(rows) for rows in windows])


def _quantised(rows: Tensor, highest: int) -> tuple[Tensor, Tensor]:
    """Scales, (rows, 1), and whole numbers from minus to plus `highest`, each times the scale of its row."""
    scales = rows.abs().amax(dim=1, keepdim=True).clamp_(min=torch.finfo(rows.dtype).tiny).div_(highest)
    return scales, (rows / scales).round_().to(torch.int8)


def _blocked(weight: Tensor) -> Tensor:
    return cast(Tensor, torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), _POSITIONS))


_CLASSES: dict[LinearKind, type[FixedLinear]] = {"packed": PackedLinear, "int8": Int8Linear}


def offers(kind: LinearKind) -> bool:
    """Whether this build of PyTorch can."""
    match kind:
        case "packed":
            return HAS_ONEDNN
        case "int8":
            return hasattr(torch, "_int_mm")
        case "plain":
            return True


def best_kind(width: int) -> LinearKind:
    """The fastest kind on this host for a model in float32 on its processor, whose layers have so many features."""
    if width >= WIDE and offers("int8") and torch.cpu._is_vnni_supported():
        return "int8"
    return "packed" if width >= WIDE and offers("packed") else "plain"


def fix_linears(model: nn.Module, choice: LinearChoice) -> LinearKind:
    """Replace the linear layers of a model's blocks, and in eight bits the convolutions from samples to frames, which
    can then be used for inference only.

    Returns:
        what they are now.

    Raises:
        ValueError: there is no such kind, or not on this host, or the model is not in float32 on a processor.
    """
    if choice not in LINEAR_CHOICES:
        raise ValueError(f"linear must be one of {', '.join(LINEAR_CHOICES)}, got {choice!r}")
    stacks = [module for module in model.modules() if isinstance(module, BlockStack)]
    places = [
        (module, name, child)
        for stack in stacks
        for block in stack.layers
        for module in block.modules()
        for name, child in module.named_children()
        if isinstance(child, nn.Linear)
    ]
    unfit = [child for _, _, child in places if (child.weight.dtype, child.weight.device.type) != _FIT]
    if choice == "best":
        width = min((child.in_features for _, _, child in places), default=0)
        kind = "plain" if unfit else best_kind(width)
    else:
        kind = choice
    if kind == "plain":
        return kind
    if not offers(kind):
        raise ValueError(f"linear={kind!r} is not in this build of PyTorch; use 'plain'")
    if unfit:
        where = f"{unfit[0].weight.dtype} on {unfit[0].weight.device.type}"
        raise ValueError(f"linear={kind!r} needs a model in float32 on a processor, got {where}")
    for module, name, child in places:
        setattr(module, name, _CLASSES[kind](child))
    if kind == "int8":
        for layer in [module for module in model.modules() if isinstance(module, ConvolutionLayer)]:
            convolution = layer.conv
            if isinstance(convolution, FrameConvolution) and convolution.in_channels > 1:
                layer.conv = Int8Convolution(convolution)  # not the first, which reads the waveform and does little
    return kind
