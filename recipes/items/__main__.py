"""Make the items for the inside views: `python -m recipes.items things photographs prompts`, and, whenever a bundled
model has changed, `python -m recipes.items vectors --data DATA`.

The first three need Debian packages (fonts-noto-color-emoji, espeak-ng, ffmpeg, asterisk-core-sounds-en-g722,
lomiri-wallpapers-16.04, lomiri-wallpapers-20.04) and scikit-image; what is missing is named.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Final

from data2vec_core.checkpoints.errors import CheckpointError
from recipes.items.photographs import make_photographs
from recipes.items.prompts import make_prompts
from recipes.items.things import make_things
from recipes.items.vectors import MOST, make_vectors
from recipes.packs import add_data_option

_MAKERS: Final[dict[str, Callable[[], None]]] = {
    "things": make_things,
    "photographs": make_photographs,
    "prompts": make_prompts,
}


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.items", description=__doc__)
    parser.add_argument("sets", nargs="+", choices=(*_MAKERS, "vectors"), metavar="SET")
    parser.add_argument("--most", type=int, default=MOST, help=f"items of a pack that get vectors ({MOST})")
    add_data_option(parser)
    options = parser.parse_args(arguments)
    try:
        for name in options.sets:
            if name == "vectors":
                for said in make_vectors(options.data, most=options.most):
                    print(said, flush=True)
            else:
                _MAKERS[name]()
                print(f"{name}: made")
    except (ValueError, CheckpointError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
