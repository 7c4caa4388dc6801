"""Train one of the bundled models: `python -m recipes.train an4 --data DATA --out runs/an4`."""

from __future__ import annotations

import argparse
import importlib
import math
from pathlib import Path

import torch

from recipes.packs import add_data_option
from recipes.training import Recipe, train

RECIPES = {
    "an4": "recipes.an4:An4",
    "commands": "recipes.commands:Commands",
    "sst2": "recipes.sst2:Sst2",
    "objects": "recipes.objects:Objects",
    "pets3": "recipes.pets3:Pets3",
}
"""Recipe name -> module and class."""


def load_recipe(name: str, data: Path, *, parent: str | None = None) -> Recipe:
    """The recipe of a bundled model, with its data read.

    Args:
        parent: the checkpoint to start from, instead of the recipe's own.

    Raises:
        ValueError: a parent for a recipe that starts from scratch.
    """
    module, class_name = RECIPES[name].split(":")
    recipe_class = getattr(importlib.import_module(module), class_name)
    if parent is not None and recipe_class.card.parent is None:
        raise ValueError(f"{name} starts from scratch: it takes no parent")
    recipe: Recipe = recipe_class(data) if parent is None else recipe_class(data, parent)
    return recipe


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.train", description=__doc__)
    parser.add_argument("name", choices=RECIPES)
    add_data_option(parser)
    parser.add_argument("--out", type=Path, help="folder of the run; an earlier run there goes on (runs/NAME)")
    parser.add_argument("--parent", help="checkpoint to start from (the recipe's own)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop, resumably, after so long")
    parser.add_argument("--threads", type=int, help="processor threads (all)")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    recipe = load_recipe(options.name, options.data, parent=options.parent)
    for report in train(recipe, options.out or Path("runs") / options.name, minutes=options.minutes):
        print(
            f"step {report.step}/{recipe.plan.steps}  loss {report.loss:.4f}  rate {report.rate:.1e}  "
            f"norm {report.gradient_norm:.2f}  valid {report.score:.4f}  best {report.best:.4f}  "
            f"{report.minutes:.1f} min",
            flush=True,
        )


if __name__ == "__main__":
    main()
