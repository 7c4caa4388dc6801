"""Learn from a folder of one's own, without labels: `python -m recipes.pretrain audio --data FOLDER --out RUN`.

FOLDER holds sounds, texts (`.txt`, or `.txt.gz` with a paragraph a line) or pictures; RUN gets student, teacher,
processor and log, and goes on where it was when the command is given again. Under `torchrun` several GPUs or hosts
share each batch; all of them have to see both folders.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import torch

from data2vec_core.checkpoints.card import MODALITIES
from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.files import LOG_FILE
from data2vec_core.pretraining.distributed import World, distributed_world
from data2vec_core.pretraining.loop import pretrain
from data2vec_core.pretraining.objective import CollapseError
from data2vec_core.pretraining.progress import with_progress_bar
from recipes.devices import choose_device
from recipes.own.lazy_items import NothingLeftError
from recipes.own.run import OwnRun, Wishes, prepare

STOPPED = "the same command goes on from the last checkpoint"


def train(run: OwnRun, out: Path, world: World, minutes: float) -> None:
    """Run to the end of the plan or of the time, and say where things are.

    Raises:
        CheckpointError, FloatingPointError, CollapseError, NothingLeftError: as `pretrain` and the reader of the items.
    """
    if world.is_first:
        run.processor.save_pretrained(out)
        print(f"log: {out / LOG_FILE}", flush=True)
    reports = pretrain(run.model, run.batches, run.plan, out, world=world, minutes=minutes)
    last = run.plan.steps
    for report in with_progress_bar(reports, run.plan.steps, is_shown=world.is_first):
        last = report.step
    if (failed := run.failed()).total:
        print(f"not read: {failed}", file=sys.stderr)
    if not world.is_first:
        return
    if last < run.plan.steps:
        print(f"stopped after step {last:,} of {run.plan.steps:,}; {STOPPED}")
    name = type(run.model.student).__name__
    options = ", add_pooling_layer=False" if name == "Data2VecTextModel" else ""
    print(f"{out} has student and teacher:")
    print(f"    from data2vec_core import {name}")
    print(f'    student = {name}.from_pretrained("{out}"{options})')
    print(f'    teacher = {name}.from_pretrained("{out}", role="teacher"{options})', flush=True)


def _say(line: str) -> None:
    print(line, flush=True)


def _say_nothing(line: str) -> None:
    """Of all processes but the first."""


def main(arguments: list[str] | None = None) -> None:
    """Command line: exits with 2 when something is wrong beforehand, with 1 when training fails."""
    parser = argparse.ArgumentParser(prog="python -m recipes.pretrain", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("modality", choices=MODALITIES)
    parser.add_argument("--data", type=Path, required=True, help="folder of sounds, texts or pictures")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; an earlier run there goes on")
    parser.add_argument(
        "--preset", choices=("tiny", "base"), default="tiny", help="as the bundled encoders, or as published (tiny)"
    )
    parser.add_argument("--init", help="checkpoint to go on from: bundled name, folder or hub id (none: from scratch)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--steps", type=int, help="updates of the student (the preset's)")
    parser.add_argument("--batch", type=int, help="seconds of sound, tokens or pictures in a batch (the preset's)")
    parser.add_argument("--accumulate", type=int, default=1, help="batches of a step (1)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop, resumably, after so long")
    parser.add_argument("--save-every", type=int, help="steps between checkpoints (the preset's)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="processor threads (all)")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    names = ("modality", "data", "out", "preset", "init", "steps", "batch", "accumulate", "save_every", "seed")
    try:
        device = choose_device(options.device)
        wishes = Wishes(**{name: getattr(options, name) for name in names})
    except ValueError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    try:
        with distributed_world(device.type) as world:
            try:
                run = prepare(wishes, world, _say if world.is_first else _say_nothing)
            except (ValueError, CheckpointError) as error:
                parser.exit(2, f"{parser.prog}: {error}\n")
            try:
                train(run, options.out, world, options.minutes)
            except (CheckpointError, FloatingPointError, CollapseError, NothingLeftError) as error:
                parser.exit(1, f"{parser.prog}: {error}\n")
    except KeyboardInterrupt:
        parser.exit(130, f"\n{parser.prog}: stopped; {STOPPED}\n")


if __name__ == "__main__":
    main()
