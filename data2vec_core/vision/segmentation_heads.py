"""From four feature maps to class maps: UPerNet (Xiao et al., arXiv 1807.10221) and a plain convolutional head
(Long et al., arXiv 1411.4038). Everything here is channel-first: (batch, channels, rows, columns)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from data2vec_core.config import Data2VecVisionConfig


def resize(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear resizing of maps to (rows, columns)."""
    return F.interpolate(maps, size=tuple(size), mode="bilinear", align_corners=False)


class ConvNormReLU(nn.Module):
    """Convolution that keeps the size, batch norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False)
        self.normalization = nn.BatchNorm2d(out_channels)

    def forward(self, maps: Tensor) -> Tensor:
        return F.relu(self.normalization(self.convolution(maps)))


class FeaturePyramid(nn.Module):
    """Four levels, at 4, 2, 1 and 1/2 times the patch grid, from hidden states that all have the grid's size."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fourfold = nn.Sequential(
            nn.ConvTranspose2d(dim, dim, kernel_size=2, stride=2),
            nn.BatchNorm2d(dim),
            nn.GELU(),
            nn.ConvTranspose2d(dim, dim, kernel_size=2, stride=2),
        )
        self.twofold = nn.Sequential(nn.ConvTranspose2d(dim, dim, kernel_size=2, stride=2))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Three or four maps (batch, dim, rows, columns), from an early block to a late one -> as many levels."""
        levels: list[Callable[[Tensor], Tensor]] = [self.fourfold, self.twofold, nn.Identity(), _halve]
        return [level(one) for level, one in zip(levels, maps, strict=False)]


def _halve(maps: Tensor) -> Tensor:
    """Largest value of every 2 x 2 patches; a side of a single patch stays one."""
    window = [min(2, side) for side in maps.shape[2:]]
    return F.max_pool2d(maps, kernel_size=window, stride=window)


class UPerHead(nn.Module):
    """Decode head: pyramid pooling of the coarsest level, a top-down path, and a classifier of all levels together."""

    def __init__(self, config: Data2VecVisionConfig) -> None:
        super().__init__()
        dim, scales = config.hidden_size, config.pool_scales
        self.pool_scales = scales
        self.psp_branches = nn.ModuleList(ConvNormReLU(dim, dim, 1) for _ in scales)
        self.psp_bottleneck = ConvNormReLU(dim * (1 + len(scales)), dim, 3)
        self.lateral_convs = nn.ModuleList(ConvNormReLU(dim, dim, 1) for _ in range(3))
        self.fpn_convs = nn.ModuleList(ConvNormReLU(dim, dim, 3) for _ in range(3))
        self.fpn_bottleneck = ConvNormReLU(4 * dim, dim, 3)
        self.classifier = nn.Conv2d(dim, config.class_count, kernel_size=1)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Levels, finest first -> (batch, classes, rows, columns) at the size of the first."""
        laterals = [conv(level) for conv, level in zip(self.lateral_convs, levels, strict=False)]
        laterals.append(self.pool(levels[-1]))
        for finer in reversed(range(len(laterals) - 1)):
            laterals[finer] = laterals[finer] + resize(laterals[finer + 1], laterals[finer].shape[2:])
        smoothed = [conv(lateral) for conv, lateral in zip(self.fpn_convs, laterals, strict=False)]
        smoothed.append(laterals[-1])
        size = smoothed[0].shape[2:]
        together = torch.cat([smoothed[0], *(resize(level, size) for level in smoothed[1:])], dim=1)
        return self.classifier(self.fpn_bottleneck(together))

    def pool(self, coarsest: Tensor) -> Tensor:
        """Pyramid pooling: means over s x s regions of the map, for every scale s, beside the map itself."""
        size = coarsest.shape[2:]
        pooled = [
            resize(branch(F.adaptive_avg_pool2d(coarsest, scale)), size)
            for scale, branch in zip(self.pool_scales, self.psp_branches, strict=True)
        ]
        return self.psp_bottleneck(torch.cat([coarsest, *pooled], dim=1))


class FCNHead(nn.Module):
    """Auxiliary head: a few convolutions on the level that has the patch grid's size."""

    def __init__(self, config: Data2VecVisionConfig) -> None:
        super().__init__()
        dim, channels = config.hidden_size, config.auxiliary_channels
        widths = auxiliary_widths(config)
        self.convs = nn.ModuleList(ConvNormReLU(before, channels, 3) for before in widths[:-1])
        self.conv_cat = ConvNormReLU(dim + channels, channels, 3) if config.auxiliary_concat_input else None
        self.classifier = nn.Conv2d(channels, config.class_count, kernel_size=1)

    def forward(self, level: Tensor) -> Tensor:
        """(batch, dim, rows, columns) -> (batch, classes, rows, columns)"""
        hidden = level
        for conv in self.convs:
            hidden = conv(hidden)
        if self.conv_cat is not None:
            hidden = self.conv_cat(torch.cat([level, hidden], dim=1))
        return self.classifier(hidden)


def auxiliary_widths(config: Data2VecVisionConfig) -> list[int]:
    """Channels before the first convolution of the auxiliary head, and after each of them.

    Raises:
        ValueError: there is none that could change the encoder's width into the head's.
    """
    dim, channels = config.hidden_size, config.auxiliary_channels
    widths = [dim] + [channels] * config.auxiliary_num_convs
    if widths[-1] != channels:
        raise ValueError(
            f"auxiliary_num_convs=0 needs auxiliary_channels={channels} to equal hidden_size={dim}: "
            "no convolution is left to change the width"
        )
    return widths
