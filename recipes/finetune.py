"""Teach an encoder a task with labels: of the data packs, or of one's own.

A run that was stopped, by `--minutes` or in any other way, goes on from its last state when the command is given again.
"""

from __future__ import annotations

import argparse
import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.processing.audio_errors import AudioError
from data2vec_core.processing.image_io import ImageError
from recipes.bundled import NAMES, bundled_model
from recipes.finetuning.learning import FineTuning, learn
from recipes.finetuning.start import Start
from recipes.own.fine_run import FineRun, FineWishes, prepare
from recipes.own.tasks import OWN_TASKS
from recipes.packs import DATA_VARIABLE, default_data_folder

STOPPED = "the same command goes on from the last state"


def _epilogue() -> str:
    """What one's own data may be, for the help."""
    lines = ["your own data, by TASK:"]
    for name, task in OWN_TASKS.items():
        lines += textwrap.wrap(f"{name}: {task.formats}", 100, initial_indent="  ", subsequent_indent="      ")
    lines += [
        "",
        "A table is CSV, TSV, JSON Lines or Parquet; files in it are looked for from its folder. A folder may hold",
        "one table, one called metadata, or train and valid. What the best weights are chosen by is said by a column",
        "split (train, valid), by folders or tables train and valid, or is a tenth that is held apart: of every",
        "label, or where there is a column speaker, whole speakers.",
    ]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m recipes.finetune",
        description=(__doc__ or "").partition("\n")[0],
        epilog=_epilogue(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "task",
        metavar="TASK",
        choices=(*NAMES, *OWN_TASKS),
        help=f"a bundled model ({', '.join(NAMES)}), or a kind of task ({', '.join(OWN_TASKS)})",
    )
    parser.add_argument(
        "--from",
        dest="start",
        metavar="CHECKPOINT",
        help="to start from: bundled name, folder or hub id (the bundled encoder)",
    )
    parser.add_argument(
        "--data", type=Path, help=f"folder of the packs (${DATA_VARIABLE}, or data), or one's own folder or table"
    )
    parser.add_argument("--out", type=Path, help="folder of the run; an earlier run there goes on (runs/TASK)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop, resumably, after so long")
    parser.add_argument("--threads", type=int, help="processor threads (all)")
    own = parser.add_argument_group("for your own data")
    own.add_argument("--steps", type=int, help="updates (1,000; transcription 3,000)")
    own.add_argument("--batch", type=int, help="of a step: sounds, seconds of speech, tokens or pictures (by TASK)")
    own.add_argument("--rate", type=float, help="highest learning rate (0.0005; of a wide encoder 0.00005)")
    own.add_argument("--seed", type=int, help="of what is held apart and of the batches (0)")
    return parser


@dataclass(frozen=True)
class _Job:
    """One fine-tuning to do."""

    build: Callable[[], FineTuning[Any]]
    """Only when its turn comes: it may begin with what the one before has learnt."""
    folder: Path
    until: int | None = None


def _of_packs(options: argparse.Namespace, out: Path) -> list[_Job]:
    """A bundled model's."""
    model = bundled_model(options.task)
    data = default_data_folder(options.data)
    train, valid = model.examples(data, "train"), model.examples(data, "valid")
    folders = model.folders(out)
    starts = [options.start or model.card.parent or "", *folders]
    return [
        _Job(partial(sitting.tuning, Start(start), sitting.plan, train, valid), folder, sitting.until)
        for sitting, start, folder in zip(model.sittings, starts, folders, strict=False)
    ]


def _of_own_data(options: argparse.Namespace, out: Path) -> FineRun:
    """A kind of task's."""
    if options.data is None:
        raise ValueError(f"{options.task} needs --data, a folder or table: {OWN_TASKS[options.task].formats}")
    names = ("task", "data", "start", "steps", "batch", "rate")
    wishes = FineWishes(**{name: getattr(options, name) for name in names}, seed=options.seed or 0, out=out)
    return prepare(wishes, _say)


def _say(line: str) -> None:
    print(line, flush=True)


def _do(job: _Job, minutes: float) -> bool:
    """Do a fine-tuning; whether it was brought to its end."""
    tuning = job.build()
    steps, last = job.until or tuning.plan.steps, 0
    for report in learn(tuning, job.folder, minutes=minutes, until=job.until):
        last = report.step
        _say(
            f"step {last}/{steps}  loss {report.loss:.4f}  rate {report.learning_rate:.1e}  "
            f"norm {report.gradient_norm:.2f}  valid {report.score:.4f}  best {report.best:.4f}  "
            f"{report.seconds / 60:.1f} min"
        )
    if is_stopped := 0 < last < steps:
        _say(f"stopped after step {last:,} of {steps:,}; {STOPPED}")
    return not is_stopped


def main(arguments: list[str] | None = None) -> None:
    """Command line: exits with 2 when something is wrong beforehand, with 1 when training fails."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    out: Path = options.out or Path("runs") / options.task
    try:
        if options.task in NAMES and any(
            getattr(options, name) is not None for name in ("steps", "batch", "rate", "seed")
        ):
            raise ValueError(f"--steps, --batch, --rate and --seed are for your own data; {options.task} has a plan")
        own = _of_own_data(options, out) if options.task in OWN_TASKS else None
        jobs = _of_packs(options, out) if own is None else [_Job(lambda: own.tuning, out)]
    except (ValueError, CheckpointError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    try:
        all(_do(job, options.minutes) for job in jobs)  # until one is stopped
    except (FloatingPointError, AudioError, ImageError, OSError) as error:  # the last three: a file went away
        parser.exit(1, f"{parser.prog}: {error}\n")
    except KeyboardInterrupt:
        parser.exit(130, f"\n{parser.prog}: stopped; {STOPPED}\n")
    if own is not None:
        own.task.finish(own.tuning, out)
        _say(own.task.how_to_use(out))


if __name__ == "__main__":
    main()
