"""A class for a whole text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from data2vec_core import Data2VecTextForSequenceClassification
from data2vec_core.processing.text import TextTokenizer
from recipes.finetuning.examples import Example
from recipes.finetuning.learning import FineTuning
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.finetuning.token_rows import TokenRows

Text = Example[str, str]
"""A text and its class."""


class TextClasses(FineTuning[Data2VecTextForSequenceClassification]):
    """Texts with one class each; what does not fit in the tokenizer's length is cut off.

    Args:
        train: examples to learn from.
        valid: examples to choose by.
        labels: all classes, in the order of their ids.
        tokens: in a batch of texts of similar length, padding included.
        hidden: share of the tokens that are replaced by the mask in training.
        smoothing: share of each answer that is spread over all classes.
        **configuration: fields of the model's configuration to change.
    """

    model_class = Data2VecTextForSequenceClassification

    def __init__(
        self,
        start: Start,
        plan: FinePlan,
        train: Sequence[Text],
        valid: Sequence[Text],
        *,
        labels: Sequence[str],
        tokens: int = 1024,
        hidden: float = 0.0,
        smoothing: float = 0.0,
        **configuration: Any,
    ) -> None:
        tokenizer = TextTokenizer.from_pretrained(start.checkpoint)
        super().__init__(start, plan, (tokenizer,))
        self.labels = list(labels)
        self.smoothing = smoothing
        self.configuration = configuration
        self._train = _rows(tokenizer, train, tokens=tokens, seed=plan.seed, hidden=hidden)
        self._valid = _rows(tokenizer, valid, tokens=tokens)
        self._train_ids = torch.tensor([self.labels.index(example.target) for example in train])
        self._valid_ids = torch.tensor([self.labels.index(example.target) for example in valid])

    def build_model(self) -> Data2VecTextForSequenceClassification:
        return self.start.build(self.model_class, id2label=dict(enumerate(self.labels)), **self.configuration)

    def loss(self, model: Data2VecTextForSequenceClassification, step: int) -> Tensor:
        random = np.random.default_rng((self.plan.seed, step))
        chosen = self._train.indices(step)
        ids = self._train_ids[chosen]
        logits = model(**self._train.batch(chosen, random)).logits
        return F.cross_entropy(logits, ids, label_smoothing=self.smoothing)

    def score(self, model: Data2VecTextForSequenceClassification) -> float:
        """Accuracy."""
        right = 0
        for chosen in self._valid.in_order():
            predicted = model(**self._valid.batch(chosen)).logits.argmax(dim=-1)
            right += int((predicted == self._valid_ids[chosen]).sum())
        return right / len(self._valid_ids)


def _rows(tokenizer: TextTokenizer, examples: Sequence[Text], **settings: Any) -> TokenRows:
    rows = [tokenizer(example.content)["input_ids"][0].numpy() for example in examples]
    return TokenRows(tokenizer, rows, **settings)
