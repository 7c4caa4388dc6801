"""Recordings of a training run for its replay: what was looked at, moment by moment, in one small file.

A recording is `NAME.npz`, arrays of numpy without pickled objects:

* `about`: UTF-8 bytes of a JSON object: the fields of `About`;
* `steps` int32, and in float32 `tau`, `loss`, `target_spread`, `prediction_spread`, `explained` (moments,),
  `effective_rank`, `knn` (moments, 2), `cka` (moments, layers), `distance` (moments, blocks);
* `labels` uint8 (items,), numbers into `about.classes`;
* `positions` float16 (moments, items, 2);
* `attention` uint8 (moments, heads, queries, keys) and `attention_peak` float32 (moments, heads, queries): the
  probability is code / 255 of its row's largest.

So a position is off by less than 1 / 2048 of itself, a probability by at most 1 / 510 of the largest of its row.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from data2vec_core.checkpoints.bundled import BUNDLED_FOLDER
from data2vec_core.checkpoints.files import replacing

RECORDINGS_FOLDER = BUNDLED_FOLDER.parent / "recordings"
SUFFIX = ".npz"
ROLES = ("student", "teacher")
"""Order of the two where a measure has both."""
_LEVELS = 255

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class About:
    """What was trained and recorded, and where it comes from."""

    title: str
    description: str
    """What this way of training changes, and what became of it."""
    trained_on: str
    licence: str
    model: str
    """The student in a line."""
    method: dict[str, Any]
    """Every setting of the method, as a checkpoint's `method.json` has them."""
    settings: dict[str, Any]
    """Of the run: steps, pictures of a step, peak learning rate, seed."""
    layer: int
    """Block that `effective_rank`, `knn`, `positions` and `attention` look at, counted from 1."""
    classes: tuple[str, ...]
    """Of the fixed items."""
    knn_items: int
    """Pictures whose class the neighbours are asked for."""
    knn_chance: float
    """Share of the most frequent class among them: what guessing reaches."""
    attention_input: str
    """Picture that `attention` is on: a path inside assets."""
    grid: tuple[int, int]
    """Rows and columns of its patches."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A training run at some moments. Arrays are float32 unless said otherwise; NaN: undefined."""

    about: About
    steps: NDArray[np.int32]
    """(moments,) updates of the student so far; the first is 0."""
    tau: Floats
    """(moments,) how much of itself the teacher kept at the last update."""
    loss: Floats
    """(moments,) on fixed pictures under fixed masks, in eval mode. Not comparable between runs of other targets."""
    target_spread: Floats
    """(moments,) standard deviation of the targets over masked patches of those, mean over channels."""
    prediction_spread: Floats
    """(moments,) the same of the predictions."""
    effective_rank: Floats
    """(moments, roles) of the vectors of the fixed items, their mean not taken off; see `analysis.geometry`."""
    knn: Floats
    """(moments, roles) accuracy 0 to 1 of the nearest neighbours, each picture by the others."""
    cka: Floats
    """(moments, layers) debiased, student against teacher on the fixed items; layer 0 is the input of the first
    block."""
    distance: Floats
    """(moments, blocks) of the weights, student to teacher, as a share of the student's."""
    labels: NDArray[np.uint8]
    """(items,) class of every fixed item."""
    positions: Floats
    """(moments, items, 2) of the student's vectors in their principal plane, each turned to the moment before; never
    scaled, so that what collapses draws together."""
    explained: Floats
    """(moments,) share of the variance that the plane shows."""
    attention: Floats
    """(moments, heads, queries, keys) of the student on the whole picture; position 0 is the class token, then patches
    row by row. Rows sum to 1 but for rounding."""

    def __post_init__(self) -> None:
        moments, items = len(self.steps), len(self.labels)
        for name in _PER_MOMENT:
            if len(getattr(self, name)) != moments:
                raise ValueError(f"Recording.{name}: expected {moments} moments like steps")
        for name in ("effective_rank", "knn"):
            if getattr(self, name).shape != (moments, len(ROLES)):
                raise ValueError(f"Recording.{name}: expected (moments, {len(ROLES)}), one of {', '.join(ROLES)} each")
        if self.positions.shape != (moments, items, 2):
            raise ValueError(f"Recording.positions: expected {(moments, items, 2)}, got {self.positions.shape}")
        places = 1 + self.about.grid[0] * self.about.grid[1]
        if self.attention.ndim != 4 or self.attention.shape[2:] != (places, places):
            raise ValueError(f"Recording.attention: expected (moments, heads, {places}, {places}) of the grid")

    def save(self, path: str | Path) -> None:
        """Write a file, `.npz`; the same recording gives the same bytes."""
        peaks = self.attention.max(axis=-1, keepdims=True)
        arrays: dict[str, NDArray[Any]] = {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "about"
        }
        arrays["about"] = np.frombuffer(json.dumps(dataclasses.asdict(self.about)).encode(), dtype=np.uint8)
        arrays["positions"] = self.positions.astype(np.float16)
        arrays["attention"] = np.rint(_LEVELS * self.attention / peaks).astype(np.uint8)
        arrays["attention_peak"] = peaks[..., 0]
        with replacing(Path(path)) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


_PER_MOMENT = tuple(
    field.name for field in dataclasses.fields(Recording) if field.name not in ("about", "steps", "labels")
)


def load_recording(source: str | Path) -> Recording:
    """Read a recording.

    Args:
        source: name of a bundled one, or a file.

    Raises:
        ValueError: there is none of that name, or the file is no recording.
    """
    path = Path(source)
    if path.suffix != SUFFIX:
        path = RECORDINGS_FOLDER / f"{source}{SUFFIX}"
    if not path.is_file():
        raise ValueError(f"no recording {str(source)!r}; there are {', '.join(bundled_recordings()) or 'none'}")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = json.loads(arrays.pop("about").tobytes().decode())
        peaks = arrays.pop("attention_peak")
        arrays["positions"] = arrays["positions"].astype(np.float32)
        arrays["attention"] = arrays["attention"].astype(np.float32) * (peaks[..., None] / np.float32(_LEVELS))
        tuples = {name: tuple(about[name]) for name, kind in get_type_hints(About).items() if "tuple" in str(kind)}
        return Recording(about=About(**(about | tuples)), **arrays)
    except (KeyError, TypeError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no recording: {error}") from error


def bundled_recordings(folder: Path = RECORDINGS_FOLDER) -> list[str]:
    """Names of the recordings that come with the project; empty when it is installed without its assets."""
    return sorted(path.stem for path in folder.glob(f"*{SUFFIX}"))
