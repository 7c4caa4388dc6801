"""What the tasks on text share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from data2vec_core.checkpoints.source import open_checkpoint
from data2vec_core.linear_choice import LinearChoice
from data2vec_core.processing.text import TextTokenizer
from data2vec_core.processing.text_errors import EmptyTextError, TextTooLongError
from data2vec_core.tasks.task import Model, Task
from data2vec_core.text.model import TextPretrainedModel

WINDOWS_AT_ONCE = 8
"""Token windows that run through the model together, where a long text is cut into them."""


class ReadingTask(Task[Model]):
    """Base of the tasks on text."""

    modality = "text"

    def __init__(
        self,
        model: Model,
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
        assert isinstance(model, TextPretrainedModel)
        self.tokenizer = tokenizer
        self.max_characters = max_characters
        self.window = min(tokenizer.max_length, model.config.max_length)
        """Tokens that the model reads at once, special ones included."""

    @classmethod
    def from_pretrained(
        cls,
        folder_or_name: str | Path,
        *,
        max_characters: int | None = None,
        linear: LinearChoice = "plain",
        **open_options: Any,
    ) -> Self:
        """Load the model and its tokenizer: from a local folder, by the name of a bundled model, or by a hub id.

        Args:
            max_characters: longer texts are refused.
            linear: how the model holds the weights of its linear layers, as `PretrainedModel.from_pretrained` takes it.
            **open_options: `revision`, `cache_dir`, `token` and `local_files_only`, for hub ids.

        Raises:
            CheckpointError: nothing there, unreadable, incomplete, or without a trained head.
        """
        model = cls.load_model(folder_or_name, linear=linear, **open_options)
        tokenizer = TextTokenizer.from_pretrained(folder_or_name, **open_options)
        beside = cls.settings_beside(open_checkpoint(folder_or_name, **open_options).folder)
        return cls(model, tokenizer, max_characters=max_characters, **beside)

    def _check(self, text: str, name: str) -> None:
        """Refuse what is no text to read.

        Args:
            name: of the argument, for the message.

        Raises:
            ValueError: not a string, nothing but white space, or longer than allowed.
        """
        if not isinstance(text, str):
            raise ValueError(f"{name}: expected a string, got {type(text).__name__}")
        if not text.strip():
            raise EmptyTextError(f"The {name} is empty: there is nothing to read.")
        if self.max_characters is not None and len(text) > self.max_characters:
            raise TextTooLongError(
                f"The {name} is too long: {len(text)} characters, and at most {self.max_characters} are read."
            )


def whole_number(name: str, value: int, least: int, most: int) -> int:
    """A setting that has to be a whole number.

    Raises:
        ValueError: it is not, or not from `least` to `most`.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{name}: expected a whole number from {least} to {most}, got {value!r}")
    return value
