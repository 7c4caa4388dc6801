"""From token ids to the input of the first block: word, position and token-type embeddings, summed and normed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from data2vec_core.config import Data2VecTextConfig


def token_position_ids(input_ids: Tensor, pad_token_id: int, past_length: int = 0) -> Tensor:
    """Position ids by RoBERTa's rule: real tokens count up from `pad_token_id + 1`, padding has `pad_token_id`.

    Args:
        input_ids: (batch, tokens) int64.
        pad_token_id: which ids are padding.
        past_length: positions already read into a cache. They count whether they were padding or not, as in the
            reference; after padded prompts, hand the model explicit position ids instead.

    Returns:
        (batch, tokens) int64
    """
    is_real = (input_ids != pad_token_id).long()
    return (is_real.cumsum(dim=1) + past_length) * is_real + pad_token_id


def running_position_ids(tokens: int, pad_token_id: int, device: torch.device | None = None) -> Tensor:
    """Position ids where no token ids are known (embeddings were handed in): `pad_token_id + 1` and on, (1, tokens)."""
    return torch.arange(pad_token_id + 1, pad_token_id + 1 + tokens, device=device)[None]


class TextEmbeddings(nn.Module):
    """Word, position and token-type embeddings (data2vec.md 2.2)."""

    def __init__(self, config: Data2VecTextConfig) -> None:
        super().__init__()
        self.config = config
        dim, pad = config.hidden_size, config.pad_token_id
        self.word_embeddings = nn.Embedding(config.vocab_size, dim, padding_idx=pad)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, dim, padding_idx=pad)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, dim)
        self.norm = nn.LayerNorm(dim, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(
        self,
        input_ids: Tensor | None = None,
        *,
        inputs_embeds: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_length: int = 0,
    ) -> Tensor:
        """Embed tokens.

        Args:
            input_ids: (batch, tokens) int64; or else
            inputs_embeds: (batch, tokens, dim), used in place of the word embeddings.
            token_type_ids: (batch, tokens) int64; zeros when None.
            position_ids: (batch or 1, tokens) int64; by RoBERTa's rule when None.
            past_length: tokens already in the cache.

        Returns:
            (batch, tokens, dim)

        Raises:
            ValueError: ids outside their tables, in particular a sequence longer than `config.max_length`.
        """
        pad = self.config.pad_token_id
        if input_ids is not None:
            self._require_below("input_ids", input_ids, "vocab_size")
            words = self.word_embeddings(input_ids)
        else:
            assert inputs_embeds is not None
            words = inputs_embeds
        if token_type_ids is None:
            embedded = words + self.token_type_embeddings.weight[0]
        else:
            self._require_below("token_type_ids", token_type_ids, "type_vocab_size")
            embedded = words + self.token_type_embeddings(token_type_ids)
        if self.config.position_embedding_type == "absolute":
            if position_ids is not None:
                self._require_below("position_ids", position_ids, "max_position_embeddings")
            else:
                if input_ids is not None:
                    position_ids = token_position_ids(input_ids, pad, past_length)
                else:
                    position_ids = running_position_ids(words.shape[1], pad, words.device)
                self._require_fitting(position_ids)
            embedded = embedded + self.position_embeddings(position_ids)
        return self.dropout(self.norm(embedded))

    def _require_below(self, name: str, ids: Tensor, bound: str) -> None:
        size = getattr(self.config, bound)
        if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < size:
            raise ValueError(
                f"{name} must lie in 0..{size - 1} ({bound}={size}), got {int(ids.min())}..{int(ids.max())}"
            )

    def _require_fitting(self, position_ids: Tensor) -> None:
        longest = int(position_ids.max()) - self.config.pad_token_id if position_ids.numel() else 0
        if longest > self.config.max_length:
            raise ValueError(
                f"the longest sequence has {longest} tokens, the model reads at most {self.config.max_length} "
                f"(max_position_embeddings={self.config.max_position_embeddings})"
            )
