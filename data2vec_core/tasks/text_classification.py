"""A class for a text of any length."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from data2vec_core.processing.text import TokenizedText
from data2vec_core.tasks.classifying import Classifier
from data2vec_core.tasks.reading import WINDOWS_AT_ONCE, ReadingTask
from data2vec_core.tasks.results import Classification
from data2vec_core.text.heads import Data2VecTextForSequenceClassification


class TextClassifier(
    Classifier[Data2VecTextForSequenceClassification], ReadingTask[Data2VecTextForSequenceClassification]
):
    """Says which class a text belongs to.

    A text that is longer than the model reads at once is cut into windows, which overlap by a quarter, and its
    probabilities are the mean over the windows, each counting by its tokens.
    """

    name = "classify_text"
    model_class = Data2VecTextForSequenceClassification

    def __call__(self, text: str) -> Classification:
        """Classify one text.

        Raises:
            ValueError: nothing but white space, or longer than allowed.
        """
        return self.batch([text])[0]

    def batch(self, texts: Sequence[str]) -> list[Classification]:
        """Classify several texts; the scores are those of single calls.

        Raises:
            ValueError: one of them is nothing but white space, or longer than allowed.
        """
        if not texts:
            return []
        for text in texts:
            self._check(text, "text")
        windows = self.tokenizer.windows(texts, max_length=self.window, stride=self.window // 4)
        probabilities, statistics = self._run(windows)  # (windows, classes), (windows, 2 * dim)
        tokens = windows.attention_mask.sum(dim=1).to(probabilities)  # (windows,)
        results = []
        for index in range(len(texts)):
            own = windows.text_index == index
            shares = tokens[own, None] / tokens[own].sum()
            state = None if statistics is None else (statistics[own] * shares).sum(dim=0)
            results.append(self._classification((probabilities[own] * shares).sum(dim=0), state))
        return results

    @torch.inference_mode()
    def _run(self, windows: TokenizedText) -> tuple[Tensor, Tensor | None]:
        """Probabilities (windows, classes), and statistics (windows, 2 * dim) where the model has a sense of what is
        foreign."""
        device, trace = self.model.device, self._trace()
        parts, statistics = [], []
        for ids, mask in zip(
            windows.input_ids.split(WINDOWS_AT_ONCE), windows.attention_mask.split(WINDOWS_AT_ONCE), strict=True
        ):
            longest = int(mask.sum(dim=1).max())  # of these windows; others may be longer
            is_real = mask[:, :longest].to(device)
            logits = self.model(ids[:, :longest].to(device), is_real, trace=trace, without_padding=True).logits
            parts.append(self._probabilities_of(logits).cpu())
            if (own := self._statistics(trace, is_real)) is not None:
                statistics.append(own.cpu())
        return torch.cat(parts), torch.cat(statistics) if statistics else None
