"""Beam search: keep the few best unfinished texts at every step, and of the finished ones the best.

The rules are those of the reference, so that it finds the same texts: twice as many candidates as beams are looked at,
so that enough remain when all the best have ended; only a candidate among the best `beams` may be finished; a finished
text's score is its log-probability over its length to the power `length_penalty`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

EarlyStopping = bool | Literal["never"]

IMPOSSIBLE = -1e9
"""Score of what may not be chosen. Finite, as in the reference."""


@dataclass
class _Finished:
    """The best finished texts of each item so far."""

    texts: Tensor
    """(batch, beams, most tokens) int64, filled up with padding"""
    scores: Tensor
    """(batch, beams), best first"""
    lengths: Tensor
    """(batch, beams) tokens"""
    is_taken: Tensor
    """(batch, beams) whether the place holds a text"""
    padding: int

    @property
    def is_full(self) -> Tensor:
        """(batch, 1)"""
        return self.is_taken.all(dim=1, keepdim=True)

    def offer(self, texts: Tensor, scores: Tensor, has_ended: Tensor) -> None:
        """Let candidates (batch, candidates, tokens) take the places of worse texts."""
        beams, most = self.texts.shape[1:]
        padded = torch.nn.functional.pad(texts, (0, most - texts.shape[-1]), value=self.padding)
        lengths = torch.full_like(has_ended, texts.shape[-1], dtype=torch.long)
        self.scores, chosen = torch.cat([self.scores, scores], dim=1).topk(beams, dim=1)
        self.texts = _choose(torch.cat([self.texts, padded], dim=1), chosen)
        self.lengths = torch.cat([self.lengths, lengths], dim=1).gather(1, chosen)
        self.is_taken = torch.cat([self.is_taken, has_ended], dim=1).gather(1, chosen)


def beam_search(
    next_logits: Callable[[Tensor], Tensor],
    reorder: Callable[[Tensor], None],
    prompts: Tensor,
    *,
    beams: int,
    max_length: int,
    eos_token_ids: Tensor,
    pad_token_id: int,
    length_penalty: float = 1.0,
    early_stopping: EarlyStopping = False,
    texts_per_prompt: int = 1,
) -> Tensor:
    """Find likely continuations.

    Args:
        next_logits: from texts (batch * beams, tokens) to logits of their next token (batch * beams, vocab).
        reorder: told after every step which rows of the last texts the new texts continue, (batch * beams,).
        prompts: (batch, tokens) int64.
        beams: texts kept at every step.
        max_length: most tokens of a text, its prompt included.
        eos_token_ids: (ends,) tokens that finish a text; may be empty.
        length_penalty: above 0 favours long texts, below 0 short ones.
        early_stopping: when to stop, once `beams` texts are finished: at once (True), when the best running text
            would not beat the worst of them at its present length (False), or not at any length ("never").
        texts_per_prompt: how many of the best texts to return.

    Returns:
        (batch * texts_per_prompt, tokens), best first for each prompt, padded at the end
    """
    batch, prompt_length = prompts.shape
    device = prompts.device
    running = prompts[:, None].expand(-1, beams, -1)  # (batch, beams, tokens)
    running_scores = torch.zeros(batch, beams, device=device)
    running_scores[:, 1:] = IMPOSSIBLE  # all beams start alike: only the first may go on
    finished = _Finished(
        texts=torch.full((batch, beams, max_length), pad_token_id, device=device),
        scores=torch.full((batch, beams), IMPOSSIBLE, device=device),
        lengths=torch.zeros(batch, beams, dtype=torch.long, device=device),
        is_taken=torch.zeros(batch, beams, dtype=torch.bool, device=device),
        padding=pad_token_id,
    )
    can_improve = torch.ones(batch, 1, dtype=torch.bool, device=device)
    candidates = max(2, 1 + len(eos_token_ids)) * beams
    first_row = torch.arange(batch, device=device)[:, None] * beams

    for length in range(prompt_length + 1, max_length + 1):
        log_probabilities = next_logits(running.flatten(0, 1)).log_softmax(dim=-1)
        vocab = log_probabilities.shape[-1]
        totals = log_probabilities.unflatten(0, (batch, beams)) + running_scores[..., None]
        scores, flat = totals.flatten(1).topk(candidates, dim=1)  # (batch, candidates)
        origin, token = flat // vocab, flat % vocab
        texts = torch.cat([_choose(running, origin), token[..., None]], dim=-1)
        has_ended = torch.isin(token, eos_token_ids) | (length == max_length)

        running_scores, chosen = (scores + has_ended * IMPOSSIBLE).topk(beams, dim=1)
        running = _choose(texts, chosen)
        reorder((origin.gather(1, chosen) + first_row).flatten())

        has_ended[:, beams:] = False
        is_open = can_improve & ~(finished.is_full & (early_stopping is True))
        final_scores = scores / (length - prompt_length) ** length_penalty
        finished.offer(texts, final_scores + ~(has_ended & is_open) * IMPOSSIBLE, has_ended)

        hoped_length = max_length if early_stopping == "never" and length_penalty > 0 else length
        hope = running_scores[:, :1] / (hoped_length - prompt_length) ** length_penalty
        can_improve = can_improve & (~finished.is_full | (hope > finished.scores[:, -1:]))
        if not can_improve.any() or (early_stopping is True and bool(finished.is_full.all())):
            break

    best = finished.texts[:, :texts_per_prompt].flatten(0, 1)
    return best[:, : int(finished.lengths[:, :texts_per_prompt].max())]


def _choose(texts: Tensor, beams: Tensor) -> Tensor:
    """Texts (batch, n, tokens) at the indices (batch, m) -> (batch, m, tokens)"""
    return texts.gather(1, beams[..., None].expand(-1, -1, texts.shape[-1]))
