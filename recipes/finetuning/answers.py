"""Where in a passage the answer to a question stands."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from data2vec_core import Data2VecTextForQuestionAnswering
from data2vec_core.processing.text import TextTokenizer
from data2vec_core.tasks.question_answering import QuestionAnswerer, question_windows
from recipes.batching import LengthBatches
from recipes.finetuning.examples import Example
from recipes.finetuning.learning import FineTuning
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start


@dataclass(frozen=True)
class Question:
    """About a passage."""

    wording: str
    passage: str


@dataclass(frozen=True)
class Span:
    """Of characters in a passage."""

    start: int
    end: int
    """The first one after it."""


Answered = Example[Question, Span]
"""A question and where its answer stands."""


@dataclass(frozen=True)
class _Window:
    """What the model reads at once: a question with a part of its passage."""

    input_ids: Tensor
    """(tokens,)"""
    start: int
    """First token of the answer, and of the window where the answer does not stand in it."""
    end: int
    """The last one."""


class Answers(FineTuning[Data2VecTextForQuestionAnswering]):
    """Windows of similar length in a batch; those without the answer point at their first token.

    Args:
        train: questions to learn from.
        valid: questions to choose by.
        tokens: in a batch, padding included.
        **configuration: fields of the model's configuration to change.
    """

    model_class = Data2VecTextForQuestionAnswering

    def __init__(
        self,
        start: Start,
        plan: FinePlan,
        train: Sequence[Answered],
        valid: Sequence[Answered],
        *,
        tokens: int = 2048,
        **configuration: Any,
    ) -> None:
        self.tokenizer = TextTokenizer.from_pretrained(start.checkpoint)
        super().__init__(start, plan, (self.tokenizer,))
        self.valid = valid
        self.configuration = configuration
        self._windows = [window for example in train for window in windows_of(self.tokenizer, example)]
        self._batches = LengthBatches([len(window.input_ids) for window in self._windows], tokens, plan.seed)

    def build_model(self) -> Data2VecTextForQuestionAnswering:
        return self.start.build(self.model_class, num_labels=2, **self.configuration)

    def loss(self, model: Data2VecTextForQuestionAnswering, step: int) -> Tensor:
        windows = [self._windows[index] for index in self._batches.indices(step)]
        input_ids = torch.nn.utils.rnn.pad_sequence(
            [window.input_ids for window in windows], batch_first=True, padding_value=self.tokenizer.pad_id
        )
        loss: Tensor = model(
            input_ids,
            (input_ids != self.tokenizer.pad_id).long(),
            start_positions=torch.tensor([window.start for window in windows]),
            end_positions=torch.tensor([window.end for window in windows]),
        ).loss
        return loss

    def score(self, model: Data2VecTextForQuestionAnswering) -> float:
        """Share of exact answers, as the task gives them."""
        return exact_and_overlap(QuestionAnswerer(model, self.tokenizer), self.valid)[0]


def windows_of(tokenizer: TextTokenizer, example: Answered) -> list[_Window]:
    """The windows of a question, with the tokens of the answer where they hold it whole."""
    tokenized = question_windows(tokenizer, example.content.wording, example.content.passage, tokenizer.max_length)
    windows = []
    for row, count in enumerate(tokenized.attention_mask.sum(dim=1).tolist()):
        offsets = tokenized.offsets[row]  # (tokens, 2)
        touched = (tokenized.sequence[row] == 1) & (offsets[:, 1] > example.target.start)
        touched &= offsets[:, 0] < example.target.end
        places = touched.nonzero().flatten().tolist()
        is_whole = (
            bool(places)
            and offsets[places[0], 0] <= example.target.start
            and offsets[places[-1], 1] >= example.target.end
        )
        first, last = (places[0], places[-1]) if is_whole else (0, 0)
        windows.append(_Window(tokenized.input_ids[row, :count], first, last))
    return windows


def exact_and_overlap(answer: QuestionAnswerer, examples: Sequence[Answered]) -> tuple[float, float]:
    """Share of answers that are exact, and their mean F1 in words, both after `normalised` (Rajpurkar et al., EMNLP
    2016)."""
    results = answer.batch([(example.content.wording, example.content.passage) for example in examples])
    exact = overlap = 0.0
    for result, example in zip(results, examples, strict=True):
        true = example.content.passage[example.target.start : example.target.end]
        exact += normalised(result.answer) == normalised(true)
        overlap += word_overlap(result.answer, true)
    return exact / len(examples), overlap / len(examples)


def normalised(answer: str) -> str:
    """In lower case, without punctuation, articles and needless spaces, as SQuAD compares answers."""
    plain = "".join(character for character in answer.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", plain).split())


def word_overlap(answer: str, true: str) -> float:
    """F1 of the words of two answers, each word as often as it occurs."""
    given, wanted = normalised(answer).split(), normalised(true).split()
    if not given or not wanted:
        return float(given == wanted)
    shared = sum((Counter(given) & Counter(wanted)).values())
    return 2 * shared / (len(given) + len(wanted))
