"""How a run is optimised: its schedule, Adam's settings, which parameters decay."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import nn

from data2vec_core.pretraining.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long, how fast, in what steps."""

    schedule: Schedule
    """Learning rate of each step, and the number of steps."""
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-6
    weight_decay: float = 0.01
    """Decoupled from the gradient (AdamW), as in fairseq's Adam."""
    decays_vectors: bool = True
    """Whether biases, norms and other one-dimensional parameters decay, too (speech and text)."""
    undecayed: tuple[str, ...] = ()
    """Further parameters without decay: how their names end."""
    fixed: tuple[str, ...] = ()
    """Parameters of the student that stay as they are: how their names begin. None in the published runs."""
    clip: float | None = None
    """Largest norm of the gradient of all parameters; None: any."""
    accumulate: int = 1
    """Batches of a step. Their losses are summed and divided by what is masked in all of them, so that the step is
    that of one large batch."""
    bf16: tuple[str, ...] = ("cuda",)
    """Kinds of device on which the student computes in bfloat16; `cpu` pays where the processor has instructions for
    it. The loss and all weights stay in float32, and so does the teacher unless it is told otherwise."""
    bf16_teacher: bool = False
    """Whether the teacher computes in bfloat16 where the student does. fairseq's runs of speech and text in half
    precision let it, those of pictures do not; its running average and the targets stay in float32."""
    seed: int = 0
    """Of masks and dropout, at least 0."""
    report_every: int = 1
    """Steps between reports."""
    save_every: int = 1000
    """Steps between checkpoints."""

    def __post_init__(self) -> None:
        for name in ("accumulate", "report_every", "save_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"Plan.{name}={getattr(self, name)}: at least 1")
        if self.seed < 0:
            raise ValueError(f"Plan.seed={self.seed}: at least 0")

    @property
    def steps(self) -> int:
        """Updates of the student in the whole run."""
        return self.schedule.total

    def fix(self, student: nn.Module) -> None:
        """Take the gradients of what stays as it is."""
        for name, parameter in student.named_parameters():
            if self.fixed and name.startswith(self.fixed):
                parameter.requires_grad_(False)

    def optimiser(self, model: nn.Module) -> torch.optim.Optimizer:
        """Adam over the parameters that have gradients; the loop sets the rate."""
        groups = parameter_groups(
            model, self.weight_decay, decays_vectors=self.decays_vectors, undecayed=self.undecayed
        )
        return torch.optim.AdamW(groups, lr=self.schedule.peak, betas=self.betas, eps=self.eps, fused=True)

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)


def parameter_groups(
    model: nn.Module,
    weight_decay: float,
    *,
    decays_vectors: bool = False,
    undecayed: tuple[str, ...] = (),
    among: Collection[str] | None = None,
) -> list[dict[str, Any]]:
    """The trainable parameters in two groups for an optimiser: those that decay, and those that do not.

    Args:
        decays_vectors: whether one-dimensional parameters (biases, norms) are among the first.
        undecayed: how the names of others end that do not decay.
        among: names of the parameters to take; all when None.
    """
    trained = {
        name: parameter
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and (among is None or name in among)
    }
    decaying = {
        name: parameter
        for name, parameter in trained.items()
        if (decays_vectors or parameter.dim() > 1) and not (undecayed and name.endswith(undecayed))
    }
    spared = [parameter for name, parameter in trained.items() if name not in decaying]
    return [
        {"params": list(decaying.values()), "weight_decay": weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]
