"""Which of several texts fits another best."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from data2vec_core.processing.text_errors import TextTooLongError
from data2vec_core.tasks.reading import ReadingTask
from data2vec_core.tasks.results import Choice
from data2vec_core.text.heads import Data2VecTextForMultipleChoice

FEWEST = 2


class Chooser(ReadingTask[Data2VecTextForMultipleChoice]):
    """Weighs options for a prompt: what it means, how it goes on, whatever the model was taught to choose."""

    name = "choose"
    model_class = Data2VecTextForMultipleChoice

    def __call__(self, prompt: str, choices: Sequence[str]) -> Choice:
        """Choose among options.

        Args:
            choices: at least two.

        Raises:
            ValueError: fewer than two options; or the prompt or one of them is nothing but white space, longer than
                allowed, or too long together for the model.
        """
        self._check(prompt, "prompt")
        if isinstance(choices, str) or not isinstance(choices, Sequence):
            raise ValueError(f"choices: expected a list of strings, got {type(choices).__name__}")
        if len(choices) < FEWEST:
            raise ValueError(f"choices: expected at least {FEWEST} options, got {len(choices)}")
        for place, choice in enumerate(choices, 1):
            self._check(choice, f"option {place}")
        scores = self._scores(prompt, choices).softmax(dim=0).tolist()
        return Choice(
            choice=max(range(len(scores)), key=scores.__getitem__), scores=tuple(scores), model=self.model_name
        )

    @torch.inference_mode()
    def _scores(self, prompt: str, choices: Sequence[str]) -> Tensor:
        """(choices,)"""
        # rows of any length, to say how long the longest is
        batch = self.tokenizer([prompt] * len(choices), list(choices), max_length=10**6)
        ids, is_real = batch["input_ids"], batch["attention_mask"]  # (choices, tokens)
        if ids.shape[1] > self.window:
            longest = int(is_real.sum(dim=1).argmax())
            raise TextTooLongError(
                f"The prompt and option {longest + 1} are too long: {ids.shape[1]} tokens together, and the model "
                f"reads {self.window} at once."
            )
        device = self.model.device
        return self.model(ids[None].to(device), is_real[None].to(device), without_padding=True).logits[0].float().cpu()
