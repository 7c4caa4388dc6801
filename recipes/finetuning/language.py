"""Language models: the tokens that are hidden, or the one that comes next, and their perplexities."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from data2vec_core import Data2VecTextForCausalLM, Data2VecTextForMaskedLM
from data2vec_core.pretraining.masking import BertTokens, mask_generators
from data2vec_core.processing.text import TextTokenizer
from data2vec_core.text.heads import LanguageModel
from recipes.backbones.text import Row, Rows
from recipes.finetuning.examples import Example
from recipes.finetuning.learning import FineTuning
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start

Text = Example[str, None]
"""A text of any length, from which a language model is learnt without labels."""
Model = TypeVar("Model", bound=LanguageModel)

SHORTEST = 6
"""Tokens of a row, special ones included, that has something to show beside what is hidden."""
SHARE = 0.15
"""Of a text's tokens, what is hidden when a masked language model is scored, as in BERT."""
WINDOW = 128
"""Most tokens of a row, special ones included."""
SHARED = 64
"""Tokens that neighbouring windows have in common when a causal language model is scored."""
SCORED_AT_ONCE = 16
"""Windows."""


@dataclass(frozen=True)
class CrossEntropy:
    """What predicting some tokens cost."""

    total: float
    """Nats."""
    tokens: int

    @property
    def mean(self) -> float:
        """Nats a token."""
        return self.total / self.tokens

    @property
    def perplexity(self) -> float:
        """Among how many tokens, all alike, the choice would have been as hard."""
        return math.exp(self.mean)


def pieces_of(tokenizer: TextTokenizer, texts: Iterable[str], *, length: int, shared: int = 0) -> list[list[Tensor]]:
    """The windows of every text, (tokens,) ids each: all begin with `<s>`, only the one that ends its text with `</s>`.

    Args:
        length: most tokens of a window, both special ones counted.
        shared: tokens that neighbouring windows of a text have in common.
    """
    texts = list(texts)
    windows = tokenizer.windows(texts, max_length=length, stride=shared)
    pieces: list[list[Tensor]] = [[] for _ in texts]
    for ids, count, text in zip(
        windows.input_ids, windows.attention_mask.sum(dim=1).tolist(), windows.text_index.tolist(), strict=True
    ):
        pieces[text].append(ids[:count])
    return [[*(piece[:-1] for piece in of_text[:-1]), of_text[-1]] for of_text in pieces]


class LanguageModelling(FineTuning[Model]):
    """Rows that fill the model's length, of similar length in a batch; a longer text gives several.

    Args:
        train: texts to learn from.
        valid: texts to choose by.
        tokens: in a batch, padding included.
        **configuration: fields of the model's configuration to change.
    """

    def __init__(
        self,
        start: Start,
        plan: FinePlan,
        train: Sequence[Text],
        valid: Sequence[Text],
        *,
        tokens: int = 2048,
        **configuration: Any,
    ) -> None:
        self.tokenizer = TextTokenizer.from_pretrained(start.checkpoint)
        super().__init__(start, plan, (self.tokenizer,))
        self.valid = [example.content for example in valid]
        self.configuration = configuration
        pieces = pieces_of(
            self.tokenizer, (example.content for example in train), length=min(WINDOW, self.tokenizer.max_length)
        )
        rows: list[Row] = [piece.numpy() for of_text in pieces for piece in of_text if len(piece) >= SHORTEST]
        self.rows = Rows(rows, self.tokenizer.pad_id, tokens=tokens, seed=plan.seed)
        counts = torch.bincount(torch.cat([torch.from_numpy(row) for row in rows]), minlength=len(self.tokenizer))
        self._log_frequency = ((counts + 0.1) / (counts + 0.1).sum()).log()  # (vocab,)

    def build_model(self) -> Model:
        """A fresh head's bias begins as the logarithm of how frequent each token is: the rest is left to be learnt."""
        model = self.start.build(self.model_class, **self.configuration)
        assert isinstance(model, LanguageModel)
        if not model.lm_head.bias.any():
            with torch.no_grad():
                model.lm_head.bias.copy_(self._log_frequency)
        return cast(Model, model)

    def score(self, model: Model) -> float:
        """Mean log-likelihood of the valid texts' tokens, in nats."""
        return -self.cross_entropy(model).mean

    @abstractmethod
    def cross_entropy(self, model: Model) -> CrossEntropy:
        """On the valid texts."""


class MaskedLanguage(LanguageModelling[Data2VecTextForMaskedLM]):
    """Some tokens are hidden and to be found; only there are scores of the vocabulary computed.

    Args:
        hidden: share of the tokens. Every one is behind `<mask>`, as when the model is asked: no other token stands in
            its place.
    """

    model_class = Data2VecTextForMaskedLM

    def __init__(self, *given: Any, hidden: float = SHARE, **options: Any) -> None:
        super().__init__(*given, **options, is_decoder=False)
        self.masking = masking_of(self.tokenizer, hidden)

    def loss(self, model: Data2VecTextForMaskedLM, step: int) -> Tensor:
        batch = self.rows(step)
        ids = batch["input_ids"]
        seen = self.masking(ids, mask_generators(self.plan.seed, step, range(len(ids))))
        hidden = model.backbone(seen.input_ids, batch["attention_mask"]).last_hidden_state
        return F.cross_entropy(model.score(hidden[seen.is_masked]).float(), ids[seen.is_masked])

    def cross_entropy(self, model: Data2VecTextForMaskedLM) -> CrossEntropy:
        return masked_cross_entropy(model, self.tokenizer, self.valid)


class CausalLanguage(LanguageModelling[Data2VecTextForCausalLM]):
    """Every token is to be found from those before it; the end of a text is one of them."""

    model_class = Data2VecTextForCausalLM

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options, is_decoder=True)

    def loss(self, model: Data2VecTextForCausalLM, step: int) -> Tensor:
        batch = self.rows(step)
        ids, is_next = batch["input_ids"][:, 1:], batch["attention_mask"][:, 1:].bool()
        hidden = model.backbone(batch["input_ids"], batch["attention_mask"], use_cache=False).last_hidden_state
        return F.cross_entropy(model.score(hidden[:, :-1][is_next]).float(), ids[is_next])

    def cross_entropy(self, model: Data2VecTextForCausalLM) -> CrossEntropy:
        return causal_cross_entropy(model, self.tokenizer, self.valid)


def masking_of(tokenizer: TextTokenizer, share: float) -> BertTokens:
    """Hides a share of a row's ordinary tokens, every one behind `<mask>`."""
    special = tuple(sorted(tokenizer.special_ids - {tokenizer.mask_id}))
    return BertTokens(
        vocab_size=len(tokenizer),
        mask_id=tokenizer.mask_id,
        special_ids=special,
        probability=share,
        random_share=0,
        keep_share=0,
    )


def hidden_tokens(
    tokenizer: TextTokenizer, texts: Sequence[str], *, share: float = SHARE, seed: int = 0
) -> list[tuple[Tensor, Tensor]]:
    """What a masked language model is scored on: texts in windows that do not overlap, with a share of each window's
    tokens hidden, every one behind `<mask>`.

    Returns:
        (tokens,) ids, and where (tokens,) they are hidden, a pair a window.
    """
    masking = masking_of(tokenizer, share)
    pieces = pieces_of(tokenizer, texts, length=min(WINDOW, tokenizer.max_length))
    windows = [piece for of_text in pieces for piece in of_text if len(piece) >= SHORTEST]
    return [
        (ids, masking(ids[None], mask_generators(seed, 0, [place])).is_masked[0]) for place, ids in enumerate(windows)
    ]


@torch.inference_mode()
def masked_cross_entropy(
    model: Data2VecTextForMaskedLM, tokenizer: TextTokenizer, texts: Sequence[str], *, seed: int = 0
) -> CrossEntropy:
    """Of the tokens that `hidden_tokens` hides, in the vocabulary's own units."""
    total, tokens = 0.0, 0
    windows = hidden_tokens(tokenizer, texts, seed=seed)
    for first in range(0, len(windows), SCORED_AT_ONCE):
        part = windows[first : first + SCORED_AT_ONCE]
        ids, is_real = _padded([ids for ids, _ in part], tokenizer.pad_id)
        is_hidden = torch.zeros_like(is_real)
        for row, (_, own) in zip(is_hidden, part, strict=True):
            row[: len(own)] = own
        seen = ids.masked_fill(is_hidden, tokenizer.mask_id)
        hidden = model.backbone(seen, is_real.long()).last_hidden_state
        total += F.cross_entropy(model.score(hidden[is_hidden]), ids[is_hidden], reduction="sum").item()
        tokens += int(is_hidden.sum())
    return CrossEntropy(total, tokens)


@torch.inference_mode()
def causal_cross_entropy(
    model: Data2VecTextForCausalLM, tokenizer: TextTokenizer, texts: Sequence[str]
) -> CrossEntropy:
    """Of every token of the texts, the special ones left out, once: the windows of a text overlap by half, so that all
    but the first tokens of a text are predicted from at least half a window of what comes before."""
    total, tokens = 0.0, 0
    length = min(WINDOW, tokenizer.max_length)
    shared = min(SHARED, length // 2)
    windows: list[tuple[Tensor, int]] = []  # ids, and the first of them that is new
    for of_text in pieces_of(tokenizer, texts, length=length, shared=shared):
        windows += [(ids, 1 if place == 0 else 1 + shared) for place, ids in enumerate(of_text)]
    special = torch.tensor(sorted(tokenizer.special_ids))
    for start in range(0, len(windows), SCORED_AT_ONCE):
        part = windows[start : start + SCORED_AT_ONCE]
        ids, is_real = _padded([ids for ids, _ in part], tokenizer.pad_id)
        is_new = is_real & ~torch.isin(ids, special)
        for row, (_, first) in zip(is_new, part, strict=True):
            row[:first] = False
        is_new = is_new[:, 1:]
        hidden = model.backbone(ids, is_real.long(), use_cache=False).last_hidden_state[:, :-1]
        total += F.cross_entropy(model.score(hidden[is_new]), ids[:, 1:][is_new], reduction="sum").item()
        tokens += int(is_new.sum())
    return CrossEntropy(total, tokens)


def _padded(rows: Sequence[Tensor], pad_id: int) -> tuple[Tensor, Tensor]:
    """(rows, tokens) ids, and which of them are real."""
    ids = torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=pad_id)
    lengths = torch.tensor([len(row) for row in rows])
    return ids, torch.arange(ids.shape[1]) < lengths[:, None]
