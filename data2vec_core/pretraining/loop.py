"""The training loop: a generator of reports that a killed run resumes, bit for bit on the CPU.

Everything random is either a function of the number of the batch (its content, its mask) or of PyTorch's own
generators, whose state is saved with the weights.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.files import LOG_FILE, STATE_FILE, replacing
from data2vec_core.checkpoints.writing import write_state
from data2vec_core.pretraining.masking import mask_generators
from data2vec_core.pretraining.model import Batch, Data2VecPretraining
from data2vec_core.pretraining.objective import Moments
from data2vec_core.pretraining.plan import Plan

Batches = Callable[[int], Batch]
"""From the number of a batch, counted from 0 over the whole run, to the batch: the same whenever it is asked."""


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """One step; a line of the log."""

    step: int
    """Updates of the student so far, this one included."""
    loss: float
    learning_rate: float
    teacher_decay: float
    """Tau of the update of the teacher."""
    gradient_norm: float
    """Over all parameters, before clipping."""
    target_spread: float
    """Standard deviation of the targets over masked positions, mean over channels; near 0 after a collapse."""
    prediction_spread: float
    """The same of the predictions."""
    distances: tuple[float, ...]
    """From teacher to student, block by block, relative to the student's weights."""
    items: int
    """Clips, sentences or pictures in the step."""
    items_per_second: float
    """Since the last report."""
    seconds: float
    """Of training so far, over all sittings."""


def pretrain(
    model: Data2VecPretraining,
    batches: Batches,
    plan: Plan,
    folder: str | Path,
    *,
    device: torch.device | str = "cpu",
    minutes: float = math.inf,
) -> Iterator[StepReport]:
    """Train until the plan is fulfilled or the time is up.

    The folder gets `state.pt` (all that resuming needs), `log.jsonl` (the reports), and the checkpoint of student and
    teacher, each written whole or not at all. Closing the generator ends the run; so does a kill: the next call goes on
    from the last checkpoint, and drops the log's lines after it.

    Args:
        model: fresh; overwritten by the state of an earlier run found in the folder.
        batches: on the CPU.
        folder: of the run.
        device: to train on.
        minutes: stop, with a checkpoint, after so much time in this call.

    Yields:
        a report every `plan.report_every` steps and of the last step.

    Raises:
        CheckpointError: the folder holds a run of another model.
        FloatingPointError: the loss or the gradient is not a number; the last checkpoint is from before that.
        CollapseError: see `CollapseAlarm`.
    """
    device, folder = torch.device(device), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(model.to(device).train(), plan, device)
    if (folder / STATE_FILE).is_file():
        run.restore(folder / STATE_FILE)
    _drop_lines_after(run.step, folder / LOG_FILE)

    earlier, started = run.seconds, time.monotonic()
    reported, items = started, 0
    is_last = run.step >= plan.steps
    with (folder / LOG_FILE).open("a", encoding="utf-8") as log:
        while not is_last:
            step = run.advance(batches)
            items += step.items
            now = time.monotonic()
            run.seconds = earlier + now - started
            is_last = run.step == plan.steps or now - started >= 60 * minutes
            report = None
            if is_last or run.step % plan.report_every == 0:
                report = run.report(step, items / max(now - reported, 1e-9))
                reported, items = now, 0
                log.write(json.dumps(asdict(report)) + "\n")
                log.flush()
                if model.method.collapse is not None:
                    model.method.collapse.check(run.step, report.target_spread, report.prediction_spread)
            if is_last or run.step % plan.save_every == 0:
                run.save(folder)
            if report is not None:
                yield report


@dataclass(frozen=True)
class _Step:
    """What one update did."""

    loss: float
    learning_rate: float
    teacher_decay: float
    gradient_norm: float
    targets: Moments
    predictions: Moments
    items: int


class _Run:
    """Everything that changes while training."""

    def __init__(self, model: Data2VecPretraining, plan: Plan, device: torch.device) -> None:
        torch.manual_seed(plan.seed)
        self.model, self.plan, self.device = model, plan, device
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimiser = plan.optimiser(model)
        self.step = 0
        """Updates so far."""
        self.seconds = 0.0

    def advance(self, batches: Batches) -> _Step:
        """One update of the student, then one of the teacher."""
        plan, rate = self.plan, self.plan.schedule(self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        total, count, items = 0.0, 0, 0
        targets = predictions = None
        for index in range(self.step * plan.accumulate, (self.step + 1) * plan.accumulate):
            batch = {name: tensor.to(self.device) for name, tensor in batches(index).items()}
            rows = len(next(iter(batch.values())))
            generators = mask_generators(plan.seed, index, range(rows), self.model.method.masks_per_sample)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=plan.bf16 and self.device.type == "cuda"):
                output = self.model(batch, generators)
            output.total.backward()
            total += output.total.item()
            count += output.count
            items += rows
            of_targets, of_predictions = Moments.of(output.targets), Moments.of(output.predictions)
            targets = of_targets if targets is None else targets + of_targets
            predictions = of_predictions if predictions is None else predictions + of_predictions
        assert targets is not None
        assert predictions is not None

        # Summed first and divided after, for how much is masked is known only now.
        for parameter in self.parameters:
            if parameter.grad is not None:  # a block that layer drop skipped has none
                parameter.grad /= max(count, 1)
        limit = math.inf if plan.clip is None else plan.clip
        loss, norm = total / max(count, 1), nn.utils.clip_grad_norm_(self.parameters, limit).item()
        if not math.isfinite(loss) or not math.isfinite(norm):
            raise FloatingPointError(
                f"step {self.step + 1}: the loss is {loss} and the gradient's norm {norm}; try a lower learning rate"
            )
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        decay = self.model.update_teacher(self.step)
        return _Step(loss, rate, decay, norm, targets, predictions, items)

    def report(self, step: _Step, items_per_second: float) -> StepReport:
        """About the step just made."""
        return StepReport(
            step=self.step,
            loss=step.loss,
            learning_rate=step.learning_rate,
            teacher_decay=step.teacher_decay,
            gradient_norm=step.gradient_norm,
            target_spread=step.targets.spread(),
            prediction_spread=step.predictions.spread(),
            distances=self.model.teacher.distances(self.model.student),
            items=step.items,
            items_per_second=items_per_second,
            seconds=self.seconds,
        )

    def save(self, folder: Path) -> None:
        """Write both models, then the state: a run killed in between resumes from the state before, and writes the
        models again."""
        self.model.save_pretrained(folder)
        state = {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "random": torch.get_rng_state(),
            "step": self.step,
            "seconds": self.seconds,
        }
        if self.device.type == "cuda":
            state["random_cuda"] = torch.cuda.get_rng_state(self.device)
        write_state(folder / STATE_FILE, state)

    def restore(self, path: Path) -> None:
        """Go on from a saved state.

        Raises:
            CheckpointError: it is of another model.
        """
        state = torch.load(path, map_location="cpu", weights_only=True)
        try:
            self.model.load_state_dict(state["model"])
            self.optimiser.load_state_dict(state["optimiser"])
        except (RuntimeError, ValueError) as error:
            raise CheckpointError(f"{path} is of another model, so the run cannot go on from it: {error}") from error
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda" and "random_cuda" in state:
            torch.cuda.set_rng_state(state["random_cuda"], self.device)
        self.step, self.seconds = state["step"], state["seconds"]


def _drop_lines_after(step: int, log: Path) -> None:
    """Keep the lines of a log up to a step; what follows was not saved, and its last line may be cut off."""
    if not log.is_file():
        return
    kept = []
    for line in log.read_text(encoding="utf-8").splitlines(keepends=True):
        try:
            is_kept = json.loads(line)["step"] <= step
        except json.JSONDecodeError:
            is_kept = False
        if is_kept:
            kept.append(line)
    with replacing(log) as temporary:
        temporary.write_text("".join(kept), encoding="utf-8")
