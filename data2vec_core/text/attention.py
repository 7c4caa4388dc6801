"""What the text model adds to the shared transformer: causal masks, distances in the scores, and cross-attention."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from data2vec_core.config import Data2VecTextConfig
from data2vec_core.text.cache import BlockCache
from data2vec_core.trace import Trace
from data2vec_core.transformer import Attention, Block, padding_bias


def self_attention_bias(
    attention_mask: Tensor | None, *, queries: int, keys: int, is_causal: bool, like: Tensor
) -> Tensor | None:
    """Additive bias of self-attention.

    Args:
        attention_mask: nonzero where a key may be looked at. (batch, key): combined with causality. (batch, query,
            key) or (batch, 1 or heads, query, key): the whole truth, causality included. A floating-point mask of
            four dimensions is taken for a ready bias.
        queries: number of new positions.
        keys: number of all positions, those in the cache included.
        is_causal: hide later positions.
        like: its number format and device are the bias's.

    Returns:
        broadcastable to (batch, heads, query, key), or None when nothing is hidden.

    Raises:
        ValueError: a mask of another size.
    """
    if attention_mask is not None:
        sizes = (keys,) if attention_mask.dim() == 2 else (queries, keys)
        if attention_mask.dim() not in (2, 3, 4) or attention_mask.shape[-len(sizes) :] != sizes:
            raise ValueError(
                f"attention_mask has shape {tuple(attention_mask.shape)}; expected (batch, {keys}), "
                f"(batch, {queries}, {keys}) or (batch, heads, {queries}, {keys})"
            )
        if attention_mask.dim() == 4 and attention_mask.is_floating_point():
            return attention_mask.to(like.dtype)
        if attention_mask.dim() > 2:
            return padding_bias(attention_mask, like.dtype)
    if not is_causal or queries == 1:
        return padding_bias(attention_mask, like.dtype)
    position = torch.arange(keys, device=like.device)
    is_visible = position <= position[keys - queries :, None]  # (query, key)
    is_visible = is_visible[None] if attention_mask is None else is_visible & attention_mask[:, None].bool()
    return padding_bias(is_visible, like.dtype)


class RelativeAttention(Attention):
    """Self-attention whose scores know the distance of query and key (Shaw et al., arXiv 1803.02155).

    Exists in transformers 4.x only, as `position_embedding_type` `relative_key` (the distance's embedding meets the
    query) and `relative_key_query` (it meets query and key).

    With a cache, 4.x takes every new query for the last position; here each has its own, so that reading a prompt
    in one go or token by token comes to the same.
    """

    def __init__(self, config: Data2VecTextConfig) -> None:
        super().__init__(config.hidden_size, config.num_attention_heads, dropout=config.attention_probs_dropout_prob)
        self.max_distance = config.max_position_embeddings - 1
        self.meets_key = config.position_embedding_type == "relative_key_query"
        self.distance_embedding = nn.Embedding(2 * self.max_distance + 1, self.head_dim)

    def score_bias(self, query: Tensor, key: Tensor, bias: Tensor | None) -> Tensor | None:
        keys = key.shape[-2]
        if keys > self.max_distance + 1:
            raise ValueError(f"a sequence has {keys} tokens, the model knows distances up to {self.max_distance}")
        position = torch.arange(keys, device=key.device)
        distance = position[keys - query.shape[-2] :, None] - position  # (query, key)
        embedded = self.distance_embedding(distance + self.max_distance)  # (query, key, head_dim)
        scores = torch.einsum("bhqd,qkd->bhqk", query, embedded)
        if self.meets_key:
            scores = scores + torch.einsum("bhkd,qkd->bhqk", key, embedded)
        scores = scores * self.head_dim**-0.5
        return scores if bias is None else scores + bias


class CrossAttentionBlock(Block):
    """A decoder's block: between self-attention and feed-forward layer it looks at an encoder's output."""

    def __init__(self, attention: Attention, dim: int, inner_dim: int, **options: Any) -> None:
        super().__init__(attention, dim, inner_dim, **options)
        self.cross_attention = Attention(dim, attention.heads, dropout=attention.dropout)
        self.cross_attention_norm = nn.LayerNorm(dim, eps=self.attention_norm.eps)

    def forward(  # type: ignore[override]  # the encoder's output is an input of its own
        self,
        hidden: Tensor,
        *,
        bias: Tensor | None = None,
        context: Tensor | None = None,
        context_bias: Tensor | None = None,
        cache: BlockCache | None = None,
        trace: Trace | None = None,
        layer: int = 0,
    ) -> Tensor:
        """Run the block.

        Args:
            hidden: (batch, tokens, dim).
            bias: of the self-attention.
            context: (batch, encoder positions, dim); without it the block leaves the cross-attention out.
            context_bias: hides padded encoder positions.

        Returns:
            (batch, tokens, dim)
        """
        hidden = self.attend(hidden, bias=bias, cache=cache, trace=trace, layer=layer)
        if context is not None:
            mixed = self.cross_attention(
                hidden,
                context=context,
                bias=context_bias,
                cache=None if cache is None else cache.cross,
                trace=trace,
                layer=layer,
                name="cross_attention",
            )
            hidden = self._add(hidden, mixed, None, self.cross_attention_norm)
        return self.feed(hidden, trace=trace, layer=layer)


def make_block(config: Data2VecTextConfig) -> Block:
    """One block of the text model."""
    attention = (
        Attention(config.hidden_size, config.num_attention_heads, dropout=config.attention_probs_dropout_prob)
        if config.position_embedding_type == "absolute"
        else RelativeAttention(config)
    )
    block_class = CrossAttentionBlock if config.add_cross_attention else Block
    return block_class(
        attention,
        config.hidden_size,
        config.intermediate_size,
        activation=config.hidden_act,
        dropout=config.hidden_dropout_prob,
        eps=config.layer_norm_eps,
    )
