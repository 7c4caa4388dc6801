"""Waveform to frames: strided convolutions, computed channels-last, and the projection to the transformer's width.

With the channels last in memory, the layer norm over them needs no transpose, and the convolution kernels gather the
windows in place.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from data2vec_core.activations import ACTIVATIONS
from data2vec_core.audio.frame_convolution import FrameConvolution
from data2vec_core.config import Data2VecAudioConfig
from data2vec_core.linear import Linear

FRAMES_AT_ONCE = 130
"""Of all clips of a batch, at most, computed together without a gradient. What the first layers make of a second of
sound takes megabytes, of a minute hundreds: in pieces it stays within the processor's caches, and memory is bounded."""


class ConvolutionLayer(nn.Module):
    """Convolution, layer norm over channels, activation."""

    def __init__(self, in_channels: int, channels: int, kernel: int, stride: int, config: Data2VecAudioConfig) -> None:
        super().__init__()
        self.conv: nn.Module = FrameConvolution(in_channels, channels, kernel, stride, bias=config.conv_bias)
        self.layer_norm = nn.LayerNorm(channels)
        self.activation = ACTIVATIONS[config.feat_extract_activation]

    def forward(self, hidden: Tensor) -> Tensor:
        return self.activation(self.layer_norm(self.conv(hidden)))


class WaveformEncoder(nn.Module):
    """The stack of convolutions from samples to frames (every 20 ms at the default strides)."""

    def __init__(self, config: Data2VecAudioConfig) -> None:
        super().__init__()
        channels = (1, *config.conv_dim)
        self.conv_layers = nn.ModuleList(
            ConvolutionLayer(before, after, kernel, stride, config)
            for before, after, kernel, stride in zip(
                channels[:-1], channels[1:], config.conv_kernel, config.conv_stride, strict=True
            )
        )

        self._hop = config.inputs_to_logits_ratio
        self._reach = config.receptive_field

    def forward(self, samples: Tensor) -> Tensor:
        """(batch, samples) -> (batch, frames, conv dim)"""
        frames = (samples.shape[1] - self._reach) // self._hop + 1
        at_once = max(1, FRAMES_AT_ONCE // len(samples)) if len(samples) else frames
        if torch.is_grad_enabled() or frames <= at_once:
            return self._convolve(samples)
        pieces = []
        even = math.ceil(frames / math.ceil(frames / at_once))
        for first in range(0, frames, even):
            last = min(first + even, frames) - 1
            pieces.append(self._convolve(samples[:, first * self._hop : last * self._hop + self._reach]))
        return torch.cat(pieces, dim=1)

    def _convolve(self, samples: Tensor) -> Tensor:
        hidden = samples.unsqueeze(-1)
        for layer in self.conv_layers:
            hidden = layer(hidden)
        return hidden


class FeatureProjection(nn.Module):
    """Layer norm, then a linear map to the transformer's width. The model applies the dropout after it, so that a
    teacher can read the projection without."""

    def __init__(self, config: Data2VecAudioConfig) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(config.conv_dim[-1], eps=config.layer_norm_eps)
        self.projection = Linear(config.conv_dim[-1], config.hidden_size)
        self.dropout = nn.Dropout(config.feat_proj_dropout)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, frames, conv dim) -> (batch, frames, dim), and the normalised features themselves."""
        normed = self.layer_norm(features)
        return self.projection(normed), normed


class PositionalConvolution(nn.Module):
    """One grouped convolution over time, a layer norm without weights, an activation."""

    def __init__(self, config: Data2VecAudioConfig) -> None:
        super().__init__()
        kernel = config.conv_pos_kernel_size
        self.conv = nn.Conv1d(
            config.hidden_size,
            config.hidden_size,
            kernel,
            padding=kernel // 2,
            groups=config.num_conv_pos_embedding_groups,
        )
        self.activation = ACTIVATIONS[config.feat_extract_activation]

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, frames, dim) -> the same"""
        frames = hidden.shape[1]
        convolved = self.conv(hidden.transpose(1, 2))[..., :frames].transpose(1, 2)  # an even kernel makes one too many
        return self.activation(F.layer_norm(convolved, convolved.shape[-1:]))


class PositionalConvolutions(nn.Module):
    """Relative positions from a chain of convolutions (the paper's section on speech; data2vec.md 2.1, stage 6)."""

    def __init__(self, config: Data2VecAudioConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(PositionalConvolution(config) for _ in range(config.num_conv_pos_embeddings))

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, frames, dim) -> what is to be added to it"""
        for layer in self.layers:
            hidden = layer(hidden)
        return hidden
