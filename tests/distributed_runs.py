"""What each of two processes does for `tests/unit/test_pretraining_distributed.py`: `torchrun ... -m` this, a folder.

Every run leaves `NAME-RANK.pt` in the folder: its reports, student and teacher. The last one crashes on purpose.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from data2vec_core.pretraining.distributed import Shard, World, distributed_world
from data2vec_core.pretraining.loop import StepReport, pretrain
from data2vec_core.pretraining.masking import mask_generators
from data2vec_core.pretraining.model import Batch, Data2VecPretraining
from data2vec_core.pretraining.plan import Plan
from data2vec_core.pretraining.schedule import TeacherDecay, WarmupCosine
from tests.pretraining_samples import MODALITIES, tiny_batch, tiny_pretraining

ROWS = 5
"""Of a batch: three for the first process, two for the second. The second row, a padded one, hides fewest."""


def plan(steps: int = 20, **changes: Any) -> Plan:
    """A short run, in which every step counts."""
    settings: dict[str, Any] = {"schedule": WarmupCosine(peak=1e-3, total=steps, warmup=3), "clip": 1.0}
    return Plan(**(settings | changes))


def model(modality: str, seed: int = 0, *, still: bool = True, masks: int = 1) -> Data2VecPretraining:
    """With a teacher that moves fast enough to tell."""
    torch.manual_seed(seed)
    return tiny_pretraining(modality, still=still, decay=TeacherDecay(0.9, 0.9, 0), masks_per_sample=masks)


def batches(modality: str) -> Any:
    """Another batch at every number."""

    def rows(index: int, shard: Shard) -> Batch:
        return {name: shard.of(tensor) for name, tensor in tiny_batch(modality, index, ROWS).items()}

    return rows


def weights(pretraining: Data2VecPretraining) -> dict[str, Tensor]:
    """Of student, teacher and head."""
    return {name: tensor.clone() for name, tensor in pretraining.state_dict().items()}


def _gradients_under_layer_drop(world: World) -> list[tuple[str, Tensor | None, Tensor]]:
    """Of two accumulated batches in each of some rounds, in which other blocks are skipped in each process: by name,
    those of the joined model (None: of no process), and the mean over processes of those that each has alone."""
    pretraining: Any = model("audio")
    pretraining.student.encoder.layerdrop = 0.7
    joined, found = world.join(pretraining), []
    for seed in range(4):
        gradients = []
        for called, apart in ((pretraining, nullcontext), (joined, lambda: world.apart(joined))):
            pretraining.zero_grad()
            torch.manual_seed(2 * seed + world.shard.rank)
            for index, context in ((0, apart), (1, nullcontext)):
                batch = batches("audio")(index, world.shard)
                generators = mask_generators(0, index, range(len(batch["input_values"])))
                with context():
                    called(batch, generators).total.backward()
            gradients.append([None if p.grad is None else p.grad.clone() for p in pretraining.parameters()])
        for (name, parameter), alone, together in zip(pretraining.named_parameters(), *gradients, strict=True):
            mean = world.sum(torch.zeros_like(parameter) if alone is None else alone) / world.shard.size
            assert (together is None) != world.any(alone is not None), name
            found.append((name, together, mean))
    return found


def _all_runs(folder: Path, world: World) -> None:
    rank = world.shard.rank

    def leave(name: str, pretraining: Data2VecPretraining, reports: Iterable[StepReport]) -> None:
        result = {"losses": [report.loss for report in reports], "weights": weights(pretraining)}
        result["last"] = vars(list(reports)[-1])
        torch.save(result, folder / f"{name}-{rank}.pt")

    def run(
        name: str,
        modality: str,
        how: Plan,
        *,
        still: bool = True,
        masks: int = 1,
        stop: int | None = None,
        **options: Any,
    ) -> None:
        # The second process begins with other weights, and is told another folder to write to.
        pretraining = model(modality, seed=rank, still=still, masks=masks)
        where = folder / options.pop("where", name) / str(rank)
        reports = pretrain(pretraining, batches(modality), how, where, world=world, **options)
        leave(name, pretraining, list(islice(reports, stop)))

    torch.save(_gradients_under_layer_drop(world), folder / f"gradients-{rank}.pt")
    for modality in MODALITIES:
        run(modality, modality, plan())
    run("accumulated", "audio", plan(4, accumulate=2))
    run("masked twice", "audio", plan(4), masks=2)
    run("continued", "text", plan())  # where one process alone made the first steps

    # With dropout and layer drop: without a break, and broken off after step 5, of which 4 are saved.
    lively: dict[str, Any] = {"still": False}
    run("whole", "audio", plan(8, save_every=2, accumulate=2), **lively)
    run("half", "audio", plan(8, save_every=2, accumulate=2), stop=5, **lively)
    run("rest", "audio", plan(8, save_every=2, accumulate=2), where="half", **lively)

    run("late", "vision", plan(4), minutes=0 if rank == 1 else math.inf)

    def broken(index: int, shard: Shard) -> Batch:
        values = shard.of(tiny_batch("vision", index, ROWS)["pixel_values"])
        return {"pixel_values": values * float("nan") if index == 2 and rank == 1 else values}

    try:
        list(pretrain(model("vision"), broken, plan(4), folder / "broken", world=world))
    except FloatingPointError as error:
        (folder / f"broken-{rank}.txt").write_text(str(error))

    def crashing(index: int, shard: Shard) -> Batch:
        if index == 2 and rank == 1:
            (folder / "crashed.txt").touch()
            raise OSError("a file has gone")
        return batches("vision")(index, shard)

    list(pretrain(model("vision"), crashing, plan(4), folder / "crash", world=world))


if __name__ == "__main__":
    torch.set_num_threads(1)
    with distributed_world() as joined:
        _all_runs(Path(sys.argv[1]), joined)
