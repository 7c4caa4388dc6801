"""Names of the files of a checkpoint, and its JSON files read with errors that help."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from data2vec_core.checkpoints.errors import CheckpointError

CONFIG_FILE = "config.json"
CARD_FILE = "card.json"
WEIGHTS_FILE = "model.safetensors"
TEACHER_FILE = "teacher.safetensors"
REST = "rest"
"""In the metadata of a safetensors file: the file beside it with the tensors that it leaves out."""
STATE_FILE = "state.pt"
"""What a training run resumes from."""
LOG_FILE = "log.jsonl"
"""A training run's reports, one a line."""

#: Of what turns raw input into the model's; a folder has those it needs.
PROCESSOR_FILES = (
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
)

#: Files beside the weights that a processor, a tokenizer or a reader of cards asks for. None of them has to be there.
COMPANION_FILES = (
    CARD_FILE,
    "preprocessor_config.json",
    "processor_config.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)

#: Where a folder may keep its weights, best first.
WEIGHT_FILES = (
    WEIGHTS_FILE,
    f"{WEIGHTS_FILE}.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "tf_model.h5",
)

Role = Literal["student", "teacher"]
"""Whose weights: those that were trained, or their running average."""


def is_index(name: str) -> bool:
    """Whether a weight file only lists the files that hold the tensors."""
    return name.endswith(".index.json")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        CheckpointError: the file is missing, or holds something else.
    """
    if not path.is_file():
        raise CheckpointError(f"{path.parent} has no {path.name}")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not readable as JSON ({describe_content(path)}): {error}") from None
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} should hold a JSON object, not a {type(values).__name__}")
    return values


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a JSON file: indented, in the order given, not escaped; whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`, whose file takes the place of `path` when the block ends without an error. So a
    reader, or the next start after a crash, never meets half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def describe_content(path: Path) -> str:
    """What a file that cannot be read seems to be instead, for a message."""
    with path.open("rb") as file:
        start = file.read(100).lstrip().lower()
    if not start:
        return "the file is empty"
    if start.startswith(b"version https://git-lfs"):
        return "this is a Git LFS pointer, not the file itself: run `git lfs pull` in its folder"
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "this is a web page, not the file itself: download it again, past any login page"
    return "cut off or damaged: copy or download it again"


def first_line(error: Exception) -> str:
    """The first line of an exception's message; its type where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
