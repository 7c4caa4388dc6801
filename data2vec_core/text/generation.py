"""Writing text with a causal language model: greedily, by sampling, or by beam search; at once or token by token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from data2vec_core.text.beam_search import EarlyStopping, beam_search
from data2vec_core.text.cache import KeyValueCache
from data2vec_core.text.model import TextPretrainedModel
from data2vec_core.text.sampling import sample

DEFAULT_NEW_TOKENS = 20


@dataclass(frozen=True, kw_only=True)
class GenerationOptions:
    """How to write. Names and defaults are those of the transformers library."""

    max_new_tokens: int | None = None
    """Most tokens to write; decides over `max_length`. 20 when neither is given."""
    max_length: int | None = None
    """Most tokens of a text, its prompt (padding included) among them."""
    do_sample: bool = False
    """Draw tokens instead of taking the likeliest."""
    temperature: float = 1.0
    """Above 0; below 1 makes draws more predictable."""
    top_k: int | None = 50
    """Draw from so many likeliest tokens; None or 0: from all."""
    top_p: float = 1.0
    """Draw from the smallest set of tokens that has this probability."""
    num_beams: int = 1
    """More than 1: beam search."""
    length_penalty: float = 1.0
    """Of beam search: above 0 favours long texts, below 0 short ones."""
    early_stopping: EarlyStopping = False
    """Of beam search: `beam_search` says what."""
    num_return_sequences: int = 1
    """Texts for each prompt: draws, or the best beams."""
    eos_token_id: int | Sequence[int] | None = None
    """Tokens that end a text; the configuration's when None, none when empty."""
    use_cache: bool = True
    """Keep keys and values between steps (faster, the same numbers)."""
    zero_based_positions: bool = True
    """Give the first real token of a prompt position id 0, as the reference's `generate` does, although the models
    are trained, and `forward` counts, from `pad_token_id + 1` (data2vec.md 2.2). False counts as in training."""

    def __post_init__(self) -> None:
        self._require("max_new_tokens", self.max_new_tokens is None or self.max_new_tokens > 0, "must be positive")
        self._require("temperature", self.temperature > 0, "must be above 0")
        self._require("top_k", self.top_k is None or self.top_k >= 0, "must not be negative")
        self._require("top_p", 0 <= self.top_p <= 1, "must lie between 0 and 1")
        self._require("num_beams", self.num_beams > 0, "must be positive")
        self._require("num_beams", self.num_beams == 1 or not self.do_sample, "beam search does not sample")
        self._require("early_stopping", self.early_stopping in (True, False, "never"), "must be True, False or 'never'")
        self._require(
            "num_return_sequences",
            self.num_return_sequences > 0 and (self.do_sample or self.num_return_sequences <= self.num_beams),
            "must be positive, and at most num_beams unless do_sample is on",
        )

    def longest_after(self, prompt_length: int) -> int:
        """Most tokens of a text with a prompt of so many.

        Raises:
            ValueError: there is no room for a new token.
        """
        if self.max_new_tokens is None and self.max_length is not None:
            if self.max_length <= prompt_length:
                raise ValueError(f"max_length={self.max_length} leaves no room after prompts of {prompt_length} tokens")
            return self.max_length
        return prompt_length + (self.max_new_tokens or DEFAULT_NEW_TOKENS)

    def _require(self, name: str, holds: bool, rule: str) -> None:
        if not holds:
            raise ValueError(f"{name}={getattr(self, name)!r}: {rule}")


class GeneratingModel(TextPretrainedModel):
    """`generate` and `stream`, for the causal language model."""

    def generate(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        *,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        generator: torch.Generator | None = None,
        **options: Any,
    ) -> Tensor:
        """Continue prompts.

        Args:
            input_ids: (batch, tokens) int64 prompts, padded on the left.
            attention_mask: (batch, tokens), nonzero for real tokens; all but the padding token when None.
            encoder_hidden_states, encoder_attention_mask: for cross-attention, one a prompt.
            generator: draws the samples; torch's global one when None.
            **options: fields of `GenerationOptions`.

        Returns:
            (batch * num_return_sequences, tokens): prompts and what was written, padded on the right after its end.

        Raises:
            ValueError: not a decoder, prompts padded on the right, no room for new tokens, or an option that breaks
                its rule.
            TypeError: an unknown option.
        """
        settings = GenerationOptions(**options)
        if settings.num_beams == 1 and settings.num_return_sequences > 1:
            copies = settings.num_return_sequences
            input_ids, attention_mask = input_ids.repeat_interleave(copies, 0), _repeat(attention_mask, copies)
            encoder_hidden_states = _repeat(encoder_hidden_states, copies)
            encoder_attention_mask = _repeat(encoder_attention_mask, copies)
        steps = _Steps(self, input_ids, attention_mask, encoder_hidden_states, encoder_attention_mask, settings)
        if settings.num_beams > 1:
            return self._search(input_ids, steps, settings)
        return torch.cat(
            [input_ids, *(token[:, None] for token in self._write(input_ids, steps, settings, generator))], 1
        )

    def stream(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        *,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        generator: torch.Generator | None = None,
        **options: Any,
    ) -> Iterator[Tensor]:
        """Continue prompts token by token; the arguments are those of `generate`, without beams.

        Closing the iterator stops the writing.

        Yields:
            (batch,) int64: the next token of every text, padding where it has ended.

        Raises:
            ValueError: as `generate`, or beams or several texts a prompt.
        """
        settings = GenerationOptions(**options)
        if settings.num_beams > 1 or settings.num_return_sequences > 1:
            raise ValueError("stream writes one text for each prompt, without beams; use generate for more")
        steps = _Steps(self, input_ids, attention_mask, encoder_hidden_states, encoder_attention_mask, settings)
        return self._write(input_ids, steps, settings, generator)

    @torch.no_grad()
    def _write(
        self, texts: Tensor, steps: _Steps, options: GenerationOptions, generator: torch.Generator | None
    ) -> Iterator[Tensor]:
        has_ended = torch.zeros(len(texts), dtype=torch.bool, device=texts.device)
        while texts.shape[1] < steps.max_length and not bool(has_ended.all()):
            logits = steps.next_logits(texts)
            if options.do_sample:
                token = sample(
                    logits,
                    temperature=options.temperature,
                    top_k=options.top_k,
                    top_p=options.top_p,
                    generator=generator,
                )
            else:
                token = logits.argmax(dim=-1)
            token = token.masked_fill(has_ended, self.config.pad_token_id)
            has_ended = has_ended | torch.isin(token, steps.eos_token_ids)
            texts = torch.cat([texts, token[:, None]], dim=1)
            yield token

    @torch.no_grad()
    def _search(self, prompts: Tensor, steps: _Steps, options: GenerationOptions) -> Tensor:
        steps.reorder(torch.arange(len(prompts), device=prompts.device).repeat_interleave(options.num_beams))
        return beam_search(
            steps.next_logits,
            steps.reorder,
            prompts,
            beams=options.num_beams,
            max_length=steps.max_length,
            eos_token_ids=steps.eos_token_ids,
            pad_token_id=self.config.pad_token_id,
            length_penalty=options.length_penalty,
            early_stopping=options.early_stopping,
            texts_per_prompt=options.num_return_sequences,
        )


class _Steps:
    """The model's side of writing: which tokens are real, where they stand, and the cache."""

    def __init__(
        self,
        model: TextPretrainedModel,
        prompts: Tensor,
        attention_mask: Tensor | None,
        context: Tensor | None,
        context_mask: Tensor | None,
        options: GenerationOptions,
    ) -> None:
        config = model.config
        if not config.is_decoder:
            raise ValueError("writing needs a model with is_decoder=True: from_pretrained takes it as an override")
        if prompts.dim() != 2 or prompts.shape[1] == 0:
            raise ValueError(f"input_ids must be (batch, tokens) with at least one token, got {tuple(prompts.shape)}")
        is_real = prompts != config.pad_token_id if attention_mask is None else attention_mask.bool()
        if is_real.shape != prompts.shape:
            raise ValueError(f"attention_mask has shape {tuple(is_real.shape)}, input_ids {tuple(prompts.shape)}")
        if not bool(is_real[:, -1].all()):
            raise ValueError("prompts must be padded on the left: the last token of each is the one to continue")
        self.max_length = options.longest_after(prompts.shape[1])
        room = config.max_position_embeddings if options.zero_based_positions else config.max_length
        longest = int(is_real.sum(dim=1).max()) + self.max_length - prompts.shape[1]
        if longest > room:
            raise ValueError(f"texts may grow to {longest} tokens, the model reads at most {room}")
        ends = config.eos_token_id if options.eos_token_id is None else options.eos_token_id
        ends = () if ends is None else (ends,) if isinstance(ends, int) else tuple(ends)
        self.eos_token_ids = torch.tensor(ends, dtype=torch.long, device=prompts.device)

        self._model = model
        self._is_real = is_real
        self._context, self._context_mask = context, context_mask
        self._cache = KeyValueCache(config.num_hidden_layers) if options.use_cache else None
        self._zero_based = options.zero_based_positions

    def next_logits(self, texts: Tensor) -> Tensor:
        """(rows, tokens) -> float32 logits of the next token, (rows, vocab). Only new tokens are read with a cache."""
        written = texts.shape[1] - self._is_real.shape[1]
        self._is_real = torch.nn.functional.pad(self._is_real, (0, written), value=True)
        read = 0 if self._cache is None else self._cache.length
        output = self._model(
            texts[:, read:],
            self._is_real,
            position_ids=self._positions()[:, read:],
            encoder_hidden_states=self._context,
            encoder_attention_mask=self._context_mask,
            past_key_values=self._cache,
            use_cache=self._cache is not None,
            logits_to_keep=1,
        )
        return output.logits[:, -1].float()

    def reorder(self, rows: Tensor) -> None:
        """Make row i what row `rows[i]` was."""
        self._is_real = self._is_real[rows]
        self._context = None if self._context is None else self._context[rows]
        self._context_mask = None if self._context_mask is None else self._context_mask[rows]
        if self._cache is not None:
            self._cache.reorder(rows)

    def _positions(self) -> Tensor:
        count = self._is_real.long().cumsum(dim=1) * self._is_real
        return (count - 1).clamp(min=0) if self._zero_based else count + self._model.config.pad_token_id


def _repeat(tensor: Tensor | None, copies: int) -> Tensor | None:
    return None if tensor is None else tensor.repeat_interleave(copies, 0)
