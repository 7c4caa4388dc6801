"""Draw the golden figures anew, after a change of their look that is meant: `python -m tests.golden.draw [NAME ...]`.

Look at each before it is kept.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

from analysis.figures.files import save_figure
from analysis.figures.plate import Plate
from tests.figure_samples import SAMPLES

FOLDER = Path(__file__).parent / "figures"
DPI = 45
COLOURS = 128


def drawn(figure: Plate) -> Image.Image:
    """In small, on white."""
    with Image.open(io.BytesIO(save_figure(figure, "png", dpi=DPI))) as image:
        ground = Image.new("RGBA", image.size, "white")
        ground.alpha_composite(image.convert("RGBA"))
    return ground.convert("RGB")


def main(names: list[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in names or list(SAMPLES):
        few = drawn(SAMPLES[name]()).quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(sys.argv[1:])
