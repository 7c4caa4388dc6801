"""What may stand behind the masks of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from data2vec_core.processing.text import TextTokenizer
from data2vec_core.processing.text_errors import MaskCountError, TextTooLongError
from data2vec_core.tasks.reading import ReadingTask, whole_number
from data2vec_core.tasks.results import FilledText, Filling
from data2vec_core.text.heads import Data2VecTextForMaskedLM

DEFAULT_TOP_K = 5
MOST_MASKS = 16
"""In a text: every one is a run of the model on all candidates."""
MOST_CANDIDATES = 100


class MaskFiller(ReadingTask[Data2VecTextForMaskedLM]):
    """Proposes tokens for every `<mask>` of a text.

    Several masks are filled one after another, the one first where the model is surest, and the next with that in
    place; the best candidates are kept from step to step (a beam search), so that the words fit each other.
    """

    name = "fill_mask"
    model_class = Data2VecTextForMaskedLM

    def __init__(self, model: Data2VecTextForMaskedLM, tokenizer: TextTokenizer, **options: Any) -> None:
        super().__init__(model, tokenizer, **options)
        is_shown = torch.zeros(model.config.vocab_size, dtype=torch.bool)
        for index in range(min(len(tokenizer), model.config.vocab_size)):
            shown = tokenizer.decode([index], skip_special_tokens=True).strip()
            is_shown[index] = bool(shown) and "\ufffd" not in shown
        self._is_shown = is_shown  # (vocab,): white space and parts of a character are no answers

    def __call__(self, text: str, *, top_k: int = DEFAULT_TOP_K) -> FilledText:
        """Fill the masks of one text.

        Args:
            text: with one `<mask>` or several.
            top_k: predictions to give.

        Raises:
            ValueError: nothing but white space, no mask or too many, longer than allowed or than the model reads at
                once, or a `top_k` that is no whole number from 1 to 100.
        """
        self._check(text, "text")
        whole_number("top_k", top_k, 1, MOST_CANDIDATES)
        parts = text.split(self.tokenizer.special.mask_token)
        masks = len(parts) - 1
        if not 1 <= masks <= MOST_MASKS:
            found = "none" if masks == 0 else f"{masks}"
            raise MaskCountError(
                f"The text needs {self.tokenizer.special.mask_token} where a word is missing, 1 to {MOST_MASKS} times; "
                f"it has {found}."
            )
        # in one row of any length, to say how long it is
        ids = self.tokenizer(text, max_length=10**6)["input_ids"][0]
        if len(ids) > self.window:
            raise TextTooLongError(
                f"The text is too long: {len(ids)} tokens, and the model reads {self.window} at once."
            )
        candidates = [_Candidate(ids, 0.0)]
        for _ in range(masks):
            candidates = self._step(candidates, top_k)
        places = ids == self.tokenizer.mask_id
        return FilledText(
            predictions=tuple(self._filling(parts, each.ids[places].tolist(), each.score) for each in candidates),
            model=self.model_name,
        )

    @torch.inference_mode()
    def _step(self, candidates: Sequence[_Candidate], top_k: int) -> list[_Candidate]:
        """Fill one more mask of every candidate, and keep the best, best first."""
        logits = self.model(torch.stack([each.ids for each in candidates]).to(self.model.device)).logits.float().cpu()
        scores = logits.masked_fill(~self._is_shown, -torch.inf).log_softmax(dim=-1)  # (candidates, tokens, vocab)
        filled: dict[tuple[int, ...], _Candidate] = {}
        for each, own in zip(candidates, scores, strict=True):
            masked = (each.ids == self.tokenizer.mask_id).nonzero().flatten()
            place = masked[own[masked].max(dim=1).values.argmax()]
            best = own[place].topk(min(top_k, int(self._is_shown.sum())))
            for score, token in zip(best.values.tolist(), best.indices.tolist(), strict=True):
                ids = each.ids.clone()
                ids[place] = token
                key, candidate = tuple(ids.tolist()), _Candidate(ids, each.log_probability + score)
                # the same tokens may be reached in another order
                if key not in filled or candidate.log_probability > filled[key].log_probability:
                    filled[key] = candidate
        return sorted(filled.values(), key=lambda candidate: -candidate.log_probability)[:top_k]

    def _filling(self, parts: Sequence[str], tokens: Sequence[int], score: float) -> Filling:
        words = [self.tokenizer.decode([token]) for token in tokens]
        text = parts[0]
        for word, after in zip(words, parts[1:], strict=True):
            # the mask swallows the space before it: whether there is one is the token's affair
            if word.startswith(" "):
                text += word.lstrip() if not text or text[-1].isspace() else word
            else:
                text = text.rstrip() + word
            text += after
        return Filling(token=" ".join(word.strip() for word in words), score=score, text=text)


@dataclass(frozen=True)
class _Candidate:
    ids: Tensor
    """(tokens,)"""
    log_probability: float
    """Of what was filled in so far."""

    @property
    def score(self) -> float:
        return float(torch.tensor(self.log_probability).exp())
