"""The transformer that speech, text and vision share.

One attention, one feed-forward layer, one block that norms after the residual (speech, text) or before it (vision), and
the stack that runs the blocks. Masks arrive here as an additive bias, made once by `padding_bias`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from data2vec_core.activations import ACTIVATIONS
from data2vec_core.linear import Linear
from data2vec_core.packing import Packing
from data2vec_core.trace import TensorName, Trace


def padding_bias(is_real: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """Additive attention bias that hides padded keys.

    Args:
        is_real: (batch, key), nonzero where a position is real, or already (batch, query, key) or (batch, 1 or heads,
            query, key); None: all are.
        dtype: number format of the scores.

    Returns:
        broadcastable to (batch, heads, query, key), with 0 for real keys and the lowest finite number for padded
        ones, or None when nothing is hidden. Finite, so that a row without any real key gives no NaN.
    """
    if is_real is None or bool(is_real.all()):
        return None
    is_real = is_real.bool()
    if is_real.dim() < 4:
        is_real = is_real[:, None, None, :] if is_real.dim() == 2 else is_real[:, None]
    return torch.zeros_like(is_real, dtype=dtype).masked_fill_(~is_real, torch.finfo(dtype).min)


class LayerCache(Protocol):
    """Keys and values of one attention layer, kept between calls of a decoder."""

    keys: Tensor | None
    values: Tensor | None

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Append (batch, heads, new, head_dim) tensors; returns all keys and values so far."""


class Attention(nn.Module):
    """Multi-head attention.

    Args:
        dim: width of the input and the output.
        heads: number of heads; each has `dim / heads` channels.
        dropout: on the attention probabilities.
        key_bias: whether the key projection has a bias (vision has none).
    """

    def __init__(self, dim: int, heads: int, *, dropout: float = 0.0, key_bias: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.head_dim = dim // heads
        self.dropout = dropout
        self.query = Linear(dim, dim)
        self.key = Linear(dim, dim, bias=key_bias)
        self.value = Linear(dim, dim)
        self.output = Linear(dim, dim)

    def forward(
        self,
        hidden: Tensor,
        *,
        context: Tensor | None = None,
        bias: Tensor | None = None,
        cache: LayerCache | None = None,
        packing: Packing | None = None,
        trace: Trace | None = None,
        layer: int = 0,
        name: TensorName = "attention",
    ) -> Tensor:
        """Mix positions.

        Args:
            hidden: (batch, query, dim).
            context: (batch, key, dim), what keys and values are made from; `hidden` when None.
            bias: added to the scores, broadcastable to (batch, heads, query, key).
            cache: earlier keys and values of this layer. With `context`, it is filled once and then reused.
            packing: how `hidden` is packed; every item attends to itself alone. Without bias, cache and context.
            name: under which the trace knows these probabilities.

        Returns:
            (batch, query, dim)
        """
        query = self._split(self.query(hidden))  # (batch, heads, query, head_dim)
        if context is not None and cache is not None and cache.keys is not None and cache.values is not None:
            key, value = cache.keys, cache.values
        else:
            source = hidden if context is None else context
            key, value = self._split(self.key(source)), self._split(self.value(source))
            if cache is not None:
                key, value = cache.extend(key, value)
        if packing is not None:
            mixed = packing.each(self._mix, query, key, value, dim=2)
        else:
            if trace is not None and name == "attention":
                value = trace.visit("values", layer, value)
            visit = partial(trace.visit, name, layer) if trace is not None and trace.touches(name, layer) else None
            mixed = self._mix(query, key, value, bias, visit)
        return self.output(mixed.transpose(1, 2).flatten(2))

    def _mix(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        bias: Tensor | None = None,
        visit: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Values mixed by attention, (batch, heads, query, head_dim); `visit` is shown the probabilities."""
        bias = self.score_bias(query, key, bias)
        dropout = self.dropout if self.training else 0.0
        if visit is None and not is_faster_in_parts(query, key):
            return F.scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=dropout)
        # Scores of a long clip take a hundred megabytes: they change in place, which costs less and rounds the same.
        scores = (query @ key.transpose(-2, -1)).mul_(self.head_dim**-0.5)
        if bias is not None:
            scores = scores + bias
        in_place = None if scores.requires_grad else scores
        probabilities = F.dropout(torch.softmax(scores, dim=-1, out=in_place), dropout)
        if visit is not None:
            probabilities = visit(probabilities)
        return probabilities @ value

    def score_bias(self, query: Tensor, key: Tensor, bias: Tensor | None) -> Tensor | None:  # noqa: ARG002
        """What is added to the scores; a place for position terms that depend on queries and keys."""
        return bias

    def _split(self, projected: Tensor) -> Tensor:
        return projected.unflatten(-1, (self.heads, self.head_dim)).transpose(1, 2)


MOST_KEYS_IN_PARTS = 512
"""Beyond, the probabilities of all heads take more memory than their speed is worth."""


def is_faster_in_parts(query: Tensor, key: Tensor) -> bool:
    """Whether attention is quicker as two matrix products and a softmax than fused: on a processor, in bfloat16, with a
    gradient, since PyTorch's fused kernel goes backwards slowly there (`benchmarks/attention_training.py`)."""
    return (
        query.dtype is torch.bfloat16
        and query.device.type == "cpu"
        and query.requires_grad
        and key.shape[-2] <= MOST_KEYS_IN_PARTS
    )


class FeedForward(nn.Module):
    """Two linear layers with an activation between; applied at each position alone."""

    def __init__(self, dim: int, inner_dim: int, *, activation: str = "gelu", dropout: float = 0.0) -> None:
        super().__init__()
        self.up = Linear(dim, inner_dim)
        self.activation = ACTIVATIONS[activation]
        self.is_gelu = self.activation is ACTIVATIONS["gelu"]
        self.dropout = nn.Dropout(dropout)
        self.down = Linear(inner_dim, dim)

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, positions, dim) -> the same"""
        raised = self.up(hidden, gelu=True) if self.is_gelu else self.activation(self.up(hidden))
        return self.down(self.dropout(raised))


class Block(nn.Module):
    """Attention and feed-forward layer, each with dropout, residual and layer norm.

    Args:
        attention: its attention module.
        dim: width.
        inner_dim: width inside the feed-forward layer.
        activation: of the feed-forward layer.
        dropout: on the result of both branches.
        activation_dropout: inside the feed-forward layer.
        eps: of the layer norms.
        norm_first: norm the input of each branch (vision) instead of the sum after it (speech, text).
        scale_init: start value of a learnt per-channel scale of both branches; none when not positive.
        drop_path: chance that training drops a branch for a whole item (stochastic depth).
    """

    def __init__(
        self,
        attention: Attention,
        dim: int,
        inner_dim: int,
        *,
        activation: str = "gelu",
        dropout: float = 0.0,
        activation_dropout: float = 0.0,
        eps: float = 1e-5,
        norm_first: bool = False,
        scale_init: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.attention = attention
        self.attention_norm = nn.LayerNorm(dim, eps=eps)
        self.feed_forward = FeedForward(dim, inner_dim, activation=activation, dropout=activation_dropout)
        self.feed_forward_norm = nn.LayerNorm(dim, eps=eps)
        self.dropout = nn.Dropout(dropout)
        self.norm_first = norm_first
        self.drop_path = drop_path
        scaled = scale_init > 0
        self.attention_scale = nn.Parameter(torch.full((dim,), scale_init)) if scaled else None
        self.feed_forward_scale = nn.Parameter(torch.full((dim,), scale_init)) if scaled else None

    def forward(
        self,
        hidden: Tensor,
        *,
        bias: Tensor | None = None,
        cache: LayerCache | None = None,
        packing: Packing | None = None,
        trace: Trace | None = None,
        layer: int = 0,
    ) -> Tensor:
        """(batch, positions, dim) -> the same; `layer` is the block's number for the trace, from 1."""
        hidden = self.attend(hidden, bias=bias, cache=cache, packing=packing, trace=trace, layer=layer)
        return self.feed(hidden, trace=trace, layer=layer)

    def attend(self, hidden: Tensor, **inputs: Any) -> Tensor:
        """The attention branch, added to its input."""
        normed = self.attention_norm(hidden) if self.norm_first else hidden
        mixed = self.attention(normed, **inputs)
        return self._add(hidden, mixed, self.attention_scale, self.attention_norm)

    def feed(self, hidden: Tensor, *, trace: Trace | None = None, layer: int = 0) -> Tensor:
        """The feed-forward branch, added to its input."""
        normed = self.feed_forward_norm(hidden) if self.norm_first else hidden
        fed = self.feed_forward(normed)
        if trace is not None:
            fed = trace.visit("feed_forward", layer, fed)
        return self._add(hidden, fed, self.feed_forward_scale, self.feed_forward_norm)

    def _add(self, hidden: Tensor, branch: Tensor, scale: Tensor | None, norm: nn.LayerNorm) -> Tensor:
        branch = self.dropout(branch)
        if scale is not None:
            branch = branch * scale
        if self.training and self.drop_path > 0:
            branch = drop_items(branch, self.drop_path)
        hidden = hidden + branch
        return hidden if self.norm_first else norm(hidden)


def drop_items(branch: Tensor, rate: float) -> Tensor:
    """Zero whole items of a batch at random and scale the others up by 1 / (1 - rate) (stochastic depth)."""
    if rate >= 1:
        return torch.zeros_like(branch)
    keep = torch.rand(branch.shape[0], *(1,) * (branch.dim() - 1), device=branch.device) >= rate
    return branch * keep.to(branch.dtype) / (1 - rate)


class BlockStack(nn.Module):
    """The blocks in order, with layer drop, recording and gradient checkpointing.

    Args:
        blocks: the blocks; the trace counts them from 1.
        layerdrop: chance that training skips a block. A skipped block hands its input on, so that there are always
            as many hidden states as blocks plus one.
    """

    def __init__(self, blocks: Sequence[Block], *, layerdrop: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(blocks)
        self.layerdrop = layerdrop
        self.gradient_checkpointing = False

    def run(self, hidden: Tensor, **inputs: Any) -> Tensor:
        """The last of `states`: (batch, positions, dim) -> output of the last block."""
        for state in self.states(hidden, **inputs):
            hidden = state
        return hidden

    def states(
        self,
        hidden: Tensor,
        *,
        caches: Sequence[LayerCache] | None = None,
        packing: Packing | None = None,
        trace: Trace | None = None,
        **inputs: Any,
    ) -> Iterator[Tensor]:
        """Run the blocks one after another.

        Args:
            hidden: (batch, positions, dim).
            caches: one for every block.
            packing: how `hidden` is packed. A trace gets padded hidden states all the same, and nothing else.
            inputs: go to every block.

        Yields:
            Hidden states 0 to L, (batch, positions, dim) each: the input, then every block's output.

        Raises:
            ValueError: the trace names a layer beyond the last, or looks into a block of a packed pass.
        """
        if trace is not None:
            trace.require_depth(len(self.layers))
            trace.clear()  # a block that this pass drops must not seem recorded because an earlier pass ran it
            hidden = _visit_hidden(trace, 0, hidden, packing)
        if packing is not None:
            inputs |= {"packing": packing}
        yield hidden
        for index, block in enumerate(self.layers):
            if not (self.training and self.layerdrop > 0 and torch.rand(()) < self.layerdrop):
                layer_inputs = inputs | {"trace": trace, "layer": index + 1}
                if caches is not None:
                    layer_inputs["cache"] = caches[index]
                is_looked_into = trace is not None and trace.looks_into(index + 1)
                if is_looked_into and packing is not None:
                    raise ValueError("a pass without padding can record hidden states only")
                if self.gradient_checkpointing and self.training and not is_looked_into:
                    hidden = checkpoint(block, hidden, use_reentrant=False, **layer_inputs)
                else:
                    hidden = block(hidden, **layer_inputs)
            if trace is not None:
                hidden = _visit_hidden(trace, index + 1, hidden, packing)
            yield hidden


def _visit_hidden(trace: Trace, layer: int, hidden: Tensor, packing: Packing | None) -> Tensor:
    if packing is None or not trace.touches("hidden", layer):
        return trace.visit("hidden", layer, hidden)
    return packing.pack(trace.visit("hidden", layer, packing.unpack(hidden)))
