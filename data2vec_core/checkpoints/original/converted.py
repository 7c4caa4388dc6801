"""What reading an original checkpoint gives, before it is written in the public layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.config_base import Data2VecConfig

HEAD_DIM = 64
"""Channels of an attention head in every model of the paper: the shapes of the weights do not tell."""


@dataclass(kw_only=True)
class Converted:
    """A checkpoint under public names, in float32."""

    architecture: str
    """Name of the class it is for."""
    config: Data2VecConfig
    student: dict[str, Tensor]
    teacher: dict[str, Tensor] | None
    """Under the same names; None where the file has none."""
    dropped: list[str]
    """Tensors of the file that no class of ours takes, by their names there."""
    notes: list[str] = field(default_factory=list)
    """What was assumed because the file does not say it."""


def as_float32(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous copies in float32, each with memory of its own."""
    return {name: tensor.detach().to(torch.float32, copy=True).contiguous() for name, tensor in sorted(tensors.items())}


def with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under longer names."""
    return {prefix + name: tensor for name, tensor in tensors.items()}


def below(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The entries whose names start with a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}


def count_layers(tensors: Mapping[str, Tensor], stem: str) -> int:
    """How many numbered parts follow a stem: `stem.0.`, `stem.1.`, ..."""
    return len({name.split(".")[0] for name in below(f"{stem}.", tensors)})


def attention_heads(hidden_size: int, stored: Any, notes: list[str]) -> int:
    """Number of heads: the settings', or the paper's width of a head."""
    if isinstance(stored, int):
        return stored
    notes.append(f"the file does not say its number of attention heads; assumed {HEAD_DIM} channels each")
    return max(1, hidden_size // HEAD_DIM)


def require(tensors: Mapping[str, Tensor], name: str) -> Tensor:
    """A tensor that the format always has."""
    if name not in tensors:
        raise CheckpointError(f"not a data2vec checkpoint of this modality: it has no {name}")
    return tensors[name]


def known(settings: Mapping[str, Any], **fields: str) -> dict[str, Any]:
    """Numbers of the settings, where they have them, under the names of configuration fields."""
    return {field: settings[name] for field, name in fields.items() if isinstance(settings.get(name), int | float)}
