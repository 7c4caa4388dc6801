"""A map of classes drawn over the photo it belongs to, alone in its colours, or kept as ids.

Maps are (height, width) class ids from 0 to 255 at the photo's size. A class is drawn the same in every picture, for
its colour and its hatch depend on its id alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from analysis.figures.palette import WHITE, Colour, Hatch, PaletteName, categorical, contrasting, hatch_of
from data2vec_core.processing.image_io import load_image

BACKGROUND_NAMES = frozenset({"background", "_background_", "void", "unlabeled", "unlabelled"})
NO_HATCHES: Mapping[int, Hatch | None] = MappingProxyType({})

_FADED = 0.65
"""How far the photo around an isolated class goes towards even grey."""


def class_colours(labels: Mapping[int, str], palette: PaletteName = "okabe-ito") -> dict[int, Colour | None]:
    """One colour a class; None for a background, which keeps the photo's own colours.

    Args:
        labels: names by class id; those of one photo are enough.
        palette: what to take the colours from. Classes beyond its length have colours of earlier ones under a hatch.
    """
    colours = categorical(max(labels, default=-1) + 1, palette)
    return {i: None if label.lower() in BACKGROUND_NAMES else colours[i] for i, label in labels.items()}


def class_hatches(ids: Iterable[int], palette: PaletteName = "okabe-ito") -> dict[int, Hatch | None]:
    """What is drawn over the colour that `class_colours` gives each class; None where the colour is the class's own."""
    return {i: hatch_of(i, palette) for i in ids}


def compose(
    image: Image.Image,
    mask: NDArray[np.integer],
    colours: Mapping[int, Colour | None],
    opacity: float = 0.5,
    outline: int | None = None,
    *,
    hatches: Mapping[int, Hatch | None] = NO_HATCHES,
    contours_only: bool = False,
    only: int | None = None,
) -> Image.Image:
    """Tint every class's region and draw a line along its border, or the line alone.

    A line lies inside its region, from the border's first pixel on, so that two neighbours show a line each and the
    border between. Drawn alone, it is double: the class's colour outside, and inside whichever of black and white
    stands out from it by 4.5 : 1 or more, so that it is seen on any ground.

    Args:
        image: of any mode, made upright and RGB as `load_image` does.
        mask: (height, width) class ids, at the upright image's size.
        colours: by class id; ids that are absent or None stay as they are.
        opacity: of the tint, 0 to 1. Lines are always opaque.
        outline: width of the line in pixels; by default a 250th of the longer side, at least 1; 0 for none. The second
            line is half as wide.
        hatches: by class id, drawn over the colour of its region, or of its line where that is drawn alone.
        contours_only: draw lines alone.
        only: id of the one class to draw. The rest of the photo fades to grey, so that a class without a colour, such
            as a background, can be looked at too.

    Returns:
        An RGB image of the same size.

    Raises:
        ValueError: sizes that differ, ids outside 0 to 255, an opacity outside 0 to 1, or a negative width.
    """
    photo, ids = load_image(image, max_pixels=image.width * image.height), _as_bytes(mask)
    if photo.size != ids.shape[::-1]:
        raise ValueError(f"mask has to be at the image's size {photo.size[::-1]}, got {ids.shape}")
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity has to lie between 0 and 1, got {opacity}")
    width = _unit(ids) if outline is None else outline
    if width < 0:
        raise ValueError(f"outline has to be 0 or more pixels, got {outline}")
    if only is not None:
        colours = {only: colours.get(only)}
        photo.paste(_faded(photo), mask=_stencil(ids != only))

    tint, line = _painted(ids, colours, hatches), _near_border(ids, width)
    if contours_only:
        tint.paste(_coloured(ids, _inks(colours)), mask=_stencil(~line))
        line = _near_border(ids, width + (width + 1) // 2)
    elif hatches:
        tint.paste(_coloured(ids, colours), mask=_stencil(line))
    is_drawn = _is_any(ids, {class_id for class_id, colour in colours.items() if colour is not None})
    strength = is_drawn * np.uint8(0 if contours_only else round(255 * opacity))
    strength[is_drawn & line] = 255
    return Image.composite(tint, photo, Image.fromarray(strength))


def colour_image(
    mask: NDArray[np.integer], colours: Mapping[int, Colour | None], hatches: Mapping[int, Hatch | None] = NO_HATCHES
) -> Image.Image:
    """The classes' colours alone, as an RGB image of the map's size; ids without a colour are white.

    Raises:
        ValueError: ids outside 0 to 255.
    """
    return _painted(_as_bytes(mask), colours, hatches)


def id_image(mask: NDArray[np.integer], colours: Mapping[int, Colour | None] | None = None) -> Image.Image:
    """The class ids as an image of one byte a pixel, which PNG keeps without loss.

    Args:
        mask: (height, width) class ids.
        colours: by class id. With them the ids are indices of a palette, and a viewer shows colours; without, grey.

    Raises:
        ValueError: ids outside 0 to 255.
    """
    ids = _as_bytes(mask)
    return Image.fromarray(ids) if colours is None else _indexed(ids, colours)


def _as_bytes(mask: NDArray[np.integer]) -> NDArray[np.uint8]:
    if mask.ndim != 2 or not mask.size or mask.min() < 0 or mask.max() > 255:
        raise ValueError(f"mask has to be (height, width) class ids from 0 to 255, got {mask.dtype} {mask.shape}")
    return np.ascontiguousarray(mask, dtype=np.uint8)


def _unit(ids: NDArray[np.uint8]) -> int:
    """Width of a line in pixels that is seen at any size of the picture."""
    return max(1, round(max(ids.shape) / 250))


def _painted(
    ids: NDArray[np.uint8], colours: Mapping[int, Colour | None], hatches: Mapping[int, Hatch | None]
) -> Image.Image:
    """RGB: every class's colour and, over it, its hatch in black or white."""
    painted = _coloured(ids, colours)
    inks = _coloured(ids, _inks(colours))
    for hatch in sorted({hatch for hatch in hatches.values() if hatch is not None}):
        is_under = _is_any(ids, {class_id for class_id, own in hatches.items() if own == hatch})
        is_inked = is_under & _pattern(hatch, ids.shape, _unit(ids))
        painted.paste(inks, mask=_stencil(is_inked))
    return painted


def _coloured(ids: NDArray[np.uint8], colours: Mapping[int, Colour | None]) -> Image.Image:
    """RGB: the colour of every pixel's class, white where it has none."""
    return _indexed(ids, colours).convert("RGB")


def _indexed(ids: NDArray[np.uint8], colours: Mapping[int, Colour | None]) -> Image.Image:
    image = Image.fromarray(ids)
    image.putpalette([channel for class_id in range(256) for channel in colours.get(class_id) or WHITE])
    return image


def _is_any(ids: NDArray[np.uint8], classes: Set[int]) -> NDArray[np.bool_]:
    """(height, width): True where a pixel is of one of the classes. PIL's table is lighter than numpy's."""
    return np.asarray(Image.fromarray(ids).point([class_id in classes for class_id in range(256)])).view(bool)


def _inks(colours: Mapping[int, Colour | None]) -> dict[int, Colour | None]:
    """What stands out from each colour."""
    return {class_id: None if colour is None else contrasting(colour) for class_id, colour in colours.items()}


def _faded(photo: Image.Image) -> Image.Image:
    grey = photo.convert("L").point([round(level + _FADED * (128 - level)) for level in range(256)])
    return grey.convert("RGB")


def _stencil(is_marked: NDArray[np.bool_]) -> Image.Image:
    return Image.fromarray(is_marked)


def _pattern(hatch: Hatch, shape: tuple[int, ...], unit: int) -> NDArray[np.bool_]:
    """(height, width): True where a hatch has ink, in lines of `unit` pixels, six units apart."""
    period = 6 * unit
    rows, columns = np.ogrid[:period, :period]
    rising, falling = (rows + columns) % period < unit, (rows - columns) % period < unit
    tiles: dict[Hatch, NDArray[np.bool_]] = {
        "/": rising,
        "\\": falling,
        "-": rows < unit,
        "|": columns < unit,
        "x": rising | falling,
        "+": (rows < unit) | (columns < unit),
        ".": (rows < 2 * unit) & (columns < 2 * unit),
    }
    tile = np.broadcast_to(tiles[hatch], (period, period))
    return tile[np.arange(shape[0])[:, None] % period, np.arange(shape[1]) % period]


def _near_border(ids: NDArray[np.uint8], width: int) -> NDArray[np.bool_]:
    """(height, width): True within `width` pixels of another class, along rows, columns or both."""
    near = np.zeros(ids.shape, dtype=bool)
    if not width:
        return near
    below, right = ids[1:] != ids[:-1], ids[:, 1:] != ids[:, :-1]
    near[1:] |= below
    near[:-1] |= below
    near[:, 1:] |= right
    near[:, :-1] |= right
    reach = 0
    while reach < width - 1:  # a square of radius r moved by up to 2 r + 1 leaves no gap
        step = min(2 * reach + 1, width - 1 - reach)
        for _ in range(2):  # down and up, then, on its side, right and left
            wider = near.copy(order="K")
            wider[step:] |= near[:-step]
            wider[:-step] |= near[step:]
            near = wider.T
        reach += step
    return near
