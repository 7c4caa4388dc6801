"""A teacher's file that leaves to its student's what they have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from data2vec_core import Data2VecTextModel
from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.sharing import share_student
from data2vec_core.checkpoints.source import open_checkpoint
from data2vec_core.presets import PRESETS

TEXT: Any = PRESETS["text-tiny"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A text encoder."""
    Data2VecTextModel(TEXT).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_a_teacher_leaves_to_the_student_what_they_share(folder: Path) -> None:
    student = load_file(folder / "model.safetensors")
    own = next(iter(student))
    teacher = student | {own: student[own] + 1}
    save_file(teacher, folder / "teacher.safetensors", metadata={"format": "pt"})
    share_student(folder)
    assert load_file(folder / "teacher.safetensors").keys() == {own}
    found = open_checkpoint(folder).read_tensors("teacher")
    assert found.keys() == teacher.keys()
    assert all(torch.equal(found[name], teacher[name]) for name in teacher)
    share_student(folder)  # changes nothing more
    assert load_file(folder / "teacher.safetensors").keys() == {own}


def test_a_teacher_with_nothing_in_common_stays_whole(folder: Path) -> None:
    other = {name: tensor + 1 for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(other, folder / "teacher.safetensors")
    before = (folder / "teacher.safetensors").read_bytes()
    share_student(folder)
    assert (folder / "teacher.safetensors").read_bytes() == before


@pytest.mark.parametrize("rest", ["../model.safetensors", "teacher.safetensors", "/etc/passwd"])
def test_a_file_may_leave_tensors_to_the_student_beside_it_alone(rest: str, folder: Path) -> None:
    save_file({}, folder / "teacher.safetensors", metadata={"rest": rest})
    with pytest.raises(CheckpointError, match="refusing to open it"):
        open_checkpoint(folder).read_tensors("teacher")
    save_file({}, folder / "model.safetensors", metadata={"rest": "model.safetensors"})
    with pytest.raises(CheckpointError, match="refusing to open it"):
        open_checkpoint(folder).read_tensors()
