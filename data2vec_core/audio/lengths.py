"""How many frames a clip becomes: the arithmetic of strided convolutions, for numbers and tensors alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import torch
from torch import Tensor

from data2vec_core.config import Data2VecAudioConfig

Length = TypeVar("Length", int, Tensor)

ADAPTER_PADDING = 1
"""Of each adapter convolution, whatever its kernel."""


def convolved_length(
    length: Length,
    kernels: Iterable[int],
    strides: Iterable[int],
    *,
    padding: int = 0,
    dilations: Iterable[int] | None = None,
) -> Length:
    """Length after a chain of 1-D convolutions, never below 0.

    Args:
        length: of the input; an int or an integer tensor of any shape.
        kernels, strides, dilations: one entry a layer; dilations are 1 when None.
        padding: on both sides of every layer.
    """
    kernels = list(kernels)
    for kernel, stride, dilation in zip(kernels, strides, dilations or [1] * len(kernels), strict=True):
        length = (length + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
        length = length.clamp(min=0) if isinstance(length, Tensor) else max(length, 0)
    return length


def frame_count(samples: Length, config: Data2VecAudioConfig, *, after_adapter: bool = False) -> Length:
    """Frames that a clip of some samples becomes (data2vec.md 2.1; check values in section 10).

    The reference counts after an adapter as if its kernel were 3: for other kernels (1, 4, 5) its count is not that of
    the frames which leave the convolutions; this one is.

    Args:
        samples: clip length at 16 kHz.
        after_adapter: count what leaves the adapter, when the configuration has one.
    """
    frames = convolved_length(samples, config.conv_kernel, config.conv_stride)
    if after_adapter and config.add_adapter:
        layers = config.num_adapter_layers
        frames = convolved_length(
            frames, [config.adapter_kernel_size] * layers, [config.adapter_stride] * layers, padding=ADAPTER_PADDING
        )
    return frames


def frame_mask(
    attention_mask: Tensor, frames: int, config: Data2VecAudioConfig, *, after_adapter: bool = False
) -> Tensor:
    """Which frames come from real samples.

    A row too short for one frame has none. The reference, which looks for the last real frame, wraps around there and
    takes all frames of such a row for real.

    Args:
        attention_mask: (batch, samples), 1 where real; padding on the right.
        frames: number of frames of the padded batch.

    Returns:
        (batch, frames), True where real.
    """
    counts = frame_count(attention_mask.long().sum(dim=-1), config, after_adapter=after_adapter)
    return torch.arange(frames, device=attention_mask.device) < counts[:, None]
