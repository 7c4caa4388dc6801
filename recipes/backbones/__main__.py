"""Teach one of the three bundled encoders from the packs: `python -m recipes.backbones audio --data DATA`.

A run that was stopped goes on from its last checkpoint; `recipes.backbones.bundle` packs what it has come to.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch

from data2vec_core.checkpoints.card import MODALITIES
from data2vec_core.checkpoints.files import STATE_FILE
from data2vec_core.pretraining.distributed import World
from data2vec_core.pretraining.loop import pretrain
from data2vec_core.pretraining.progress import with_progress_bar
from recipes.backbones.begin import BACKBONES, begin
from recipes.devices import choose_device
from recipes.health.measure import measure_quickly, note_step
from recipes.packs import add_data_option


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.backbones", description=__doc__)
    parser.add_argument("modality", choices=MODALITIES)
    add_data_option(parser)
    parser.add_argument("--out", type=Path, help="folder of the run; an earlier run there goes on (runs/MODALITY)")
    parser.add_argument(
        "--from",
        dest="earlier",
        metavar="CHECKPOINT",
        help="do the second run, from the student and teacher that the first left there",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop, resumably, after so long")
    parser.add_argument("--threads", type=int, help="processor threads (all)")
    parser.add_argument("--probe-every", type=int, default=0, help="steps between looks at the neighbours on valid (0)")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    backbone, run = BACKBONES[options.modality], options.out or Path("runs") / options.modality
    is_resumed = (run / STATE_FILE).is_file()
    beginning = begin(options.modality, options.data, earlier=options.earlier, is_resumed=is_resumed)
    beginning.processor.save_pretrained(run)
    world, plan = World(choose_device(options.device)), backbone.further if options.earlier else backbone.plan
    reports = pretrain(beginning.model, beginning.batches, plan, run, world=world, minutes=options.minutes)
    for report in with_progress_bar(reports, plan.steps):
        if options.probe_every and report.step % options.probe_every == 0:
            note_step(run, measure_quickly(run, options.data), report.step)  # of the last checkpoint


if __name__ == "__main__":
    main()
