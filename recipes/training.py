"""Supervised training on one small machine: seeded batches, a schedule, averaged weights, exact resumption.

A recipe says what to train; `train` runs it. Batches are drawn by step number, so a run that was stopped goes on as if
it had not been, from the state it saved last.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from data2vec_core.checkpoints.card import Card
from data2vec_core.checkpoints.files import LOG_FILE, STATE_FILE
from data2vec_core.checkpoints.writing import write_state
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.pretraining.plan import parameter_groups
from data2vec_core.pretraining.teacher import average
from data2vec_core.processing.processor import Processor


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

    @property
    def model_class(self) -> type[PretrainedModel]:
        """Of the model that `build_model` gives."""

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

    Raises:
        FloatingPointError: the loss is not a finite number.
    """
    plan = recipe.plan
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(plan.seed)
    run = _Run(recipe, folder)
    run.restore()
    started, spent, losses = time.monotonic(), run.minutes, []
    while run.step < plan.steps:
        loss, norm = run.take_step()
        losses.append(loss)
        run.minutes = spent + (time.monotonic() - started) / 60
        is_up = run.minutes - spent > minutes
        if run.step % plan.score_every and run.step < plan.steps and not is_up:
            continue
        score = run.score()
        run.save()
        rate = plan.rate(run.step - 1)
        report = StepReport(run.step, sum(losses) / len(losses), rate, norm, score, run.best, run.minutes)
        losses.clear()
        with (folder / LOG_FILE).open("a", encoding="utf-8") as log:
            log.write(json.dumps(asdict(report)) + "\n")
        yield report
        if is_up:
            return


class _Run:
    """Everything that changes while a recipe trains."""

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        self.recipe, self.folder = recipe, folder
        plan = recipe.plan
        self.model = recipe.build_model().train()
        self.averaged = copy.deepcopy(self.model).eval().requires_grad_(False) if plan.average else None
        self.optimiser = torch.optim.AdamW(
            parameter_groups(self.model, plan.weight_decay), lr=plan.learning_rate, betas=(0.9, 0.98)
        )
        self.step, self.best, self.minutes = 0, -math.inf, 0.0

    def take_step(self) -> tuple[float, float]:
        """One update; its loss and gradient norm."""
        plan = self.recipe.plan
        for group in self.optimiser.param_groups:
            group["lr"] = plan.rate(self.step)
        loss = self.recipe.loss(self.model, self.step)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss of step {self.step} is {loss.item()}; lower the learning rate")
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), plan.clip).item()
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        if self.averaged is not None:
            # a short memory at first, so that the average does not drag the random start along
            average(self.averaged, self.model, min(plan.average, (1 + self.step) / (10 + self.step)))
        return loss.item(), norm

    def score(self) -> float:
        """Score on valid; the weights are kept when it is the best so far."""
        kept = self.averaged if self.averaged is not None else self.model
        kept.eval()
        with torch.inference_mode():
            score = self.recipe.score(kept)
        self.model.train()
        if score > self.best:
            self.best = score
            kept.save_pretrained(self.folder)
        return score

    def save(self) -> None:
        """Write the state, whole or not at all."""
        state = {
            "model": self.model.state_dict(),
            "averaged": None if self.averaged is None else self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "random": torch.get_rng_state(),
            "step": self.step,
            "best": self.best,
            "minutes": self.minutes,
        }
        write_state(self.folder / STATE_FILE, state)

    def restore(self) -> None:
        """Go on from a saved state, if there is one."""
        if not (self.folder / STATE_FILE).is_file():
            return
        state = torch.load(self.folder / STATE_FILE, weights_only=True)
        self.model.load_state_dict(state["model"])
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["random"])
        self.step, self.best, self.minutes = state["step"], state["best"], state["minutes"]
