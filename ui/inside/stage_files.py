"""What the stage shows, as files: a table of the masked positions, the arrays behind it, and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from ui.inside.selection import Looked
from ui.views.stage import FIGURES, FORMATS
from ui.views.stage_data import NEAREST, Asked, tokens_read
from ui.words import say

if TYPE_CHECKING:
    from analysis.figures.plate import Plate
    from analysis.figures.statement import Statement
    from analysis.masked_prediction import MaskedPrediction, Target

_TENSORS: Final = {"hidden": "block output", "feed_forward": "feed-forward"}


def stage_file(looked: Looked, found: MaskedPrediction, asked: Asked, wanted: str) -> str:
    """Path of a file.

    Args:
        wanted: `csv`, `npz`, or a figure and its format, such as `errors.svg`.

    Raises:
        ValueError: there is no such file.
    """
    from analysis.figures.files import save_figure, to_csv, to_npz

    target = found.target(asked.k, asked.tensor)
    figure, _, ending = wanted.rpartition(".")
    if wanted == "csv":
        return _saved(to_csv(columns(looked, found, target)), "masked_prediction.csv")
    if wanted == "npz":
        return _saved(to_npz(arrays(found, target), stated(looked, found, asked, target)), "masked_prediction.npz")
    if figure not in FIGURES or ending not in FORMATS:
        raise ValueError(say("stage.no_file"))
    plate = stage_plate(figure, looked, found, asked)
    return _saved(save_figure(plate, ending, title=say("stage.tab")), f"stage_{figure}.{ending}")  # type: ignore[arg-type]


def columns(looked: Looked, found: MaskedPrediction, target: Target) -> dict[str, Any]:
    """A row for every masked position."""
    errors, nearest = found.compare(target, NEAREST)
    labels = np.array(looked.shown.labels, dtype=object)
    read: dict[str, Any] = {}
    if found.shown_ids is not None:
        read = {"read": np.array(tokens_read(looked, found), dtype=object)[found.positions]}
    return {
        "position": found.positions,
        "place": labels[found.positions],
        **read,
        "error": errors.error,
        "cosine": errors.cosine,
        "rank": errors.rank,
        "nearest": nearest[:, 0],
        "nearest_place": labels[nearest[:, 0]],
    }


def arrays(found: MaskedPrediction, target: Target) -> dict[str, Any]:
    """Targets and predictions as vectors, with the mask and the measures."""
    errors = found.errors(target)
    return {
        "targets": target.vectors,
        "predictions": found.predicted(target),
        "is_masked": found.is_masked,
        "positions": found.positions,
        "error": errors.error,
        "cosine": errors.cosine,
        "rank": errors.rank,
        "chance": np.array(errors.chance),
    }


def stated(looked: Looked, found: MaskedPrediction, asked: Asked, target: Target) -> Statement:
    """What it was made from."""
    from analysis.figures.statement import Statement

    depth, k = looked.subject.depth, target.rule.top_layers
    return Statement(
        model=looked.selection.model,
        role="student, teacher" if looked.subject.has_teacher else "student",
        tensor=_TENSORS[target.rule.tensor],
        layers=tuple(range(depth - k + 1, depth + 1)),
        items=looked.selection.example,
        n=len(found.positions),
        p=(looked.subject.dim,),
        seed=None if asked.masked else asked.seed,
        more={"K": k, "masked": f"{len(found.positions)} / {len(looked.shown)}"},
    )


def stage_plate(figure: str, looked: Looked, found: MaskedPrediction, asked: Asked) -> Plate:
    """One of `FIGURES`."""
    from PIL import Image

    from analysis.figures import places, stage

    target = found.target(asked.k, asked.tensor)
    shown, statement = looked.shown, stated(looked, found, asked, target)
    seconds = [place * shown.step for place in range(len(shown))] if shown.modality == "audio" else None
    unit = "s" if seconds else ""
    if figure == "errors":
        errors = found.errors(target)
        return stage.masked_errors(
            errors, found.is_masked, grid=shown.grid, places=seconds, unit=unit, statement=statement
        )
    if figure == "target":
        labels = [f"{second:.2f}" for second in seconds] if seconds else list(shown.labels) if not shown.grid else []
        return stage.target_tiles(
            target,
            looked.subject.depth,
            grid=shown.grid,
            predictions=found.predicted(target),
            is_masked=found.is_masked,
            labels=labels,
            unit=unit,
            statement=statement,
        )
    if shown.waveform is not None:
        return places.masked_waveform(
            shown.waveform, shown.rate, found.is_masked, frame=shown.step, statement=statement
        )
    if shown.picture is not None and shown.grid is not None:
        return places.masked_patches(
            Image.fromarray(shown.picture), found.is_masked.reshape(shown.grid), statement=statement
        )
    return places.masked_tokens(
        list(shown.labels), found.is_masked, shown=tokens_read(looked, found), statement=statement
    )


def _saved(content: bytes, name: str) -> str:
    return save_bytes_to_cache(content, name, get_upload_folder())
