"""What every processor has: reading its JSON files from a checkpoint, and writing them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from data2vec_core.checkpoints.files import read_json
from data2vec_core.checkpoints.source import open_checkpoint

PREPROCESSOR_FILE = "preprocessor_config.json"
PROCESSOR_FILE = "processor_config.json"
TOKENIZER_CONFIG_FILE = "tokenizer_config.json"
SPECIAL_TOKENS_FILE = "special_tokens_map.json"


class Processor(ABC):
    """Turns raw input into model input, by settings that travel with the checkpoint as JSON files."""

    @classmethod
    def from_pretrained(cls, folder_or_name: str | Path, **open_options: Any) -> Self:
        """Read a processor from a checkpoint: a local folder, the name of a bundled model, or a hub id. One that shares
        the files of its backbone has none of its own.

        Args:
            folder_or_name: looked up in that order.
            **open_options: `revision`, `cache_dir`, `token` and `local_files_only`, for hub ids.

        Raises:
            CheckpointError: no such checkpoint, or it lacks the processor's files.
        """
        return cls.from_folder(open_checkpoint(folder_or_name, **open_options).processor_folder())

    @classmethod
    @abstractmethod
    def from_folder(cls, folder: str | Path) -> Self:
        """Read a processor from the files of a local folder, which need not hold a model."""

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the processor's files, in the public layout; the folder is made when it does not exist."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._write(folder)

    @abstractmethod
    def _write(self, folder: Path) -> None:
        """Write the files into an existing folder."""


def read_json_if_there(path: Path) -> dict[str, Any]:
    """The object in a JSON file that a checkpoint may lack; empty then."""
    return read_json(path) if path.is_file() else {}


def read_preprocessor(folder: Path, part: str) -> dict[str, Any]:
    """Settings of a feature extractor or image processor.

    They have a file of their own in most checkpoints; a combined processor saved by transformers 5 nests them.

    Args:
        part: the key in the combined file, `feature_extractor` or `image_processor`.
    """
    combined = folder / PROCESSOR_FILE
    if not (folder / PREPROCESSOR_FILE).is_file() and combined.is_file():
        nested = read_json(combined).get(part)
        if isinstance(nested, dict):
            return nested
    return read_json(folder / PREPROCESSOR_FILE)


def token_text(value: Any, default: str) -> str:
    """A special token in a tokenizer's files: a string, or an object that holds it under `content`."""
    if isinstance(value, Mapping):
        value = value.get("content")
    return value if isinstance(value, str) else default
