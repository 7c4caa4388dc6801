"""Pack a finished pre-training run as a bundled encoder: `python -m recipes.backbones.bundle audio --data DATA`.

Writes student, teacher and predictor in half precision, the processor's files, the learning curve, the health of what
was written, and the card with its main numbers, to `assets/models/NAME`. The card's other facts are those of
`recipes.backbones.NAME`.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import tempfile
from pathlib import Path
from typing import Any

import torch

from data2vec_core.checkpoints.bundled import BUNDLED_FOLDER
from data2vec_core.checkpoints.card import MODALITIES, PRETRAINING, Card, Metric
from data2vec_core.checkpoints.files import CARD_FILE, LOG_FILE
from data2vec_core.checkpoints.sharing import share_student
from data2vec_core.pretraining.start import load_pretraining
from data2vec_core.processing.any import load_processor
from recipes.backbones.begin import BACKBONES
from recipes.bundle import check_sizes, put_in_place
from recipes.health.measure import BY_STEP_FILE, measure
from recipes.health.report import HEALTH_FILE, MEASURE_NAMES, MEASURES, Health, Measure, Scored, Source
from recipes.packs import add_data_option
from recipes.run_log import read_lines, thinned, write_lines

LOG_LINES = 200
"""Of the learning curve that is kept."""


def bundle_backbone(run: Path, card: Card, data: Path, folder: Path, *, earlier: Path | None = None) -> Card:
    """Write the folder of a bundled encoder, whole or not at all.

    Args:
        run: of `pretrain`: student, teacher, method and predictor, `log.jsonl`, for text the tokenizer's files.
        card: what is known of the model beside its numbers; its task has to be `pretraining`.
        data: folder of the packs, for measuring.
        folder: made when it does not exist.
        earlier: of the first run, when `run` went on from it: its learning curve comes before.

    Returns:
        the card as written.

    Raises:
        ValueError: the card is of another task, or a weight file is larger than a bundled file may be.
        CheckpointError: the run lacks a file.
    """
    if not card.is_encoder:
        raise ValueError(f"card.task={card.task!r}: an encoder without a head has {PRETRAINING!r}")
    model, log = load_pretraining(run), read_lines(run / LOG_FILE)
    by_step = read_lines(run / BY_STEP_FILE) if (run / BY_STEP_FILE).is_file() else []
    if earlier is not None:
        log = joined(read_lines(earlier / LOG_FILE), log)
        by_step = read_lines(earlier / BY_STEP_FILE) + by_step
    with tempfile.TemporaryDirectory() as temporary:
        staged = Path(temporary)
        model.save_pretrained(staged, dtype=torch.float16)
        share_student(staged)
        check_sizes(staged)
        load_processor(run).save_pretrained(staged)
        write_lines(staged / LOG_FILE, thinned(log, LOG_LINES))
        write_lines(staged / BY_STEP_FILE, by_step)
        health = measure(staged, data)
        health.save(staged / HEALTH_FILE)
        card = dataclasses.replace(
            card,
            metrics=metrics(health),
            minutes=round(log[-1]["seconds"] / 60, 1),
            date=datetime.date.today().isoformat(),
            parameters=model.student.num_parameters(),
            extra={**card.extra, "steps": log[-1]["step"], "health": HEALTH_FILE},
        )
        card.save(staged)
        put_in_place(staged, folder)
    return card


def joined(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The log of a run and that of the one that went on from it, steps and seconds counted over both."""
    last = first[-1]
    return first + [
        line | {"step": last["step"] + line["step"], "seconds": last["seconds"] + line["seconds"]} for line in second
    ]


def metrics(health: Health, split: Scored = "test") -> tuple[Metric, ...]:
    """The scores of each source's layer that does best on valid: student and probe first."""
    return tuple(
        Metric(metric_name(answers.question, measure, source), answers.best(source, measure).of(measure)[split], split)
        for source in health.answers[0].scores
        for measure in reversed(MEASURES)
        for answers in health.answers
    )


def metric_name(question: str, measure: Measure, source: Source) -> str:
    """As the card names it: `speaker, linear probe of the teacher`."""
    of = {
        "student": "the student",
        "teacher": "the teacher",
        "untrained": "an untrained network",
        "raw": "raw features",
    }
    return f"{question}, {MEASURE_NAMES[measure]} of {of[source]}"


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.backbones.bundle", description=__doc__)
    parser.add_argument("name", choices=MODALITIES)
    parser.add_argument("--run", type=Path, help="folder of the run (runs/NAME)")
    add_data_option(parser)
    parser.add_argument("--after", type=Path, help="folder of the first run, when this is the second")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    card = BACKBONES[options.name].card
    run, folder = options.run or Path("runs") / options.name, BUNDLED_FOLDER / options.name
    bundle_backbone(run, card, options.data, folder, earlier=options.after)
    print((folder / CARD_FILE).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
