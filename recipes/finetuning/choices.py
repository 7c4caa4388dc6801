"""Which of several texts fits another best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from data2vec_core import Data2VecTextForMultipleChoice
from data2vec_core.processing.text import TextTokenizer
from data2vec_core.tasks.choosing import Chooser
from recipes.batching import LengthBatches
from recipes.finetuning.examples import Example
from recipes.finetuning.learning import FineTuning
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start


@dataclass(frozen=True)
class Options:
    """A text, and others of which one fits it."""

    prompt: str
    choices: tuple[str, ...]
    """Two at least."""


Chosen = Example[Options, int]
"""Options and the index of the right one."""


class Choices(FineTuning[Data2VecTextForMultipleChoice]):
    """The right option beside some of the wrong ones, drawn anew in every step.

    Args:
        train: examples to learn from; they may have different numbers of options.
        valid: examples to choose by, asked with all their options.
        shown: most options of an example in training.
        tokens: in a batch, padding included.
        **configuration: fields of the model's configuration to change.
    """

    model_class = Data2VecTextForMultipleChoice

    def __init__(
        self,
        start: Start,
        plan: FinePlan,
        train: Sequence[Chosen],
        valid: Sequence[Chosen],
        *,
        shown: int = 4,
        tokens: int = 2048,
        **configuration: Any,
    ) -> None:
        self.tokenizer = TextTokenizer.from_pretrained(start.checkpoint)
        super().__init__(start, plan, (self.tokenizer,))
        self.train, self.valid = train, valid
        self.shown = shown
        self.configuration = configuration
        lengths = [self._length(example.content) for example in train]
        self._batches = LengthBatches(lengths, tokens // shown, plan.seed)

    def _length(self, options: Options) -> int:
        """Tokens of a prompt with its longest option."""
        rows = self.tokenizer([options.prompt] * len(options.choices), options.choices)
        return rows["input_ids"].shape[1]

    def build_model(self) -> Data2VecTextForMultipleChoice:
        return self.start.build(self.model_class, **self.configuration)

    def loss(self, model: Data2VecTextForMultipleChoice, step: int) -> Tensor:
        random = np.random.default_rng((self.plan.seed, step))
        chosen = [self.train[index] for index in self._batches.indices(step)]
        prompts, choices, is_option = [], [], []
        for example in chosen:
            options, right = example.content, example.target
            wrong = [choice for place, choice in enumerate(options.choices) if place != right]
            drawn = random.permutation(len(wrong))[: self.shown - 1]
            shown = [options.choices[right], *(wrong[index] for index in drawn)]
            missing = self.shown - len(shown)
            prompts += [options.prompt] * self.shown
            choices += shown + shown[:1] * missing  # to fill up; left out below
            is_option.append([True] * len(shown) + [False] * missing)
        batch = self.tokenizer(prompts, choices)
        ids = batch["input_ids"].unflatten(0, (-1, self.shown))  # (examples, shown, tokens)
        logits = model(ids, batch["attention_mask"].unflatten(0, (-1, self.shown))).logits.float()
        logits = logits.masked_fill(~torch.tensor(is_option), -torch.inf)
        # an option's score does not depend on its place, so the right one may always be the first
        return F.cross_entropy(logits, torch.zeros(len(chosen), dtype=torch.long))

    def score(self, model: Data2VecTextForMultipleChoice) -> float:
        """Accuracy, as the task chooses."""
        return share_right(Chooser(model, self.tokenizer), self.valid)


def share_right(choose: Chooser, examples: Sequence[Chosen]) -> float:
    """Accuracy among all options of every example."""
    right = [choose(example.content.prompt, example.content.choices).choice == example.target for example in examples]
    return sum(right) / len(right)
