"""Supervised training on one small machine: seeded batches, a schedule, averaged weights, exact resumption.

A recipe says what to train; `train` runs it. Batches are drawn by step number, so a run that was stopped goes on as if
it had not been, from the state it saved last.
"""

from __future__ import annotations

import copy
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from data2vec_core.checkpoints.card import Card
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.processing.processor import Processor

STATE_FILE = "state.pt"
LOG_FILE = "log.jsonl"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long and how fast to train."""

    steps: int
    learning_rate: float
    """At its peak."""
    warmup: float = 0.1
    """Share of the steps over which the rate rises linearly from 0."""
    hold: float = 0.0
    """Share of the steps at the peak, before a cosine takes the rate to 0."""
    weight_decay: float = 0.01
    """On matrices only."""
    clip: float = 1.0
    """Largest gradient norm."""
    average: float = 0.0
    """Decay of a moving average of the weights, which is what gets scored and kept; 0: the weights themselves."""
    score_every: int = 200
    """Steps between scores on the valid split."""
    seed: int = 0

    def rate(self, step: int) -> float:
        """Learning rate of a step (from 0)."""
        done = (step + 1) / self.steps
        if done < self.warmup:
            return self.learning_rate * done / self.warmup
        decay_from = self.warmup + self.hold
        if done <= decay_from or decay_from >= 1:
            return self.learning_rate
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (done - decay_from) / (1 - decay_from)))


class Recipe(Protocol):
    """What `train` needs to know of a task, and what the finished model is packed with."""

    @property
    def card(self) -> Card:
        """Facts known beforehand; score, minutes and date follow."""

    @property
    def plan(self) -> Plan:
        """How long and how fast."""

    @property
    def processors(self) -> Sequence[Processor]:
        """What turns raw input into the model's; saved beside the weights."""

    def build_model(self) -> PretrainedModel:
        """A fresh model, or one from the checkpoint the recipe starts from."""

    def loss(self, model: PretrainedModel, step: int) -> Tensor:
        """Loss of the batch of one step; the batch is a pure function of the step."""

    def score(self, model: PretrainedModel) -> float:
        """On the valid split; higher is better."""


@dataclass(frozen=True)
class StepReport:
    """One line of the log."""

    step: int
    loss: float
    """Mean since the last report."""
    rate: float
    gradient_norm: float
    score: float
    """On valid."""
    best: float
    minutes: float
    """Of training so far, over all sittings."""


def train(recipe: Recipe, folder: Path, *, minutes: float = math.inf) -> Iterator[StepReport]:
    """Train until the plan is fulfilled or the time is up, and keep the best weights in `folder`.

    Args:
        folder: of the run; an earlier run found there goes on from its last saved state.
        minutes: stop (resumably) after so much time in this sitting.

    Yields:
        a report every `score_every` steps, after the state was saved.
    """
    plan = recipe.plan
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(plan.seed)
    model = recipe.build_model().train()
    averaged = copy.deepcopy(model).eval().requires_grad_(False) if plan.average else None
    optimiser = torch.optim.AdamW(_groups(model, plan.weight_decay), lr=plan.learning_rate, betas=(0.9, 0.98))
    step, best, spent = 0, -math.inf, 0.0
    if (folder / STATE_FILE).is_file():
        state = torch.load(folder / STATE_FILE, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["random"])
        step, best, spent = state["step"], state["best"], state["minutes"]
        if averaged is not None:
            averaged.load_state_dict(state["averaged"])

    started, losses, norm = time.monotonic(), [], 0.0
    while step < plan.steps:
        for group in optimiser.param_groups:
            group["lr"] = plan.rate(step)
        loss = recipe.loss(model, step)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss of step {step} is {loss.item()}; lower the learning rate")
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), plan.clip).item()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        losses.append(loss.item())
        step += 1
        if averaged is not None:
            # a short memory at first, so that the average does not drag the random start along
            _average(averaged, model, min(plan.average, (1 + step) / (10 + step)))
        is_up = (time.monotonic() - started) / 60 > minutes
        if step % plan.score_every and step < plan.steps and not is_up:
            continue

        kept = averaged if averaged is not None else model
        kept.eval()
        with torch.inference_mode():
            score = recipe.score(kept)
        model.train()
        if score > best:
            best = score
            kept.save_pretrained(folder)
        elapsed = spent + (time.monotonic() - started) / 60
        state = {
            "model": model.state_dict(),
            "optimiser": optimiser.state_dict(),
            "random": torch.get_rng_state(),
            "step": step,
            "best": best,
            "minutes": elapsed,
        }
        if averaged is not None:
            state["averaged"] = averaged.state_dict()
        _save(folder / STATE_FILE, state)
        report = StepReport(step, sum(losses) / len(losses), plan.rate(step - 1), norm, score, best, elapsed)
        losses.clear()
        with (folder / LOG_FILE).open("a", encoding="utf-8") as log:
            log.write(json.dumps(asdict(report)) + "\n")
        yield report
        if is_up:
            return


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]


@torch.no_grad()
def _average(averaged: nn.Module, model: nn.Module, decay: float) -> None:
    for kept, new in zip(averaged.state_dict().values(), model.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)


def _save(path: Path, state: dict[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)
