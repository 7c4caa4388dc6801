"""Relative position bias: what a head adds to a score because of where query and key lie (data2vec.md 2.3).

A table holds one row of head values per distance (rows, columns) between two patches of the trained window, and three
more for the class token: asking a patch, asked by a patch, asking itself.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CLASS_ROWS = 3
"""Table rows of the class token, after those of the patch distances."""


def distance_count(rows: int, columns: int) -> int:
    """Number of different distances between two patches of a grid."""
    return (2 * rows - 1) * (2 * columns - 1)


@lru_cache(maxsize=8)
def relative_position_index(rows: int, columns: int) -> Tensor:
    """Which table row belongs to each (query, key), the class token being position 0.

    Returns:
        (1 + patches, 1 + patches) int32, 0 to `distance_count(rows, columns) + 2`. One tensor per grid, shared by all
        layers and models: not to be written to. (It grows with the fourth power of the image's side: hence the short
        numbers, and the few grids that are remembered.)
    """
    # Kept for later calls, which may need gradients or come from a model on another device than this one's.
    with torch.inference_mode(False), torch.device("cpu"):
        row = torch.arange(rows, dtype=torch.int32).repeat_interleave(columns)  # (patches)
        column = torch.arange(columns, dtype=torch.int32).repeat(rows)  # (patches)
        down = row[:, None] - row[None, :] + rows - 1  # (query, key), 0 to 2 rows - 2
        right = column[:, None] - column[None, :] + columns - 1
        distances = distance_count(rows, columns)
        index = torch.empty(1 + rows * columns, 1 + rows * columns, dtype=torch.int32)
        index[1:, 1:] = down * (2 * columns - 1) + right
        index[0, :] = distances
        index[:, 0] = distances + 1
        index[0, 0] = distances + 2
    return index


def visible_pairs(grid: tuple[int, int], visible: Tensor) -> Tensor:
    """The part of `relative_position_index` between the class token and some patches, others for every item.

    Args:
        visible: (batch, visible) int64, numbers of the patches in row-major order.

    Returns:
        (batch, 1 + visible, 1 + visible) int32.
    """
    position = F.pad(visible + 1, (1, 0))  # the class token is position 0
    return relative_position_index(*grid).to(visible.device)[position[:, :, None], position[:, None, :]]


class RelativePositionBias(nn.Module):
    """The table of one layer, or of all layers, and the bias that it gives to a grid of patches.

    Args:
        window: (rows, columns) of the grid that the table is trained on.
        heads: number of attention heads.
        true_layout: resize tables of windows that are not square as they are laid out. The reference swaps rows and
            columns there, even when no resizing is needed (data2vec.md 9.2, item 3); False gives its numbers.
    """

    def __init__(self, window: tuple[int, int], heads: int, *, true_layout: bool = False) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(distance_count(*window) + CLASS_ROWS, heads))
        rows, columns = 2 * window[0] - 1, 2 * window[1] - 1
        self.layout = (rows, columns) if true_layout else (columns, rows)

    def forward(self, grid: tuple[int, int], pairs: Tensor | None = None) -> Tensor:
        """What to add to the scores of images of `grid` (rows, columns) patches.

        Args:
            pairs: (batch, query, key), the table rows of those positions that are there (`visible_pairs`); all when
                None.

        Returns:
            (batch, heads, query, key), or (1, heads, 1 + patches, 1 + patches).
        """
        index = relative_position_index(*grid).to(self.table.device)[None] if pairs is None else pairs
        # Heads first: selecting columns of a small table is several times faster than permuting what rows would give.
        by_head = self._resized(grid).t().contiguous()  # (heads, distances + 3)
        return by_head.index_select(1, index.flatten()).unflatten(1, index.shape).transpose(0, 1)

    def _resized(self, grid: tuple[int, int]) -> Tensor:
        """The table for another grid: distances resized bilinearly, the class token's rows kept."""
        layout = (2 * grid[0] - 1, 2 * grid[1] - 1)
        if layout == self.layout:
            return self.table
        distances, of_class = self.table[:-CLASS_ROWS], self.table[-CLASS_ROWS:]
        as_map = distances.t().unflatten(1, self.layout)  # (heads, rows, columns)
        resized = F.interpolate(as_map[None], size=layout, mode="bilinear", align_corners=False)[0]
        return torch.cat([resized.flatten(1).t(), of_class])
