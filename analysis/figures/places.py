"""Attention and masks drawn on what was read: patches of a photo, frames of a clip, tokens of a text.

What is masked always has the same look: stripes over grey.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from analysis.attention import most_of_the_mass
from analysis.figures.heat import colour_bar, magnitudes, scale
from analysis.figures.palette import NEUTRAL, STUDENT, TEACHER, hexadecimal
from analysis.figures.plate import SMALL, TEXT, Plate, drawable, dress, plate
from analysis.figures.statement import NOTHING_ELSE, Statement, alternative
from analysis.figures.style import INK

FRAME = 0.02
"""Seconds from one frame of speech to the next."""
SHARE = 0.6
"""Of the attention, in the smallest set of patches that is outlined."""
MASKED: dict[str, Any] = {"facecolor": (*(channel / 255 for channel in NEUTRAL), 0.45), "hatch": "////", "lw": 0}
"""How whatever is masked looks, in every figure."""
_MASKED_INK = (0.25, 0.25, 0.25, 0.9)
_LONGEST_SIDE = 640
"""Pixels of a photo in a figure."""
_ROLES = {"student": STUDENT, "teacher": TEACHER}


def attention_on_photo(
    photo: Image.Image,
    weights: NDArray[Any],
    *,
    query: tuple[int, int] | None = None,
    share: float = SHARE,
    limits: tuple[float, float] | None = None,
    statement: Statement = NOTHING_ELSE,
) -> Plate:
    """One query's attention over the patches of a photo, in its own proportions.

    Patches keep sharp borders (nearest neighbour); colours follow the root of the weight. The smallest set of patches
    with `share` of the weight is outlined, the query has a ringed cross.

    Args:
        photo: upright, RGB.
        weights: (rows, columns) of its patches, not negative.
        query: row and column of the patch that looks; None: the class token or a mean.
        share: above 0, at most 1.
        limits: of the colours, for figures that are to be compared; by default from 0 to the largest weight.
        statement: what is known besides.

    Raises:
        ValueError: weights that are not (rows, columns), or a query that is not there.
    """
    if weights.ndim != 2 or not weights.size:
        raise ValueError(f"weights: expected (rows, columns) of patches, got {weights.shape}")
    rows, columns = weights.shape
    if query is not None and not (0 <= query[0] < rows and 0 <= query[1] < columns):
        raise ValueError(f"query={query}: there are {rows} rows and {columns} columns, numbered from 0")
    limits = (0.0, float(weights.max())) if limits is None else limits
    made, axes = _photo_axes(photo, (rows, columns))
    grey = np.asarray(_fitted(photo).convert("L")) * 0.7 + 30
    axes.imshow(grey, cmap="gray", vmin=0, vmax=255, extent=(0, columns, rows, 0), aspect="auto")
    image = axes.imshow(
        weights,
        cmap=magnitudes(),
        norm=scale(limits, root=True),
        extent=(0, columns, rows, 0),
        interpolation="nearest",
        aspect="auto",
        alpha=0.55,
    )
    is_chosen = most_of_the_mass(weights.ravel(), share).reshape(rows, columns)
    edges = _outline(is_chosen)
    axes.add_collection(LineCollection(edges, colors="black", linewidths=3, capstyle="round"))
    axes.add_collection(LineCollection(edges, colors="white", linewidths=1.4, capstyle="round"))
    if query is not None:
        at = (query[1] + 0.5, query[0] + 0.5)
        for colour, width in (("black", 4.0), ("white", 1.8)):
            axes.plot(*at, "o", ms=11, mfc="none", mec=colour, mew=width)
            axes.plot(*at, "+", ms=7, mec=colour, mew=width)
    colour_bar(made, image, axes, "weight (root scale)")
    more = {**statement.more, "mass": f"{share:.0%} in {int(is_chosen.sum())} / {weights.size}"}
    stated = dataclasses.replace(statement, n=weights.size, limits=limits, more=more)
    alt = alternative(
        "attention_on_photo",
        chosen=int(is_chosen.sum()),
        places=weights.size,
        share=share,
        largest=float(weights.max()),
    )
    where = np.indices(weights.shape).reshape(2, -1) + 1
    table = {
        "row": where[0],
        "column": where[1],
        "weight": weights.ravel(),
        f"in the {share:.0%}": is_chosen.ravel(),
    }
    return made.tell("attention_on_photo", stated, alt, {"weights": weights, "is_chosen": is_chosen}, table)


def attention_on_spectrogram(
    spectrogram: NDArray[Any],
    weights: NDArray[Any],
    *,
    seconds: float,
    query: int | None = None,
    frame: float = FRAME,
    path: Sequence[tuple[float, str]] = (),
    limits: tuple[float, float] | None = None,
    statement: Statement = NOTHING_ELSE,
) -> Plate:
    """One query's attention over the frames of a clip, above its spectrogram.

    Args:
        spectrogram: (mel bands, columns) in dB, the lowest band first.
        weights: (frames,) not negative.
        seconds: length of the clip.
        query: frame that looks, which is marked.
        frame: seconds from one frame to the next.
        path: seconds and letter of each token of a CTC path, printed on top.
        limits: of the weights' axis; by default from 0 to the largest.
        statement: its `role` gives the colour.

    Raises:
        ValueError: no such shapes, or a query that is not there.
    """
    if spectrogram.ndim != 2 or weights.ndim != 1 or not len(weights):
        raise ValueError(f"expected (bands, columns) and (frames,), got {spectrogram.shape} and {weights.shape}")
    if query is not None and not 0 <= query < len(weights):
        raise ValueError(f"query={query}: there are {len(weights)} frames, numbered from 0")
    limits = (0.0, float(weights.max()) or 1.0) if limits is None else limits
    made = plate(7.0, 3.1)
    upper, lower = made.subplots(2, 1, sharex=True, height_ratios=(1, 1.5))
    dress(upper, grid=True)
    dress(lower)
    starts = np.arange(len(weights)) * frame
    colour = hexadecimal(_ROLES.get(statement.role, STUDENT))
    upper.stairs(weights, np.append(starts, starts[-1] + frame), fill=True, color=colour, alpha=0.8)
    upper.set(ylim=(limits[0], limits[1] * 1.05), ylabel="weight")
    shown = lower.imshow(
        spectrogram, origin="lower", aspect="auto", cmap="gray", extent=(0, seconds, 0, len(spectrogram))
    )
    lower.set(xlabel="time (s)", ylabel="mel band", xlim=(0, seconds))
    for axes in (upper, lower) if query is not None else ():
        axes.axvspan(starts[query or 0], starts[query or 0] + frame, color=INK, alpha=0.35, lw=0)
        axes.axvline(starts[query or 0] + frame / 2, color="#d55e00", lw=1.2)
    for at, letter in path:
        upper.text(
            at, 1.03, drawable(letter), transform=upper.get_xaxis_transform(), color=INK, fontsize=TEXT, ha="center",
            parse_math=False,
        )  # fmt: skip
    colour_bar(made, shown, lower, "dB")
    best = int(weights.argmax())
    stated = dataclasses.replace(statement, n=len(weights), limits=limits)
    alt = alternative("attention_on_spectrogram", largest=float(weights[best]), seconds=best * frame)
    table = {"seconds": starts, "weight": weights}
    arrays = {"weights": weights, "spectrogram": spectrogram}
    return made.tell("attention_on_spectrogram", stated, alt, arrays, table)


def masked_waveform(
    samples: NDArray[Any],
    rate: int,
    is_masked: NDArray[np.bool_],
    *,
    frame: float = FRAME,
    statement: Statement = NOTHING_ELSE,
) -> Plate:
    """A clip with the masked frames striped.

    Args:
        samples: (samples,)
        rate: samples in a second.
        is_masked: (frames,)
        frame: seconds from one to the next.
        statement: with the `seed` of the mask.
    """
    made = plate(7.0, 1.9)
    axes = dress(made.subplots())
    seconds = len(samples) / rate
    columns = max(1, min(1400, len(samples)))
    edges = np.linspace(0, len(samples), columns + 1).astype(int)[:-1]
    low, high = np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)
    axes.fill_between(edges / rate, low, high, color=hexadecimal(STUDENT), lw=0.6)
    for first, end in _runs(is_masked):
        axes.axvspan(first * frame, end * frame, edgecolor=_MASKED_INK, **MASKED)
    axes.set(xlabel="time (s)", xlim=(0, seconds), yticks=[])
    largest = float(np.abs(samples).max()) or 1.0
    axes.set_ylim(-1.05 * largest, 1.05 * largest)
    starts = np.arange(len(is_masked)) * frame
    return _masked(made, is_masked, statement, {"seconds": starts, "is_masked": is_masked})


def masked_tokens(
    tokens: Sequence[str],
    is_masked: NDArray[np.bool_],
    *,
    shown: Sequence[str] | None = None,
    statement: Statement = NOTHING_ELSE,
) -> Plate:
    """A text, token by token, the masked ones striped; below each what the student read in its place, where that is
    neither the token nor the mask's own sign.

    Args:
        tokens: of the whole text.
        is_masked: (tokens,)
        shown: what the student read.
        statement: with the `seed` of the mask.

    Raises:
        ValueError: lengths that differ.
    """
    if len(tokens) != len(is_masked) or (shown is not None and len(shown) != len(tokens)):
        raise ValueError("tokens, is_masked and shown: expected one of each for every position")
    widest, gap, height = 64.0, 0.6, 2.6
    across, line, boxes = 0.0, 0, []
    for token in tokens:
        width = max(1.8, 0.95 * len(drawable(token)) + 0.8)
        if across + width > widest and across:
            across, line = 0.0, line + 1
        boxes.append((across, line * height, width))
        across += width + gap
    made = plate(7.0, 0.42 * (line + 1) + 0.55)
    axes = dress(made.subplots())
    for token, (left, top, width), masked, read in zip(tokens, boxes, is_masked, shown or tokens, strict=True):
        look = MASKED | {"edgecolor": _MASKED_INK} if masked else {"fc": "none", "ec": INK, "lw": 0.6, "alpha": 0.6}
        axes.add_patch(Rectangle((left, top), width, 1.5, **look))
        middle = (left + width / 2, top + 0.78)
        label = axes.text(
            *middle, drawable(token), ha="center", va="center", fontsize=TEXT, color=INK, parse_math=False
        )
        if masked:
            label.set_bbox({"facecolor": "white", "alpha": 0.85, "lw": 0, "pad": 0.6})
            label.set_color("#333333")
        if masked and read not in (token, "<mask>"):
            below: dict[str, Any] = {
                "ha": "center",
                "va": "center",
                "fontsize": SMALL - 1,
                "color": hexadecimal(STUDENT),
            }
            axes.text(middle[0], top + 2.02, drawable(read), parse_math=False, **below)
    axes.set(xlim=(-0.5, widest + 1), ylim=((line + 1) * height, -0.4), xticks=[], yticks=[])
    table = {"token": list(tokens), "is_masked": is_masked} | ({} if shown is None else {"shown": list(shown)})
    return _masked(made, is_masked, statement, table)


def masked_patches(photo: Image.Image, is_masked: NDArray[np.bool_], *, statement: Statement = NOTHING_ELSE) -> Plate:
    """A photo with the masked patches striped.

    Args:
        photo: upright, RGB.
        is_masked: (rows, columns) of its patches.
        statement: with the `seed` of the mask.

    Raises:
        ValueError: not (rows, columns).
    """
    if is_masked.ndim != 2:
        raise ValueError(f"is_masked: expected (rows, columns) of patches, got {is_masked.shape}")
    rows, columns = is_masked.shape
    made, axes = _photo_axes(photo, (rows, columns))
    axes.imshow(np.asarray(_fitted(photo).convert("RGB")), extent=(0, columns, rows, 0), aspect="auto")
    for row in range(rows):
        for first, end in _runs(is_masked[row]):
            look = MASKED | {"facecolor": (0.75, 0.75, 0.75, 0.93), "edgecolor": _MASKED_INK}
            axes.add_patch(Rectangle((first, row), end - first, 1, **look))
    where = np.indices(is_masked.shape).reshape(2, -1) + 1
    table = {"row": where[0], "column": where[1], "is_masked": is_masked.ravel()}
    return _masked(made, is_masked, statement, table)


def _masked(made: Plate, is_masked: NDArray[np.bool_], statement: Statement, table: dict[str, Any]) -> Plate:
    count, places = int(is_masked.sum()), is_masked.size
    more = {**statement.more, "masked": f"{count} / {places}, {count / places:.0%}"}
    stated = dataclasses.replace(statement, n=places, more=more)
    alt = alternative("masked_input", masked=count, places=places, share=count / places)
    return made.tell("masked_input", stated, alt, {"is_masked": is_masked}, table)


def _photo_axes(photo: Image.Image, grid: tuple[int, int]) -> tuple[Plate, Axes]:
    """A panel of the photo's own proportions, in units of patches."""
    longest = 4.2
    width, height = (longest * side / max(photo.size) for side in photo.size)
    made = plate(width + 0.9, height + 0.55)
    axes = dress(made.subplots())
    axes.set(xticks=[], yticks=[], xlim=(0, grid[1]), ylim=(grid[0], 0))
    axes.set_box_aspect(photo.height / photo.width)
    return made, axes


def _fitted(photo: Image.Image) -> Image.Image:
    small = photo.copy()
    small.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    return small


def _runs(is_in: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and one after the last position of each run."""
    changes = np.flatnonzero(np.diff(np.concatenate([[False], is_in, [False]]).astype(int)))
    return [(int(first), int(end)) for first, end in changes.reshape(-1, 2)]


def _outline(is_in: NDArray[np.bool_]) -> list[list[tuple[float, float]]]:
    """Sides of cells between those that are in and those that are not, as lines from corner to corner."""
    padded = np.pad(is_in, 1)
    across = np.argwhere(padded[1:, 1:-1] != padded[:-1, 1:-1])
    down = np.argwhere(padded[1:-1, 1:] != padded[1:-1, :-1])
    lines: list[list[tuple[float, float]]] = [[(column, row), (column + 1, row)] for row, column in across.tolist()]
    return lines + [[(column, row), (column, row + 1)] for row, column in down.tolist()]
