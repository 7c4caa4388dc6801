"""A class for a text of any length."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from data2vec_core.processing.text import TextTokenizer, TokenizedText
from data2vec_core.tasks.results import Classification
from data2vec_core.tasks.task import Task, class_probabilities, ranked, require_classes
from data2vec_core.text.heads import Data2VecTextForSequenceClassification

WINDOWS_AT_ONCE = 8
"""Token windows that run through the model together."""


class TextClassifier(Task[Data2VecTextForSequenceClassification]):
    """Says which class a text belongs to.

    A text that is longer than the model reads at once is cut into windows, which overlap by a quarter, and its
    probabilities are the mean over the windows, each counting by its tokens.
    """

    name = "classify_text"
    modality = "text"
    model_class = Data2VecTextForSequenceClassification

    def __init__(
        self,
        model: Data2VecTextForSequenceClassification,
        tokenizer: TextTokenizer,
        *,
        max_characters: int | None = None,
        model_name: str | None = None,
    ) -> None:
        """
        Args:
            max_characters: longer texts are refused.
        """
        super().__init__(model, model_name=model_name)
        require_classes(model.config, self.model_name)
        self.tokenizer = tokenizer
        self.max_characters = max_characters
        self.window = min(tokenizer.max_length, model.config.max_length)

    @classmethod
    def from_pretrained(
        cls, folder_or_name: str | Path, *, max_characters: int | None = None, **open_options: Any
    ) -> Self:
        """Load the model and its tokenizer: from a local folder, by the name of a bundled model, or by a hub id.

        Args:
            max_characters: longer texts are refused.
            **open_options: `revision`, `cache_dir`, `token` and `local_files_only`, for hub ids.

        Raises:
            CheckpointError: nothing there, unreadable, incomplete, or without a trained head.
        """
        model = cls.load_model(folder_or_name, **open_options)
        tokenizer = TextTokenizer.from_pretrained(folder_or_name, **open_options)
        return cls(model, tokenizer, max_characters=max_characters)

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
            self._check(text)
        windows = self.tokenizer.windows(texts, max_length=self.window, stride=self.window // 4)
        probabilities = self._probabilities(windows)  # (windows, classes)
        tokens = windows.attention_mask.sum(dim=1).to(probabilities)  # (windows,)
        results = []
        for index in range(len(texts)):
            own = windows.text_index == index
            mean = (probabilities[own] * tokens[own, None]).sum(dim=0) / tokens[own].sum()
            results.append(Classification(labels=ranked(mean, self.model.config.labels), model=self.model_name))
        return results

    def _check(self, text: str) -> None:
        if not isinstance(text, str):
            raise ValueError(f"text: expected a string, got {type(text).__name__}")
        if not text.strip():
            raise ValueError("The text is empty: there is nothing to classify.")
        if self.max_characters is not None and len(text) > self.max_characters:
            raise ValueError(
                f"The text is too long: {len(text)} characters, and at most {self.max_characters} are read."
            )

    @torch.inference_mode()
    def _probabilities(self, windows: TokenizedText) -> Tensor:
        device = self.model.device
        parts = []
        for ids, mask in zip(
            windows.input_ids.split(WINDOWS_AT_ONCE), windows.attention_mask.split(WINDOWS_AT_ONCE), strict=True
        ):
            longest = int(mask.sum(dim=1).max())  # of these windows; others may be longer
            logits = self.model(ids[:, :longest].to(device), mask[:, :longest].to(device)).logits
            parts.append(class_probabilities(logits, self.model.config).cpu())
        return torch.cat(parts)
