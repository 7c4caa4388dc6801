"""Where in a passage the answer to a question stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from data2vec_core.processing.text import TextTokenizer, TokenizedText
from data2vec_core.processing.text_errors import EmptyTextError, TextTooLongError
from data2vec_core.tasks.reading import ReadingTask
from data2vec_core.tasks.results import Answer
from data2vec_core.text.heads import Data2VecTextForQuestionAnswering

WINDOWS_AT_ONCE = 16
"""Token windows that run through the model together."""
LONGEST_ANSWER = 30
"""Tokens."""


class QuestionAnswerer(ReadingTask[Data2VecTextForQuestionAnswering]):
    """Finds the words of a passage that answer a question; there is always an answer, however improbable.

    Answers begin and end with whole words. A passage that is longer than the model reads at once is cut into windows
    that overlap, and each is asked. The first token of a window stands for "not here", so that windows can be compared.
    """

    name = "answer_question"
    model_class = Data2VecTextForQuestionAnswering

    def __call__(self, question: str, context: str) -> Answer:
        """Answer one question.

        Args:
            context: the passage.

        Raises:
            ValueError: one of the two is nothing but white space or longer than allowed, or the question takes more
                than half of what the model reads at once.
        """
        return self.batch([(question, context)])[0]

    def batch(self, pairs: Sequence[tuple[str, str]]) -> list[Answer]:
        """Answer several (question, context) pairs; the answers are those of single calls.

        Raises:
            ValueError: as for one.
        """
        for question, context in pairs:
            self._check(question, "question")
            self._check(context, "context")
        windows = [
            window
            for place, (question, context) in enumerate(pairs)
            for window in self._windows(place, question, context)
        ]
        best: dict[int, _Span] = {}
        windows.sort(key=lambda window: len(window.input_ids))  # so that little is padded
        for first in range(0, len(windows), WINDOWS_AT_ONCE):
            part = windows[first : first + WINDOWS_AT_ONCE]
            for window, span in zip(part, self._spans(part), strict=True):
                if window.pair not in best or span.score > best[window.pair].score:
                    best[window.pair] = span
        return [self._answer(context, best.get(place)) for place, (_, context) in enumerate(pairs)]

    def _windows(self, pair: int, question: str, context: str) -> list[_Window]:
        tokenized = question_windows(self.tokenizer, question, context, self.window)
        windows = []
        for row, count in enumerate(tokenized.attention_mask.sum(dim=1).tolist()):
            offsets = tokenized.offsets[row, :count]
            # a token that is only a space is no place for an answer's start or end
            is_allowed = (tokenized.sequence[row, :count] == 1) & (offsets[:, 1] > offsets[:, 0])
            starts, ends = (
                torch.tensor([not _is_inside_word(context, place) for place in side.tolist()]) for side in offsets.T
            )
            if bool(is_allowed.any()):
                windows.append(
                    _Window(
                        pair,
                        tokenized.input_ids[row, :count],
                        offsets,
                        is_allowed,
                        is_allowed & starts,
                        is_allowed & ends,
                    )
                )
        return windows

    @torch.inference_mode()
    def _spans(self, windows: Sequence[_Window]) -> list[_Span]:
        """The best span of every window."""
        device = self.model.device
        ids = torch.nn.utils.rnn.pad_sequence(
            [window.input_ids for window in windows], batch_first=True, padding_value=self.tokenizer.pad_id
        )
        counts = torch.tensor([len(window.input_ids) for window in windows])
        is_real = (torch.arange(ids.shape[1]) < counts[:, None]).long()
        output = self.model(ids.to(device), is_real.to(device), without_padding=True)
        assert output.start_logits is not None
        assert output.end_logits is not None
        spans = []
        for window, starts, ends in zip(
            windows, output.start_logits.float().cpu(), output.end_logits.float().cpu(), strict=True
        ):
            count = len(window.input_ids)
            starts, ends = starts[:count], ends[:count]
            first, last, score = best_span(starts, ends, window.is_allowed, window.is_start, window.is_end)
            if not score:  # one long word: any part of it will do
                first, last, score = best_span(starts, ends, window.is_allowed)
            spans.append(_Span(int(window.offsets[first, 0]), int(window.offsets[last, 1]), score))
        return spans

    def _answer(self, context: str, span: _Span | None) -> Answer:
        if span is None:
            raise EmptyTextError("The context has no words: there is nothing to find an answer in.")
        return Answer(
            answer=context[span.start : span.end],
            start=span.start,
            end=span.end,
            score=span.score,
            model=self.model_name,
        )


@dataclass(frozen=True)
class _Window:
    pair: int
    """Which of the pairs it belongs to."""
    input_ids: Tensor
    """(tokens,)"""
    offsets: Tensor
    """(tokens, 2) in characters of the passage, for its tokens."""
    is_allowed: Tensor
    """(tokens,), True where there is something of the passage."""
    is_start: Tensor
    """(tokens,), True where of these a word starts."""
    is_end: Tensor
    """(tokens,), True where one ends."""


@dataclass(frozen=True)
class _Span:
    start: int
    end: int
    score: float


def question_windows(tokenizer: TextTokenizer, question: str, context: str, window: int) -> TokenizedText:
    """A question with every part of its passage: `<s> question </s></s> part </s>`. Parts overlap by half.

    Raises:
        TextTooLongError: (a ValueError) the question takes more than half of a window.
    """
    asked = tokenizer.windows(question, max_length=10**6, add_special_tokens=False).input_ids.shape[1]
    if asked > window // 2:
        raise TextTooLongError(f"The question is too long: {asked} tokens, and at most {window // 2} are read.")
    room = window - asked - 4  # the special tokens
    return tokenizer.windows(question, context, max_length=window, stride=room // 2, truncation="only_second")


def _is_inside_word(text: str, place: int) -> bool:
    """Whether a word goes on across a place between two characters."""
    return 0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum()


def best_span(
    starts: Tensor,
    ends: Tensor,
    is_allowed: Tensor,
    is_start: Tensor | None = None,
    is_end: Tensor | None = None,
    *,
    longest: int = LONGEST_ANSWER,
) -> tuple[int, int, float]:
    """The likeliest span of a window.

    Probabilities are over the tokens of the passage and the first of the window, which stands for no answer; a span's
    is the product of its two ends'.

    Args:
        starts, ends: (tokens,) logits.
        is_allowed: (tokens,), True for tokens of the passage.
        is_start, is_end: (tokens,), True where of these a span may start and end; all when None.
        longest: tokens of a span.

    Returns:
        first token, last token, probability; 0 where there is no span.
    """
    is_counted = is_allowed.clone()
    is_counted[0] = True
    of_start, of_end = (
        logits.masked_fill(~is_counted, -torch.inf).log_softmax(dim=0).masked_fill(~is_place, -torch.inf)
        for logits, is_place in (
            (starts, is_allowed if is_start is None else is_start),
            (ends, is_allowed if is_end is None else is_end),
        )
    )
    scores = of_start[:, None] + of_end[None]  # (tokens, tokens)
    is_span = torch.ones_like(scores, dtype=torch.bool).triu().tril(longest - 1)
    first, last = divmod(int(scores.masked_fill(~is_span, -torch.inf).argmax()), len(starts))
    return first, last, float(scores[first, last].exp()) if bool(is_span[first, last]) else 0.0
