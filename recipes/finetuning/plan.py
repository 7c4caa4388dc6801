"""How a task is learnt: the optimiser's settings of pre-training, a rate by depth, and an average of the weights."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from data2vec_core.pretrained import PretrainedModel
from data2vec_core.pretraining.plan import Plan, parameter_groups

_BLOCK = re.compile(r"^backbone\.encoder\.layers\.(\d+)\.")


@dataclass(frozen=True, kw_only=True)
class FinePlan(Plan):
    """How long, how fast, in what steps. Names in `fixed` are those of the whole model: `backbone.embeddings.`, say."""

    decays_vectors: bool = False
    clip: float | None = 1.0
    layer_decay: float = 1.0
    """Rate of a block as a share of the next one's; the head, and what comes after the blocks, has the schedule's own
    (BEiT, arXiv 2106.08254, appendix). 1: one rate for all."""
    average: float = 0.0
    """Decay of a moving average of the weights, which is what gets scored and kept; 0: the weights themselves."""
    score_every: int = 200
    """Steps between scores on the valid split."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.layer_decay <= 1:
            raise ValueError(f"FinePlan.layer_decay={self.layer_decay}: above 0, at most 1")
        if not 0 <= self.average < 1:
            raise ValueError(f"FinePlan.average={self.average}: at least 0, below 1")
        if self.score_every < 1:
            raise ValueError(f"FinePlan.score_every={self.score_every}: at least 1")

    def optimiser(self, model: nn.Module) -> torch.optim.Optimizer:
        """AdamW over the parameters that have gradients, in groups with a `share` of the schedule's rate each."""
        assert isinstance(model, PretrainedModel)
        blocks = model.config.num_hidden_layers
        by_share: dict[float, list[str]] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                share = self.layer_decay ** (blocks + 1 - depth(name, blocks))
                by_share.setdefault(share, []).append(name)
        groups: list[dict[str, Any]] = []
        for share, names in by_share.items():
            part = parameter_groups(
                model, self.weight_decay, decays_vectors=self.decays_vectors, undecayed=self.undecayed, among=names
            )
            groups += [group | {"share": share} for group in part if group["params"]]
        return torch.optim.AdamW(groups, lr=self.schedule.peak, betas=self.betas, eps=self.eps)


def depth(name: str, blocks: int) -> int:
    """Where a parameter of a model with a head stands: 0 before the blocks, 1 to `blocks` in one, then one more."""
    if match := _BLOCK.match(name):
        return int(match[1]) + 1
    return 0 if name.startswith("backbone.") and not name.startswith(_AFTER_BLOCKS) else blocks + 1


_AFTER_BLOCKS = ("backbone.pooler.", "backbone.layernorm.", "backbone.adapter.")
