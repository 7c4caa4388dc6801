"""What a checkpoint is, seen from outside: before its weights are downloaded or read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data2vec_core.checkpoints.backbone import backbone_folder, named_backbone
from data2vec_core.checkpoints.card import MODALITIES, Card, Modality
from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.files import (
    CARD_FILE,
    COMPANION_FILES,
    CONFIG_FILE,
    TEACHER_FILE,
    WEIGHT_FILES,
    is_index,
    read_json,
)

_HALF = ("float16", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Facts about one checkpoint."""

    source: str
    """What it was asked for by."""
    config: Mapping[str, Any]
    """The content of `config.json`."""
    files: Mapping[str, int]
    """Bytes of the files that loading it takes, by name; those of a backbone elsewhere are not among them."""
    weights: int
    """Bytes of weights that loading it reads, a backbone's included."""
    card: Card | None = None
    licence: str = ""
    """As its page states it; a card goes before."""
    commit: str = ""
    """Of a hub checkpoint: what its revision stands for now."""
    has_teacher: bool = False

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(self.files.values())

    @property
    def memory(self) -> int:
        """Bytes that its weights will take in memory, where they are held in float32."""
        number_format = self.config.get("dtype") or self.config.get("torch_dtype")
        return self.weights * (2 if number_format in _HALF else 1)

    @property
    def modality(self) -> Modality | None:
        """By its configuration; None for another kind of model."""
        stem, _, modality = str(self.config.get("model_type", "")).partition("-")
        return next((known for known in MODALITIES if stem == "data2vec" and modality == known), None)

    @property
    def architectures(self) -> tuple[str, ...]:
        """Names of the classes it was saved from."""
        named = self.config.get("architectures")
        return tuple(map(str, named)) if isinstance(named, list | tuple) else ()


def folder_facts(folder: Path, source: str | None = None) -> Facts:
    """Look at a checkpoint in a local folder.

    Raises:
        CheckpointError: it has no `config.json`, or that or its card cannot be understood.
    """
    source = source or str(folder)
    config = read_json(folder / CONFIG_FILE)
    sizes = {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
    weights = weight_names(sizes)
    backbone = named_backbone(folder)
    inner = 0
    if backbone is not None:
        place = backbone_folder(folder, backbone, is_downloaded=False)
        inner = weight_bytes({path.name: path.stat().st_size for path in place.iterdir() if path.is_file()})
    elif not weights:
        raise CheckpointError(f"{source} holds no weights: expected one of {', '.join(WEIGHT_FILES)}")
    return Facts(
        source=source,
        config=config,
        files={name: size for name, size in sizes.items() if name in needed_names(sizes) or name == TEACHER_FILE},
        weights=weight_bytes(sizes) + inner,
        card=Card.load(folder) if CARD_FILE in sizes else None,
        has_teacher=TEACHER_FILE in sizes,
    )


def needed_names(names: Mapping[str, int]) -> list[str]:
    """Of the files of a checkpoint, by name, those that loading its student takes."""
    return [name for name in (CONFIG_FILE, *COMPANION_FILES) if name in names] + weight_names(names)


def weight_names(names: Mapping[str, int]) -> list[str]:
    """Of the files of a checkpoint, those with its weights, an index of theirs included: the best of the layouts that
    it has; empty where it has none."""
    for name in WEIGHT_FILES:
        if name not in names:
            continue
        if not is_index(name):
            return [name]
        stem, suffix = name.removesuffix(".index.json").rsplit(".", 1)
        return [name, *(shard for shard in names if shard.startswith(f"{stem}-") and shard.endswith(f".{suffix}"))]
    return []


def weight_bytes(sizes: Mapping[str, int]) -> int:
    """Of the files of a checkpoint, the size of its weights together; 0 where it has none."""
    return sum(sizes[name] for name in weight_names(sizes) if not is_index(name))
