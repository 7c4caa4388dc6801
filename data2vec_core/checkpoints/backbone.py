"""Several tasks on one encoder: a folder that holds its head only, and names the folder of its backbone in its card.

`sharing.share_backbone` makes such a folder from a whole one; here the two come together again when reading.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from data2vec_core.checkpoints.bundled import BUNDLED_FOLDER
from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.files import CARD_FILE, CONFIG_FILE, read_json

if TYPE_CHECKING:  # what a checkpoint is can be told without torch
    from torch import Tensor

_BLOCK = re.compile(r"\.encoder\.layers?\.(\d+)\.")


def is_inside(path: str) -> bool:
    """Whether a path from a file of unknown origin is relative and stays below the folder it starts from."""
    parts = PurePosixPath(path)
    return not parts.is_absolute() and ".." not in parts.parts and "\\" not in path and ":" not in path


def named_backbone(folder: Path) -> str | None:
    """What the card of a checkpoint names as its backbone; None without a card, or where it names none.

    Raises:
        CheckpointError: the card cannot be read, or names something that cannot be a folder.
    """
    card = folder / CARD_FILE
    name = read_json(card).get("backbone") if card.is_file() else None
    if name is not None and (not isinstance(name, str) or not name):
        raise CheckpointError(f"{card} names the backbone {name!r}; expected a relative folder or a bundled name")
    return name


def backbone_folder(folder: Path, name: str, *, is_downloaded: bool) -> Path:
    """The folder that a checkpoint means by the name of its backbone.

    Args:
        folder: the checkpoint's.
        name: a folder relative to it, or a bundled name.
        is_downloaded: whether the name came from elsewhere, and may lead nowhere outside `folder` but to a bundled
            model.

    Raises:
        CheckpointError: there is no such folder, or the name may not lead there.
    """
    if PurePosixPath(name).is_absolute() or (is_downloaded and not is_inside(name)):
        raise CheckpointError(f"{folder} names the backbone {name!r}, which leads out of it; refusing to open that")
    for candidate in (folder / name, BUNDLED_FOLDER / name):
        if (candidate / CONFIG_FILE).is_file():
            return candidate
    raise CheckpointError(
        f"{folder} keeps its encoder in {name!r}, which is neither a folder there nor a bundled model"
    )


def public_prefix(config: Mapping[str, Any]) -> str:
    """Under which a public file with a head stores its encoder: `data2vec_audio.` for model type `data2vec-audio`."""
    return f"{config.get('model_type', '')}.".replace("-", "_")


def merge_backbone(
    tensors: Mapping[str, Tensor], backbone: Mapping[str, Tensor], prefix: str, *, blocks: int | None = None
) -> dict[str, Tensor]:
    """The tensors of a head, and those of an encoder, under the names that a file with both has.

    Args:
        tensors: of the task's folder; where both have a tensor, this one counts.
        backbone: of an encoder alone, or of an encoder with another head, which is left behind.
        prefix: under which a file with a head stores its encoder.
        blocks: how many of the encoder's are wanted, for a task that was trained with fewer; None: all.
    """
    if any(name.startswith(prefix) for name in backbone):
        encoder = {name: tensor for name, tensor in backbone.items() if name.startswith(prefix)}
    else:
        encoder = {prefix + name: tensor for name, tensor in backbone.items()}
    if blocks is not None:
        encoder = {name: tensor for name, tensor in encoder.items() if _block(name) < blocks}
    return {**encoder, **tensors}


def _block(name: str) -> int:
    """Which block a tensor is of; -1 outside the blocks."""
    found = _BLOCK.search(name)
    return int(found[1]) if found else -1
