"""From pixels to the transformer's input: patches, mask token, class token, absolute positions (data2vec.md 2.3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from data2vec_core.config import Data2VecVisionConfig


@dataclass(frozen=True)
class Patches:
    """A batch of images on the way into the encoder."""

    projected: Tensor
    """(batch, patches, dim), in row-major order: before mask, positions and dropout."""
    grid: tuple[int, int]
    """(rows, columns) that the patches form."""


class VisionEmbeddings(nn.Module):
    """Project patches, put the mask token over masked ones, prepend the class token, add positions."""

    def __init__(self, config: Data2VecVisionConfig) -> None:
        super().__init__()
        dim, patch, grid = config.hidden_size, config.patch_size_pair, config.grid_size
        self.channels = config.num_channels
        self.patch_size = patch
        self.grid_size = grid
        self.patch_projection = nn.Conv2d(config.num_channels, dim, kernel_size=patch, stride=patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dim)) if config.use_mask_token else None
        self.position_embeddings = (
            nn.Parameter(torch.zeros(1, 1 + grid[0] * grid[1], dim))
            if config.use_absolute_position_embeddings
            else None
        )
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, pixel_values: Tensor, bool_masked_pos: Tensor | None = None) -> tuple[Tensor, tuple[int, int]]:
        """Embed images of any size of at least one patch; pixels beyond the last whole patch are dropped.

        Args:
            pixel_values: (batch, channels, height, width).
            bool_masked_pos: (batch, patches), True or 1 where the mask token replaces a patch, in row-major order.

        Returns:
            (batch, 1 + patches, dim), and the grid (rows, columns) that the patches form.

        Raises:
            ValueError: images or mask of a wrong shape, or a mask for a model without a mask token.
        """
        patches = self.project(pixel_values)
        return self.place(patches, bool_masked_pos), patches.grid

    def project(self, pixel_values: Tensor) -> Patches:
        """The first half of `forward`: pixels to patches."""
        self._check_pixels(pixel_values)
        projected = self.patch_projection(pixel_values.to(self.patch_projection.weight.dtype))
        return Patches(projected.flatten(2).transpose(1, 2), (projected.shape[2], projected.shape[3]))

    def place(self, patches: Patches, bool_masked_pos: Tensor | None = None, visible: Tensor | None = None) -> Tensor:
        """The second half of `forward`: patches to the transformer's input.

        Args:
            visible: (batch, visible) int64, numbers of the patches to go on with, the others being left out; all when
                None.

        Returns:
            (batch, 1 + patches, dim), or (batch, 1 + visible, dim).

        Raises:
            ValueError: a mask or a choice of patches of a wrong shape or range, or a mask for a model without a mask
                token.
        """
        hidden = patches.projected
        of_class: Tensor = self.cls_token
        if bool_masked_pos is not None:
            hidden = self._mask(hidden, bool_masked_pos)
        if self.position_embeddings is not None:
            positions = self.positions(patches.grid)
            hidden, of_class = hidden + positions[:, 1:], of_class + positions[:, :1]
        if visible is not None:
            hidden = _choose(hidden, visible)
        return self.dropout(torch.cat([of_class.expand(hidden.shape[0], -1, -1), hidden], dim=1))

    def positions(self, grid: tuple[int, int]) -> Tensor:
        """(1, 1 + patches, dim): the position table, resized by bicubic interpolation when the grid is another one.

        The reference takes every table for a square one, so that it cannot run tables of other grids.
        """
        assert self.position_embeddings is not None
        if grid == self.grid_size:
            return self.position_embeddings
        of_class, of_patches = self.position_embeddings[:, :1], self.position_embeddings[:, 1:]
        as_map = of_patches.transpose(1, 2).unflatten(2, self.grid_size)  # (1, dim, rows, columns)
        resized = F.interpolate(as_map, size=grid, mode="bicubic", align_corners=False)
        return torch.cat([of_class, resized.flatten(2).transpose(1, 2)], dim=1)

    def _mask(self, hidden: Tensor, bool_masked_pos: Tensor) -> Tensor:
        if self.mask_token is None:
            raise ValueError(
                "bool_masked_pos needs a model with a mask token: use_mask_token=True in its configuration"
            )
        if bool_masked_pos.shape != hidden.shape[:2]:
            raise ValueError(
                f"bool_masked_pos: expected (batch, patches) = {tuple(hidden.shape[:2])}, "
                f"got {tuple(bool_masked_pos.shape)}"
            )
        return torch.where(bool_masked_pos.bool().unsqueeze(-1), self.mask_token, hidden)

    def _check_pixels(self, pixel_values: Tensor) -> None:
        shape = tuple(pixel_values.shape)
        if len(shape) != 4 or shape[1] != self.channels:
            raise ValueError(f"pixel_values: expected (batch, {self.channels}, height, width), got {shape}")
        if shape[2] < self.patch_size[0] or shape[3] < self.patch_size[1]:
            raise ValueError(f"pixel_values: {shape[2:]} pixels hold no patch of {self.patch_size}")


def _choose(hidden: Tensor, visible: Tensor) -> Tensor:
    """(batch, patches, dim) -> (batch, visible, dim)"""
    batch, patches, dim = hidden.shape
    if visible.dim() != 2 or visible.shape[0] != batch or visible.shape[1] < 1 or visible.dtype != torch.int64:
        raise ValueError(
            f"visible: expected ({batch}, visible) int64, at least one of each image, "
            f"got {tuple(visible.shape)} {visible.dtype}"
        )
    if visible.min() < 0 or visible.max() >= patches:
        raise ValueError(
            f"visible: the patches are numbered 0 to {patches - 1}, got {visible.min()} to {visible.max()}"
        )
    return hidden.gather(1, visible.unsqueeze(-1).expand(-1, -1, dim))
