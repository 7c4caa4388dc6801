"""A tag for every word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from data2vec_core import Data2VecTextForTokenClassification
from data2vec_core.labels import IGNORED_LABEL
from data2vec_core.processing.tags import OUTSIDE, Span, spans_of, words_of
from data2vec_core.processing.text import TextTokenizer
from data2vec_core.tasks.token_tagging import TokenTagger
from recipes.finetuning.examples import Example
from recipes.finetuning.learning import FineTuning
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.finetuning.token_rows import Row, TokenRows
from recipes.metrics import span_f1

Tagged = Example[Sequence[str], Sequence[str]]
"""The words of a sentence and as many tags: `B-city` for the first word of a city, `I-city` for others, `O` outside."""


class Tags(FineTuning[Data2VecTextForTokenClassification]):
    """Sentences with a tag for every word; what does not fit in the tokenizer's length is cut off.

    A word of an example may be several to the tagger (`playlist.`): the later ones then go on with its tag.

    Args:
        train: examples to learn from.
        valid: examples to choose by.
        labels: all tags, in the order of their ids.
        tokens: in a batch of sentences of similar length, padding included.
        hidden: share of the tokens that are replaced by the mask in training.
        smoothing: share of each answer that is spread over all tags.
        **configuration: fields of the model's configuration to change.
    """

    model_class = Data2VecTextForTokenClassification

    def __init__(
        self,
        start: Start,
        plan: FinePlan,
        train: Sequence[Tagged],
        valid: Sequence[Tagged],
        *,
        labels: Sequence[str],
        tokens: int = 1024,
        hidden: float = 0.0,
        smoothing: float = 0.0,
        **configuration: Any,
    ) -> None:
        self.tokenizer = TextTokenizer.from_pretrained(start.checkpoint)
        super().__init__(start, plan, (self.tokenizer,))
        self.labels = list(labels)
        self.smoothing = smoothing
        self.configuration = configuration
        self.valid = valid
        pairs = [_row_and_ids(self.tokenizer, example, self.labels) for example in train]
        self.rows = TokenRows(self.tokenizer, [row for row, _ in pairs], tokens=tokens, seed=plan.seed, hidden=hidden)
        self.ids = [ids for _, ids in pairs]

    def build_model(self) -> Data2VecTextForTokenClassification:
        return self.start.build(self.model_class, id2label=dict(enumerate(self.labels)), **self.configuration)

    def loss(self, model: Data2VecTextForTokenClassification, step: int) -> Tensor:
        chosen = self.rows.indices(step)
        inputs = self.rows.batch(chosen, np.random.default_rng((self.plan.seed, step)))
        ids = np.full(inputs["input_ids"].shape, IGNORED_LABEL)
        for row, index in zip(ids, chosen, strict=True):
            row[: len(self.ids[index])] = self.ids[index]
        logits = model(**inputs).logits
        return F.cross_entropy(
            logits.flatten(0, 1),
            torch.from_numpy(ids).flatten(),
            ignore_index=IGNORED_LABEL,
            label_smoothing=self.smoothing,
        )

    def score(self, model: Data2VecTextForTokenClassification) -> float:
        """F1 of spans, as the task finds them."""
        return f1_of(TokenTagger(model, self.tokenizer), self.valid)


def f1_of(tag: TokenTagger, examples: Sequence[Tagged]) -> float:
    """F1 of the exact spans that a tagger finds in the sentences of examples."""
    results = tag.batch([sentence(example.content)[0] for example in examples])
    found = [{Span(entity.start, entity.end, entity.label) for entity in result.entities} for result in results]
    return span_f1(found, [true_spans(example) for example in examples])


def sentence(words: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """The words written out, and where in it each starts and ends: a space between two, but none before a full stop,
    comma, ..., where the pack has cut it off."""
    text, places = "", []
    for word in words:
        if text and word not in _CLINGING:
            text += " "
        places.append((len(text), len(text) + len(word)))
        text += word
    return text, places


_CLINGING = frozenset((".", ",", "?", "!", ";", ":", "'s", "n't"))


def true_spans(example: Tagged) -> set[Span]:
    """In characters of the sentence."""
    _, places = sentence(example.content)
    return {Span(places[span.start][0], places[span.end - 1][1], span.label) for span in spans_of(example.target)}


def _row_and_ids(tokenizer: TextTokenizer, example: Tagged, labels: Sequence[str]) -> tuple[Row, Row]:
    """Token ids of a sentence, and for each the id of its tag: `IGNORED_LABEL` for all but the first of a word."""
    text, places = sentence(example.content)
    tokenized = tokenizer.windows(text)
    row, offsets = tokenized.input_ids[0].numpy(), tokenized.offsets[0].tolist()
    ids = np.full(len(row), IGNORED_LABEL)
    ends = np.array([end for _, end in places])
    for word in words_of(text, offsets):
        index = int(np.searchsorted(ends, word.start, side="right"))
        tag = example.target[index]
        is_first = word.start == places[index][0]
        ids[word.first_token] = labels.index(tag if is_first or tag == OUTSIDE else f"I-{tag[2:]}")
    return row, ids
