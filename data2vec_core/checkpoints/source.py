"""Finding a checkpoint: a local folder, a bundled model, or a hub id."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from data2vec_core.checkpoints.backbone import backbone_folder, merge_backbone, named_backbone, public_prefix
from data2vec_core.checkpoints.bundled import BUNDLED_FOLDER, bundled_models
from data2vec_core.checkpoints.errors import CheckpointError, NoTeacherError
from data2vec_core.checkpoints.files import CONFIG_FILE, PROCESSOR_FILES, TEACHER_FILE, Role, read_json
from data2vec_core.checkpoints.hub import download
from data2vec_core.checkpoints.reading import read_tensor_file, read_weights


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in a local folder."""

    folder: Path
    source: str
    """What it was asked for by, for messages."""
    is_downloaded: bool = False
    """Whether its files came from elsewhere, so that the paths in them are not to be trusted."""

    def read_config(self) -> dict[str, Any]:
        """The content of `config.json`.

        Raises:
            CheckpointError: it is missing or unreadable.
        """
        return read_json(self.folder / CONFIG_FILE)

    @property
    def borrows_backbone(self) -> bool:
        """Whether its encoder lies in the folder of another."""
        return named_backbone(self.folder) is not None

    def processor_folder(self) -> Path:
        """Where the files of its processors are: in its own folder, or, where that has none, in its backbone's.

        Raises:
            CheckpointError: its card names a backbone that is not there, or that needs this one.
        """
        return self._processor_folder(visited=())

    def _processor_folder(self, visited: tuple[Path, ...]) -> Path:
        name = named_backbone(self.folder)
        if name is None or any((self.folder / file).is_file() for file in PROCESSOR_FILES):
            return self.folder
        return self._backbone(name, visited)._processor_folder((*visited, self.folder.resolve()))

    def read_tensors(self, role: Role = "student") -> dict[str, Tensor]:
        """All tensors by public name, those of a backbone in another folder included.

        The teacher is read from `teacher.safetensors`, which has the names of the student's file.

        Raises:
            NoTeacherError: there is no teacher, or the encoder has learnt on since it was that teacher's student.
            CheckpointError: there are no tensors, or a file is damaged.
        """
        return self._read_tensors(role, visited=())

    def _read_tensors(self, role: Role, visited: tuple[Path, ...]) -> dict[str, Tensor]:
        name = named_backbone(self.folder)
        has_teacher = (self.folder / TEACHER_FILE).is_file()
        if role == "teacher" and has_teacher:
            tensors = read_tensor_file(self.folder / TEACHER_FILE)
        elif role == "teacher" and name is None:
            raise NoTeacherError(f"{self.source} has no teacher: {TEACHER_FILE} is missing")
        else:
            tensors = read_weights(self.folder)
        if name is None:
            return tensors
        inner = self._backbone(name, visited)._read_tensors(role, (*visited, self.folder.resolve()))
        config = self.read_config()
        prefix = public_prefix(config)
        encoder = merge_backbone({}, inner, prefix, blocks=config.get("num_hidden_layers"))
        if role == "teacher" and not has_teacher and tensors.keys() & encoder.keys():
            raise NoTeacherError(f"{self.source} has no teacher: its encoder learnt on without that of {name!r}")
        return merge_backbone(tensors, encoder, prefix)

    def _backbone(self, name: str, visited: tuple[Path, ...]) -> Checkpoint:
        """The checkpoint that the card names as the backbone.

        Args:
            visited: whose backbone this one is, and theirs, which it may not name again.
        """
        folder = backbone_folder(self.folder, name, is_downloaded=self.is_downloaded)
        chain = (*visited, self.folder.resolve(), folder.resolve())
        if chain[-1] in chain[:-1]:
            raise CheckpointError(f"{chain[0]} needs itself as its backbone: {[str(step) for step in chain]}")
        return Checkpoint(folder, f"{self.source} (backbone {name})", self.is_downloaded)


def open_checkpoint(
    folder_or_name: str | Path,
    *,
    role: Role | None = None,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
) -> Checkpoint:
    """Find a checkpoint: a local folder, else a bundled model of that name, else a hub id, which is downloaded.

    Args:
        role: whose weights will be read. None: nobody's, so that a hub id brings its JSON files only.
        revision, cache_dir, token, local_files_only: for hub ids, as `huggingface_hub` understands them.

    Raises:
        CheckpointError: there is nothing of that name, or it cannot be reached.
    """
    name = str(folder_or_name)
    folder = Path(folder_or_name).expanduser()
    for candidate in (folder, BUNDLED_FOLDER / name):
        if (candidate / CONFIG_FILE).is_file():
            return Checkpoint(candidate, name)
    if folder.is_dir():
        if role is None:  # a processor may live without a model
            return Checkpoint(folder, name)
        raise CheckpointError(f"the folder {name} has no {CONFIG_FILE}, so it is not a checkpoint")
    if folder.is_file():
        raise CheckpointError(
            f"{name} is a file; give the folder of a checkpoint. Files of fairseq and BEiT are converted with "
            "`python -m data2vec_core.checkpoints.convert`"
        )
    if isinstance(folder_or_name, Path) or not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", name):
        raise CheckpointError(_nothing_called(name))
    snapshot = download(
        name,
        role=role,
        revision=revision,
        cache_dir=cache_dir,
        token=token,
        local_files_only=local_files_only,
    )
    return Checkpoint(snapshot, f"{name}@{revision}" if revision else name, is_downloaded=True)


def _nothing_called(name: str) -> str:
    bundled = ", ".join(model.name for model in bundled_models()) or "none"
    return (
        f"there is no checkpoint {name!r}: no such folder, and no bundled model of that name (bundled: {bundled}); "
        "a hub id looks like owner/name"
    )
