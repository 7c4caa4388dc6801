"""The teacher: a running average of the student, which gives the targets (data2vec.md 4.5)."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Self, TypeVar

import torch
from torch import nn

from data2vec_core.pretrained import PretrainedModel
from data2vec_core.transformer import BlockStack

Model = TypeVar("Model", bound=PretrainedModel)


@dataclass(frozen=True)
class TeacherScope:
    """What of the student the teacher has, and how it follows."""

    part: str
    """Path of the student's module that the teacher has a copy of; empty: all of it. The rest the two share."""
    averaged: tuple[str, ...]
    """How the names of averaged tensors begin, inside that part; the others are copied at every update."""


SCOPES = {
    "data2vec-audio": TeacherScope("encoder", ("layers.", "layer_norm.")),
    "data2vec-text": TeacherScope("", ("encoder.layers.",)),
    "data2vec-vision": TeacherScope("", ("",)),
}
"""By model type. Speech averages blocks and entry norm, copies the positional convolutions and shares the frames; text
averages blocks and copies the embeddings; vision averages everything."""


class Teacher(nn.Module):
    """A float32 copy of (part of) a student that is never trained by gradients and always in eval mode.

    Args:
        student: an encoder without a head.
        scope: by the student's modality when None.
    """

    def __init__(self, student: PretrainedModel, scope: TeacherScope | None = None) -> None:
        super().__init__()
        self.scope = SCOPES[student.config.model_type] if scope is None else scope
        self.model = copy.deepcopy(student.get_submodule(self.scope.part)).float().requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> Self:  # noqa: ARG002
        """Stay in eval mode, whatever a parent module is put into."""
        return super().train(False)

    def follow(self, student: PretrainedModel, decay: float) -> None:
        """One update: teacher = decay * teacher + (1 - decay) * student.

        Raises:
            ValueError: the student has other tensors than the one this teacher was made of.
        """
        average(self.model, student.get_submodule(self.scope.part), decay, averaged=self.scope.averaged)

    @torch.no_grad()
    def distances(self, student: PretrainedModel) -> tuple[float, ...]:
        """How far the teacher is from the student, block by block: the norm of the difference of all weights over the
        norm of the student's."""
        ratios = []
        for own, other in zip(_blocks(self.model), _blocks(student), strict=True):
            theirs = nn.utils.parameters_to_vector(other.parameters()).float()
            difference = nn.utils.parameters_to_vector(own.parameters()) - theirs
            ratios.append(difference.norm() / theirs.norm())
        return tuple(torch.stack(ratios).tolist())

    def whole(self, student: Model) -> Model:
        """The teacher as a model of the student's class, in float32 and eval mode, complete with what both share."""
        model = copy.deepcopy(student).float().requires_grad_(False).eval()
        model.get_submodule(self.scope.part).load_state_dict(self.model.state_dict())
        return model


def _blocks(model: nn.Module) -> nn.ModuleList:
    return next(module for module in model.modules() if isinstance(module, BlockStack)).layers


@torch.no_grad()
def average(mean: nn.Module, new: nn.Module, decay: float, *, averaged: tuple[str, ...] = ("",)) -> None:
    """Move the tensors of `mean` towards those of `new`, in place: mean = decay * mean + (1 - decay) * new.

    Args:
        decay: between 0 (copy) and 1 (stay).
        averaged: how the names of tensors begin for which that holds; the others, and those of integers, are copied.

    Raises:
        ValueError: the two have other tensors, or `decay` is out of range.
    """
    if not 0 <= decay <= 1:
        raise ValueError(f"decay={decay}: must lie between 0 and 1")
    kept, moved = mean.state_dict(), new.state_dict()
    if kept.keys() != moved.keys():
        raise ValueError(f"the two modules differ in {sorted(kept.keys() ^ moved.keys())[:5]}")
    for name, tensor in kept.items():
        if tensor.is_floating_point() and name.startswith(averaged):
            tensor.lerp_(moved[name].to(tensor.dtype), 1 - decay)
        else:
            tensor.copy_(moved[name])
