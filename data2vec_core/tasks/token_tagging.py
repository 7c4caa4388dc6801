"""Names, places, times, ... in a text of any length, with where they stand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from data2vec_core.processing.tags import TagScheme, spans_of, words_of
from data2vec_core.processing.text import TextTokenizer, TokenizedText
from data2vec_core.tasks.reading import WINDOWS_AT_ONCE, ReadingTask
from data2vec_core.tasks.results import Entity, TaggedText
from data2vec_core.tasks.task import require_classes
from data2vec_core.text.heads import Data2VecTextForTokenClassification


class TokenTagger(ReadingTask[Data2VecTextForTokenClassification]):
    """Finds the words of a text that name something, and says what.

    The first token of a word speaks for it, and of all tags in BIO the most probable legal ones are taken. A text that
    is longer than the model reads at once is cut into windows, which overlap by a quarter; a token that is in two is
    judged by the one that shows more on both its sides.
    """

    name = "tag_tokens"
    model_class = Data2VecTextForTokenClassification

    def __init__(self, model: Data2VecTextForTokenClassification, tokenizer: TextTokenizer, **settings: Any) -> None:
        super().__init__(model, tokenizer, **settings)
        require_classes(model.config, self.model_name)
        self.scheme = TagScheme(model.config.labels)

    def __call__(self, text: str) -> TaggedText:
        """Tag one text.

        Raises:
            ValueError: nothing but white space, or longer than allowed.
        """
        return self.batch([text])[0]

    def batch(self, texts: Sequence[str]) -> list[TaggedText]:
        """Tag several texts; the results are those of single calls.

        Raises:
            ValueError: one of them is nothing but white space, or longer than allowed.
        """
        if not texts:
            return []
        for text in texts:
            self._check(text, "text")
        stride = self.window // 4
        windows = self.tokenizer.windows(texts, max_length=self.window, stride=stride)
        scores = self._scores(windows)  # (windows, tokens, labels)
        results = []
        for index, text in enumerate(texts):
            rows, columns = places_once(windows, index, stride)
            offsets = windows.offsets[rows, columns]  # (tokens, 2), each token once
            entities = self._entities(text, offsets, scores[rows, columns])
            results.append(TaggedText(entities=entities, model=self.model_name))
        return results

    @torch.inference_mode()
    def _scores(self, windows: TokenizedText) -> Tensor:
        """(windows, tokens, labels) log-probabilities; those of padding mean nothing."""
        device = self.model.device
        scores = torch.zeros(*windows.input_ids.shape, len(self.scheme.labels))
        for start in range(0, len(windows), WINDOWS_AT_ONCE):
            mask = windows.attention_mask[start : start + WINDOWS_AT_ONCE]
            longest = int(mask.sum(dim=1).max())  # of these windows; others may be longer
            ids = windows.input_ids[start : start + WINDOWS_AT_ONCE, :longest]
            logits = self.model(ids.to(device), mask[:, :longest].to(device), without_padding=True).logits
            scores[start : start + WINDOWS_AT_ONCE, :longest] = logits.float().log_softmax(dim=-1).cpu()
        return scores

    def _entities(self, text: str, offsets: Tensor, scores: Tensor) -> tuple[Entity, ...]:
        """What is named, from (tokens, 2) offsets and (tokens, labels) log-probabilities."""
        words = words_of(text, offsets.tolist())
        of_words = scores[[word.first_token for word in words]]  # (words, labels)
        tags = self.scheme.best(of_words.numpy())
        chosen = of_words[range(len(tags)), [self.scheme.labels.index(tag) for tag in tags]].tolist()
        entities = []
        for span in spans_of(tags):
            start, end = words[span.start].start, words[span.end - 1].end
            score = math.exp(sum(chosen[span.start : span.end]) / (span.end - span.start))
            entities.append(Entity(text=text[start:end], label=span.label, start=start, end=end, score=score))
        return tuple(entities)


def places_once(windows: TokenizedText, text: int, stride: int) -> tuple[Tensor, Tensor]:
    """Where to read each token of one text: the middle of an overlap parts what its two windows judge.

    Args:
        windows: of one or several texts.
        text: its index.
        stride: tokens that neighbouring windows share.

    Returns:
        (tokens,) rows and (tokens,) columns, in the order of the text; special tokens are left out.
    """
    own = (windows.text_index == text).nonzero()[:, 0].tolist()
    rows, columns = [], []
    for row in own:
        inside = (windows.sequence[row] == 0).nonzero()[:, 0]
        first = 0 if row == own[0] else stride // 2
        last = len(inside) if row == own[-1] else len(inside) - (stride - stride // 2)
        columns.append(inside[first:last])
        rows.append(torch.full_like(columns[-1], row))
    return torch.cat(rows), torch.cat(columns)
