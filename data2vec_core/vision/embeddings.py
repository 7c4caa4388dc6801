"""From pixels to the transformer's input: patches, mask token, class token, absolute positions (data2vec.md 2.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from data2vec_core.config import Data2VecVisionConfig


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
        self._check_pixels(pixel_values)
        patches = self.patch_projection(pixel_values.to(self.patch_projection.weight.dtype))
        grid = (patches.shape[2], patches.shape[3])
        hidden = patches.flatten(2).transpose(1, 2)  # (batch, patches, dim)
        if bool_masked_pos is not None:
            hidden = self._mask(hidden, bool_masked_pos)
        hidden = torch.cat([self.cls_token.expand(hidden.shape[0], -1, -1), hidden], dim=1)
        if self.position_embeddings is not None:
            hidden = hidden + self.positions(grid)
        return self.dropout(hidden), grid

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
