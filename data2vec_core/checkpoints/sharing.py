"""Keeping tensors once: a head's folder leaves the encoder to the one that it was trained from, a teacher what it has
in common with its student to that one's file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from data2vec_core.checkpoints.backbone import backbone_folder, merge_backbone, public_prefix
from data2vec_core.checkpoints.card import Card
from data2vec_core.checkpoints.files import PROCESSOR_FILES, TEACHER_FILE, WEIGHTS_FILE
from data2vec_core.checkpoints.reading import read_tensor_file, read_weights
from data2vec_core.checkpoints.source import Checkpoint
from data2vec_core.checkpoints.writing import write_tensors


def share_backbone(folder: str | Path, backbone: str) -> bool:
    """Leave out of a task's folder what its backbone's folder holds too, and name that one in its card.

    These are tensors, and the processors' files when all of them are the same.

    Args:
        folder: a whole checkpoint with a card; its `model.safetensors` is rewritten.
        backbone: a folder relative to `folder`, or a bundled name.

    Returns:
        whether the two have anything in common; where they do not, the folder stays as it is.

    Raises:
        CheckpointError: one of them cannot be read.
    """
    folder = Path(folder)
    card = dataclasses.replace(Card.load(folder), backbone=backbone)
    tensors = read_weights(folder)
    source = Checkpoint(backbone_folder(folder, backbone, is_downloaded=False), backbone)
    processors = source.processor_folder()
    prefix = public_prefix(Checkpoint(folder, str(folder)).read_config())
    shared = merge_backbone({}, source.read_tensors(), prefix)
    kept = _own(tensors, shared)
    files = [folder / name for name in PROCESSOR_FILES if (folder / name).is_file()]
    if not all(_is_same_file(file, processors / file.name) for file in files):
        files = []
    if len(kept) == len(tensors) and not files:
        return False
    card.save(folder)
    if len(kept) < len(tensors):
        write_tensors(folder, kept)
    for file in files:
        file.unlink()
    return True


def share_student(folder: str | Path) -> None:
    """Leave out of `teacher.safetensors` what `model.safetensors` beside it holds, too: what was fixed in training."""
    folder = Path(folder)
    student, teacher = read_tensor_file(folder / WEIGHTS_FILE), read_tensor_file(folder / TEACHER_FILE)
    kept = _own(teacher, student)
    if len(kept) < len(teacher):
        write_tensors(folder, kept, name=TEACHER_FILE, rest=WEIGHTS_FILE)


def _own(tensors: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that the others do not have as well."""
    return {name: tensor for name, tensor in tensors.items() if not _is_same(tensor, others.get(name))}


def _is_same_file(file: Path, other: Path) -> bool:
    return other.is_file() and file.read_bytes() == other.read_bytes()


def _is_same(tensor: Tensor, other: Tensor | None) -> bool:
    return other is not None and tensor.dtype == other.dtype and torch.equal(tensor, other)
