"""Finding a checkpoint (local folder, bundled model, hub id) and reading its tensors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from safetensors.torch import load_file
from torch import Tensor

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.writing import WEIGHTS_FILE
from data2vec_core.config import CONFIG_FILE

Role = Literal["student", "teacher"]
TEACHER_FILE = "teacher.safetensors"
BUNDLED_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "models"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in a local folder."""

    folder: Path
    source: str
    """What it was asked for by, for messages."""

    def read_tensors(self, role: Role = "student") -> dict[str, Tensor]:
        """All tensors by public name."""
        name = TEACHER_FILE if role == "teacher" else WEIGHTS_FILE
        path = self.folder / name
        if not path.is_file():
            raise CheckpointError(f"{self.source} has no {name}")
        return load_file(path)


def open_checkpoint(
    folder_or_name: str | Path,
    *,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
) -> Checkpoint:
    """Find a checkpoint: a local folder, else a bundled model of that name, else a hub id."""
    for folder in (Path(folder_or_name), BUNDLED_FOLDER / str(folder_or_name)):
        if (folder / CONFIG_FILE).is_file():
            return Checkpoint(folder, str(folder_or_name))
    raise CheckpointError(f"no checkpoint {str(folder_or_name)!r}")
