"""A strided convolution over time, channels last, with a backward pass of matrix products.

PyTorch's channels-last kernels are quick forwards, but for 512 channels, where a product over the copied windows takes
0.6 to 0.7 of their time, and slow backwards. There the windows are not copied: they overlap, but taken `stride` taps at
a time they do not, so that each such part is a matrix that lies in memory already.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from data2vec_core.linear import multiply, suits_onednn


class FrameConvolution(nn.Conv1d):
    """`nn.Conv1d` without padding, on (batch, time, channels)."""

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, time, in) -> (batch, frames, out)"""
        [stride] = self.stride
        if torch.is_grad_enabled() and self.in_channels > 1 and _is_plain(hidden):
            convolved: Tensor = _Convolution.apply(hidden, self.weight, self.bias, stride)
            return convolved
        return convolve(hidden, self.weight, self.bias, stride)


def _is_plain(hidden: Tensor) -> bool:
    """Whether products of matrices are the quicker way back: not in bfloat16 and not on other devices. Neither are they
    from one channel, where the matrices are slim."""
    return hidden.device.type == "cpu" and not torch.is_autocast_enabled("cpu") and hidden.dtype != torch.bfloat16


def convolve(hidden: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """(batch, time, in), (out, in, kernel) -> (batch, frames, out)"""
    if suits_onednn(hidden, weight):
        windows = hidden.unfold(1, weight.shape[2], stride).transpose(2, 3).flatten(2)  # (batch, frames, kernel * in)
        taps = weight.transpose(1, 2).flatten(1)
        return multiply(windows.flatten(0, 1), taps, bias).unflatten(0, windows.shape[:2])
    # An image of height 1 whose channels lie last takes PyTorch's channels-last kernels; conv1d has none.
    image = hidden.transpose(1, 2).unsqueeze(2)  # (batch, in, 1, time), still in the memory order of `hidden`
    convolved = F.conv2d(image, weight.unsqueeze(2), bias, stride=(1, stride))
    return convolved.squeeze(2).transpose(1, 2)


class _Convolution(torch.autograd.Function):
    """`convolve`."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
        ctx.save_for_backward(hidden, weight)
        ctx.stride = stride
        return convolve(hidden, weight, bias, stride)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        hidden, weight = (tensor.contiguous() for tensor in ctx.saved_tensors)
        gradient = gradient.contiguous()
        (_, frames, _), kernel = gradient.shape, weight.shape[2]
        wanted = ctx.needs_input_grad
        taps = weight.transpose(1, 2).flatten(1)  # (out, kernel * in)
        for_hidden, for_taps = torch.zeros_like(hidden), torch.zeros_like(taps)
        for item, windowed, spread in zip(gradient, hidden, for_hidden, strict=True):
            if wanted[0]:
                for columns, part in _parts(spread, frames, kernel, ctx.stride):
                    part.addmm_(item, taps[:, columns])
            if wanted[1]:
                for columns, part in _parts(windowed, frames, kernel, ctx.stride):
                    for_taps[:, columns].addmm_(item.t(), part)
        return (
            for_hidden if wanted[0] else None,
            for_taps.unflatten(1, (kernel, -1)).transpose(1, 2) if wanted[1] else None,
            gradient.sum((0, 1)) if wanted[2] else None,
            None,
        )


def _parts(item: Tensor, frames: int, kernel: int, stride: int) -> Iterator[tuple[slice, Tensor]]:
    """The windows of a contiguous (time, channels), `stride` taps at a time: which columns of (frames, kernel *
    channels) those are, and a view of them without overlap."""
    channels = item.shape[1]
    for first in range(0, kernel, stride):
        size = channels * min(stride, kernel - first)
        start = first * channels
        view = item.as_strided((frames, size), (stride * channels, 1), item.storage_offset() + start)
        yield slice(start, start + size), view
