"""Pack a finished run as a bundled model: `python -m recipes.bundle an4 --run runs/an4 --data DATA`.

Writes the weights in half precision, the processors' files and the card with the scores on valid and test, to
`assets/models/NAME`.
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
from data2vec_core.checkpoints.card import CARD_FILE
from recipes.evaluate import EVALUATIONS
from recipes.packs import add_data_option
from recipes.run_log import read_lines
from recipes.train import RECIPES, load_recipe
from recipes.training import LOG_FILE, Recipe

LARGEST_FILE = 10_000_000
"""Bytes; more would need large-file storage on a model host."""


def bundle(recipe: Recipe, run: Path, data: Path, folder: Path) -> None:
    """Write the folder of a bundled model.

    Raises:
        ValueError: the weights are larger than a bundled file may be.
    """
    model = recipe.model_class.from_pretrained(run)
    log = read_lines(run / LOG_FILE)
    with tempfile.TemporaryDirectory() as temporary:
        staged = Path(temporary)
        model.save_pretrained(staged, dtype=torch.float16)
        check_sizes(staged)
        for processor in recipe.processors:
            processor.save_pretrained(staged)
        evaluate = EVALUATIONS[recipe.card.name]
        card = dataclasses.replace(
            recipe.card,
            metrics=(*evaluate(staged, data, "test"), *evaluate(staged, data, "valid")),
            minutes=round(log[-1]["minutes"], 1),
            date=datetime.date.today().isoformat(),
            parameters=model.num_parameters(),
            extra={
                "recipe": type(recipe).__module__,
                "steps": log[-1]["step"],
                "plan": dataclasses.asdict(recipe.plan),
            },
        )
        card.save(staged)
        put_in_place(staged, folder)


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
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--run", type=Path, help="folder of the run (runs/NAME)")
    add_data_option(parser)
    options = parser.parse_args(arguments)
    folder = BUNDLED_FOLDER / options.name
    bundle(load_recipe(options.name, options.data), options.run or Path("runs") / options.name, options.data, folder)
    print((folder / CARD_FILE).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
