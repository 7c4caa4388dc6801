"""The supervised loop: seeded batches, a schedule, averaged weights, exact resumption.

A `FineTuning` says what to learn; `learn` does it. Batches are drawn by step number, so a run that was stopped goes on
as if it had not been, from the state it saved last.
"""

from __future__ import annotations

import copy
import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from data2vec_core.checkpoints.files import LOG_FILE, STATE_FILE
from data2vec_core.checkpoints.writing import write_state
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.pretraining.teacher import average
from data2vec_core.processing.processor import Processor
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start

Model = TypeVar("Model", bound=PretrainedModel)


class FineTuning(ABC, Generic[Model]):
    """Base of the kinds of task: what `learn` needs to know of one, with its examples."""

    model_class: ClassVar[type[PretrainedModel]]

    def __init__(self, start: Start, plan: FinePlan, processors: Sequence[Processor]) -> None:
        self.start = start
        self.plan = plan
        self.processors = processors
        """What turns raw input into the model's; saved beside the weights."""

    @abstractmethod
    def build_model(self) -> Model:
        """From the start, with the task's head."""

    @abstractmethod
    def loss(self, model: Model, step: int) -> Tensor:
        """Loss of the batch of one step; the batch is a pure function of the step and the plan's seed."""

    @abstractmethod
    def score(self, model: Model) -> float:
        """On the valid examples; higher is better."""


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """One line of the log."""

    step: int
    loss: float
    """Mean since the last report."""
    learning_rate: float
    gradient_norm: float
    score: float
    """On valid."""
    best: float
    seconds: float
    """Of training so far, over all sittings."""


def learn(
    tuning: FineTuning[Any], folder: Path, *, minutes: float = math.inf, until: int | None = None
) -> Iterator[StepReport]:
    """Train until the plan is fulfilled or the time is up, and keep the best weights and the processors in `folder`.

    Args:
        folder: of the run; an earlier run found there goes on from its last saved state.
        minutes: stop (resumably) after so much time in this sitting.
        until: stop (resumably) at this step, before the plan is fulfilled.

    Yields:
        a report every `plan.score_every` steps and of the last, after the state was saved.

    Raises:
        FloatingPointError: the loss is not a finite number.
    """
    plan = tuning.plan
    folder.mkdir(parents=True, exist_ok=True)
    for processor in tuning.processors:
        processor.save_pretrained(folder)
    torch.manual_seed(plan.seed)
    run = _Run(tuning, folder)
    run.restore()
    earlier, started, losses = run.seconds, time.monotonic(), []
    last = plan.steps if until is None else min(until, plan.steps)
    while run.step < last:
        loss, norm = run.take_step()
        losses.append(loss)
        sitting = time.monotonic() - started
        run.seconds = earlier + sitting
        is_up = sitting >= 60 * minutes
        if run.step % plan.score_every and run.step < last and not is_up:
            continue
        score = run.score()
        run.save()
        report = StepReport(
            step=run.step,
            loss=sum(losses) / len(losses),
            learning_rate=plan.schedule(run.step - 1),
            gradient_norm=norm,
            score=score,
            best=run.best,
            seconds=run.seconds,
        )
        losses.clear()
        with (folder / LOG_FILE).open("a", encoding="utf-8") as log:
            log.write(json.dumps(asdict(report)) + "\n")
        yield report
        if is_up:
            return


class _Run:
    """Everything that changes while a task is learnt."""

    def __init__(self, tuning: FineTuning[Any], folder: Path) -> None:
        self.tuning, self.folder = tuning, folder
        plan = tuning.plan
        self.model = tuning.build_model().train()
        plan.fix(self.model)
        self.averaged = copy.deepcopy(self.model).eval().requires_grad_(False) if plan.average else None
        self.optimiser = plan.optimiser(self.model)
        self.parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.step, self.best, self.seconds = 0, -math.inf, 0.0

    def take_step(self) -> tuple[float, float]:
        """One update; its loss and gradient norm."""
        plan = self.tuning.plan
        for group in self.optimiser.param_groups:
            group["lr"] = group["share"] * plan.schedule(self.step)
        with torch.autocast("cpu", torch.bfloat16, enabled="cpu" in plan.bf16):
            loss = self.tuning.loss(self.model, self.step)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss of step {self.step} is {loss.item()}; lower the learning rate")
        loss.backward()
        limit = math.inf if plan.clip is None else plan.clip
        norm = nn.utils.clip_grad_norm_(self.parameters, limit).item()
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        if self.averaged is not None:
            # a short memory at first, so that the average does not drag the start along
            average(self.averaged, self.model, min(plan.average, (1 + self.step) / (10 + self.step)))
        return loss.item(), norm

    def score(self) -> float:
        """Score on valid; the weights are kept when it is the best so far."""
        kept = self.averaged if self.averaged is not None else self.model
        kept.eval()
        with torch.inference_mode():
            score = self.tuning.score(kept)
        self.model.train()
        if score >= self.best:  # of equals, what was learnt and averaged for longer
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
            "seconds": self.seconds,
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
        self.step, self.best, self.seconds = state["step"], state["best"], state["seconds"]
