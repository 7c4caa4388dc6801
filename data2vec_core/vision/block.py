"""The vision encoder: pre-norm blocks with relative position bias, layer scale and drop path (data2vec.md 2.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from data2vec_core.config import Data2VecVisionConfig
from data2vec_core.transformer import Attention, Block, BlockStack
from data2vec_core.vision.relative_position import RelativePositionBias, visible_pairs


class VisionBlock(Block):
    """A block that may have a position bias of its own."""

    def __init__(self, config: Data2VecVisionConfig, *, drop_path: float) -> None:
        attention = Attention(
            config.hidden_size,
            config.num_attention_heads,
            dropout=config.attention_probs_dropout_prob,
            key_bias=False,
        )
        super().__init__(
            attention,
            config.hidden_size,
            config.intermediate_size,
            activation=config.hidden_act,
            dropout=config.hidden_dropout_prob,
            eps=config.layer_norm_eps,
            norm_first=True,
            scale_init=config.layer_scale_init_value,
            drop_path=drop_path,
        )
        self.relative_position_bias = _bias(config) if config.use_relative_position_bias else None

    def forward(  # type: ignore[override]  # vision alone has a grid
        self,
        hidden: Tensor,
        *,
        grid: tuple[int, int],
        pairs: Tensor | None = None,
        bias: Tensor | None = None,
        **inputs: Any,
    ) -> Tensor:
        """(batch, 1 + patches, dim) -> the same.

        Args:
            grid: (rows, columns) of patches.
            pairs: which places of the grid `hidden` holds, see `RelativePositionBias`; all when None.
            bias: the one that all blocks share.
        """
        if self.relative_position_bias is not None:
            own = self.relative_position_bias(grid, pairs)
            bias = own if bias is None else bias + own
        return super().forward(hidden, bias=bias, **inputs)


class VisionEncoder(BlockStack):
    """The blocks, and the position bias that they share where the configuration asks for one."""

    def __init__(self, config: Data2VecVisionConfig) -> None:
        rates = drop_path_rates(config.drop_path_rate, config.num_hidden_layers)
        super().__init__([VisionBlock(config, drop_path=rate) for rate in rates])
        self.relative_position_bias = _bias(config) if config.use_shared_relative_position_bias else None

    def states(  # type: ignore[override]
        self, hidden: Tensor, *, grid: tuple[int, int], visible: Tensor | None = None, **inputs: Any
    ) -> Iterator[Tensor]:
        """Run the blocks one after another.

        Args:
            hidden: (batch, 1 + patches, dim), or of the visible patches alone.
            grid: (rows, columns) of all patches.
            visible: (batch, visible) int64, which patches of the grid `hidden` holds; all when None.

        Yields:
            Hidden states 0 to L, of the shape of `hidden`.
        """
        pairs = None if visible is None else visible_pairs(grid, visible)
        bias = None if self.relative_position_bias is None else self.relative_position_bias(grid, pairs)
        return super().states(hidden, grid=grid, pairs=pairs, bias=bias, **inputs)


def drop_path_rates(last: float, layers: int) -> list[float]:
    """Drop-path rate of every block, rising linearly from 0 to `last`; a single block drops nothing."""
    return [last * index / max(layers - 1, 1) for index in range(layers)]


def _bias(config: Data2VecVisionConfig) -> RelativePositionBias:
    return RelativePositionBias(config.grid_size, config.num_attention_heads, true_layout=config.fix_non_square_bias)
