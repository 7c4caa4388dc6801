"""Train one of the bundled models: `python -m recipes.train an4 --data DATA --out runs/an4`."""

from __future__ import annotations

import argparse
import importlib
import math
import os
from pathlib import Path

import torch

from recipes.packs import data_folder
from recipes.training import train

#: Recipe name -> module and class.
RECIPES = {
    "an4": "recipes.an4:An4",
    "commands": "recipes.commands:Commands",
    "sst2": "recipes.sst2:Sst2",
    "objects": "recipes.objects:Objects",
    "pets3": "recipes.pets3:Pets3",
}


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.train", description=__doc__)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--data", default=os.environ.get("DATA2VEC_DATA", "data"), help="folder of the data packs")
    parser.add_argument("--out", type=Path, help="folder of the run; an earlier run there goes on (runs/NAME)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop, resumably, after so long")
    parser.add_argument("--threads", type=int, help="processor threads (all)")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    module, name = RECIPES[options.name].split(":")
    recipe = getattr(importlib.import_module(module), name)(data_folder(options.data))
    for report in train(recipe, options.out or Path("runs") / options.name, minutes=options.minutes):
        print(
            f"step {report.step}/{recipe.plan.steps}  loss {report.loss:.4f}  rate {report.rate:.1e}  "
            f"norm {report.gradient_norm:.2f}  valid {report.score:.4f}  best {report.best:.4f}  "
            f"{report.minutes:.1f} min",
            flush=True,
        )


if __name__ == "__main__":
    main()
