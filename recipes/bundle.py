"""Pack a finished fine-tuning as a bundled model: `python -m recipes.bundle an4 --run runs/an4 --data DATA`.

Writes the weights in half precision without those that the encoder it started from has too, the processors' files, how
scores are to be read, and the card with the scores on test and valid, to `assets/models/NAME`.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import shutil
import tempfile
from pathlib import Path

import torch

from data2vec_core.checkpoints.bundled import BUNDLED_FOLDER
from data2vec_core.checkpoints.card import Card
from data2vec_core.checkpoints.files import CARD_FILE, LOG_FILE, STATE_FILE, WEIGHTS_FILE
from data2vec_core.checkpoints.sharing import share_backbone
from data2vec_core.tasks.registry import task_of
from recipes.bundled import NAMES, bundled_model
from recipes.bundled.foreign import KNOWN, UNSEEN, Kinds, foreign_inputs
from recipes.bundled.model import BundledModel
from recipes.confidence import choose_confidence, load_classifier
from recipes.evaluate import measure
from recipes.finetuning.examples import few_of
from recipes.packs import Split, add_data_option
from recipes.run_log import read_lines

LARGEST_FILE = 10_000_000
"""Bytes; more would need large-file storage on a model host."""
OWN_ITEMS = 400
"""Of the train split, to learn what is familiar."""


def bundle(model: BundledModel, run: Path, data: Path, folder: Path) -> Card:
    """Write the folder of a bundled model, whole or not at all.

    Args:
        run: of `recipes.finetune`.
        data: folder of the packs.
        folder: made when it does not exist; files of an earlier model in it go.

    Returns:
        the card as written.

    Raises:
        ValueError: the weights are larger than a bundled file may be.
        CheckpointError: the run lacks a file.
    """
    folders = model.folders(run)
    ends = [read_lines(sitting / LOG_FILE)[-1] for sitting in folders]
    run = folders[-1]
    with tempfile.TemporaryDirectory() as temporary:
        staged = Path(temporary)
        for file in run.iterdir():  # the configuration, and what the processors have written
            if file.is_file() and file.name not in (STATE_FILE, LOG_FILE, WEIGHTS_FILE):
                shutil.copy(file, staged)
        network = task_of(run).model_class.from_pretrained(run)
        network.save_pretrained(staged, dtype=torch.float16)
        card = dataclasses.replace(
            model.card,
            minutes=round(sum(end["seconds"] for end in ends) / 60, 1),
            date=datetime.date.today().isoformat(),
            parameters=network.num_parameters(),
            extra={**model.card.extra, "steps": sum(end["step"] for end in ends)},
        )
        card.save(staged)
        if card.parent and share_backbone(staged, card.parent):
            card = Card.load(staged)
        check_sizes(staged)
        model.finish(staged, data)
        if card.name in KNOWN:
            add_confidence(model, staged, data)
        metrics = (*measure(model, staged, data, "test"), *measure(model, staged, data, "valid"))
        card = dataclasses.replace(card, metrics=metrics)
        card.save(staged)
        shutil.rmtree(folder, ignore_errors=True)
        put_in_place(staged, folder)
    return card


def add_confidence(model: BundledModel, folder: Path, data: Path) -> None:
    """Choose on valid how a classifier's scores are to be read, and write it into its folder."""
    task = load_classifier(folder)
    name, modality, labels = model.card.name, model.card.modality, task.model.config.labels
    train, valid = model.examples(data, "train"), model.examples(data, "valid")
    some = few_of(train, OWN_ITEMS / len(train), stratum=model.stratum)

    def foreign(split: Split) -> Kinds:
        kinds = foreign_inputs(name, modality, data, split)
        return {kind: items for kind, items in kinds.items() if kind not in UNSEEN}

    choose_confidence(
        task,
        [example.content for example in some],
        [example.content for example in valid],
        [labels.index(example.target) for example in valid],
        foreign("train"),
        foreign("valid"),
    ).save(folder)


def check_sizes(staged: Path) -> None:
    """Look at the weight files of a folder that is to be bundled.

    Raises:
        ValueError: one is larger than a bundled file may be.
    """
    for file in sorted(staged.glob("*.safetensors")):
        if (size := file.stat().st_size) > LARGEST_FILE:
            raise ValueError(f"{file.name} has {size:,} bytes; a bundled file may have {LARGEST_FILE:,}")


def put_in_place(staged: Path, folder: Path) -> None:
    """Move all files of a folder that is whole into that of the bundled model, which is made when it does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(staged.iterdir(), key=lambda file: file.name == CARD_FILE):  # the card last: it vouches
        shutil.move(file, folder / file.name)


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.bundle", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--run", type=Path, help="folder of the run (runs/NAME)")
    add_data_option(parser)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    folder = BUNDLED_FOLDER / options.name
    bundle(bundled_model(options.name), options.run or Path("runs") / options.name, options.data, folder)
    print((folder / CARD_FILE).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
