"""The training loop: a generator of reports that a killed run resumes, bit for bit on the CPU.

Everything random is either a function of the number of the batch and the place of a row in it (content and mask) or of
PyTorch's own generators, whose states are saved with the weights. Several processes that share each batch take the
steps that one would; only their dropout is another.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.files import LOG_FILE, STATE_FILE, replacing
from data2vec_core.checkpoints.writing import write_state
from data2vec_core.pretraining.distributed import Shard, World
from data2vec_core.pretraining.masking import mask_generators
from data2vec_core.pretraining.model import Batch, Data2VecPretraining
from data2vec_core.pretraining.objective import Moments
from data2vec_core.pretraining.plan import Plan
from data2vec_core.pretraining.seeds import mixed_seed

Batches = Callable[[int, Shard], Batch]
"""From the number of a batch, counted from 0 over the whole run, to the rows of it that a process has, on the CPU: the
same whenever it is asked, and at least one. Padded to the longest of the whole batch: convolutions let padding into the
last frames of a clip as the reference does, and so its length matters (data2vec.md 9.2)."""


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
    world: World | None = None,
    minutes: float = math.inf,
) -> Iterator[StepReport]:
    """Train until the plan is fulfilled or the time is up.

    The folder gets `state.pt` (all that resuming needs), `log.jsonl` (the reports), and the checkpoint of student and
    teacher, each written whole or not at all. Closing the generator ends the run; so does a kill: the next call goes on
    from the last checkpoint, and drops the log's lines after it.

    In a world of several processes each calls this, with a model of the same kind and the same other arguments, and
    takes every report. The first alone reads and writes the folder, and its weights become those of all. Resuming is
    exact where there are as many processes as before; with more or fewer, dropout goes on with other random numbers.

    Args:
        model: fresh; overwritten by the state of an earlier run found in the folder.
        batches: see `Batches`.
        folder: of the run.
        world: the device to train on, and the processes that share the work; one alone on the CPU when None.
        minutes: stop, with a checkpoint, after so much time in this call.

    Yields:
        a report every `plan.report_every` steps and of the last step, about all processes; only what clocks say may
        differ between them.

    Raises:
        CheckpointError: the folder holds a run of another model.
        FloatingPointError: the loss or the gradient is not a number; the last checkpoint is from before that.
        CollapseError: see `CollapseAlarm`.
        ValueError: a batch has no row for a process.
    """
    world, folder = world or World(), Path(folder)
    run = _Run(model.to(world.device).train(), plan, world)
    run.restore(folder)
    log_file = Path(os.devnull)
    if world.is_first:
        folder.mkdir(parents=True, exist_ok=True)
        log_file = folder / LOG_FILE
        _drop_lines_after(run.step, log_file)

    earlier, started = run.seconds, time.monotonic()
    reported, items = started, 0
    is_last = run.step >= plan.steps
    with log_file.open("a", encoding="utf-8") as log:
        while not is_last:
            step = run.advance(batches)
            items += step.items
            now = time.monotonic()
            run.seconds = earlier + now - started
            is_last = run.step == plan.steps or world.any(now - started >= 60 * minutes)
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
    """Of the rows of this process, as are those of the predictions."""
    predictions: Moments
    items: int


class _Run:
    """Everything that changes while training."""

    def __init__(self, model: Data2VecPretraining, plan: Plan, world: World) -> None:
        self.model, self.plan, self.world = model, plan, world
        plan.fix(model.student)
        self.joined = world.join(model)
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimiser = plan.optimiser(model)
        torch.manual_seed(mixed_seed(plan.seed, world.shard.rank))
        self.step = 0
        """Updates so far."""
        self.seconds = 0.0

    def advance(self, batches: Batches) -> _Step:
        """One update of the student, then one of the teacher."""
        plan, world, rate = self.plan, self.world, self.plan.schedule(self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        total, count, items = 0.0, 0, 0
        targets = predictions = None
        is_bf16 = world.device.type in plan.bf16
        indices = range(self.step * plan.accumulate, (self.step + 1) * plan.accumulate)
        for index in indices:
            batch = {name: tensor.to(world.device) for name, tensor in batches(index, world.shard).items()}
            rows = len(next(iter(batch.values())))
            if rows == 0:
                raise ValueError(f"batches: batch {index} has no row for process {world.shard.rank}; make it larger")
            places = world.shard.places(rows)
            generators = mask_generators(plan.seed, index, places, self.model.method.masks_per_sample)
            with nullcontext() if index == indices[-1] else world.apart(self.joined):
                with torch.autocast(world.device.type, torch.bfloat16, enabled=is_bf16):
                    output = self.joined(
                        batch, generators, fewest_of_all=world.fewest, is_teacher_cast=plan.bf16_teacher
                    )
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
        total, count, items = world.sum(torch.tensor([total, count, items], dtype=torch.float64)).tolist()
        for parameter in self.parameters:
            if parameter.grad is not None:  # a block that layer drop skipped has none
                parameter.grad *= world.shard.size / max(count, 1)  # the mean over processes, to be the sum
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
        return _Step(loss, rate, decay, norm, targets, predictions, int(items))

    def report(self, step: _Step, items_per_second: float) -> StepReport:
        """About the step just made."""
        return StepReport(
            step=self.step,
            loss=step.loss,
            learning_rate=step.learning_rate,
            teacher_decay=step.teacher_decay,
            gradient_norm=step.gradient_norm,
            target_spread=self._of_all(step.targets).spread(),
            prediction_spread=self._of_all(step.predictions).spread(),
            distances=self.model.teacher.distances(self.model.student),
            items=step.items,
            items_per_second=items_per_second,
            seconds=self.seconds,
        )

    def _of_all(self, moments: Moments) -> Moments:
        """Those of all processes together."""
        parts = (moments.total.new_tensor([moments.count]), moments.total, moments.squares)
        count, total, squares = self.world.sum(torch.cat(parts)).split([len(part) for part in parts])
        return Moments(int(count), total, squares)

    def save(self, folder: Path) -> None:
        """Write both models, then the state: a run killed in between resumes from the state before, and writes the
        models again."""
        state = {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "random": self.world.gather(_random_state(self.world.device)),
            "step": self.step,
            "seconds": self.seconds,
        }
        if self.world.is_first:
            self.model.save_pretrained(folder)
            write_state(folder / STATE_FILE, state)
        self.world.wait()

    def restore(self, folder: Path) -> None:
        """Go on from the state that the first process finds in the folder, if any.

        Raises:
            CheckpointError: it is of another model.
        """
        path, world = folder / STATE_FILE, self.world
        is_there = world.is_first and path.is_file()
        state = world.from_first(torch.load(path, map_location="cpu", weights_only=True) if is_there else None)
        if state is None:
            return
        try:
            self.model.load_state_dict(state["model"])
            self.optimiser.load_state_dict(state["optimiser"])
        except (RuntimeError, ValueError) as error:
            raise CheckpointError(f"{path} is of another model, so the run cannot go on from it: {error}") from error
        self.step, self.seconds = state["step"], state["seconds"]
        if len(state["random"]) == world.shard.size:
            _set_random_state(state["random"][world.shard.rank], world.device)
        else:
            torch.manual_seed(mixed_seed(self.plan.seed, world.shard.rank, self.step))


def _random_state(device: torch.device) -> dict[str, Tensor]:
    """Of PyTorch's generators that training on the device uses."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def _set_random_state(state: dict[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)


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
