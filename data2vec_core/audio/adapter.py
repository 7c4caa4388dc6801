"""The optional adapter: it shortens the sequence, for a decoder that follows."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from data2vec_core.audio.lengths import ADAPTER_PADDING
from data2vec_core.config import Data2VecAudioConfig


class Adapter(nn.Module):
    """Strided convolutions with gated linear units after the encoder, which shorten the sequence."""

    def __init__(self, config: Data2VecAudioConfig) -> None:
        super().__init__()
        dim = config.output_size
        is_projected = dim != config.hidden_size
        self.proj = nn.Linear(config.hidden_size, dim) if is_projected else None
        self.proj_layer_norm = nn.LayerNorm(dim) if is_projected else None
        self.layers = nn.ModuleList(AdapterLayer(dim, config) for _ in range(config.num_adapter_layers))
        self.layerdrop = config.layerdrop

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, frames, dim) -> (batch, fewer frames, output dim)"""
        if self.proj is not None and self.proj_layer_norm is not None:
            hidden = self.proj_layer_norm(self.proj(hidden))
        for layer in self.layers:
            if not (self.training and torch.rand(()) < self.layerdrop):
                hidden = layer(hidden)
        return hidden


class AdapterLayer(nn.Module):
    """One strided convolution to twice the width, halved again by a gate."""

    def __init__(self, dim: int, config: Data2VecAudioConfig) -> None:
        super().__init__()
        self.conv = nn.Conv1d(
            dim, 2 * dim, config.adapter_kernel_size, stride=config.adapter_stride, padding=ADAPTER_PADDING
        )

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, frames, dim) -> (batch, fewer frames, dim)"""
        return F.glu(self.conv(hidden.transpose(1, 2)), dim=1).transpose(1, 2)
