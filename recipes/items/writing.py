"""Writing a set of items: many sounds in one file, and a manifest that a person can read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analysis.items.manifest import MANIFEST_FILE, RATE, Origin
from data2vec_core.checkpoints.files import replacing

GAP: Final = RATE * 30 // 1000
"""Samples of silence between two pieces, so that lossy coding does not smear one into the next."""
_PEAK: Final = 0.7
_QUIET: Final = 0.01  # of the peak: what counts as silence at the ends
_MARGIN: Final = RATE * 40 // 1000
_COMPRESSION: Final = 0.9
"""Of the encoder, from 0 to 1: about 30 kbit/s."""


def trim(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without silence at the ends, but for a few hundredths of a second, and as loud as all others.

    Raises:
        ValueError: there is nothing but silence.
    """
    peak = float(np.abs(samples).max(initial=0))
    if not peak:
        raise ValueError("samples: nothing but silence")
    loud = np.flatnonzero(np.abs(samples) > _QUIET * peak)
    return samples[max(0, loud[0] - _MARGIN) : loud[-1] + _MARGIN] * np.float32(_PEAK / peak)


def write_recording(path: Path, pieces: Iterable[NDArray[np.float32]]) -> list[tuple[int, int]]:
    """Write pieces (samples,) at 16 kHz one after another as Ogg Vorbis; (start, number of samples) of each.

    Raises:
        ValueError: the file does not decode to as many samples as were written.
    """
    import soundfile

    spans: list[tuple[int, int]] = []
    start = 0
    form: dict[str, Any] = {"format": "OGG", "subtype": "VORBIS", "compression_level": _COMPRESSION}
    with replacing(path) as temporary:
        with soundfile.SoundFile(temporary, "w", RATE, channels=1, **form) as recording:
            for piece in pieces:  # libsndfile crashes on minutes of sound in one call
                spans.append((start, len(piece)))
                recording.write(np.concatenate([piece, np.zeros(GAP, np.float32)]))
                start += len(piece) + GAP
        if (frames := soundfile.info(temporary).frames) != start:
            raise ValueError(f"{path}: wrote {start} samples, it decodes to {frames}")
    return spans


def write_manifest(folder: Path, files: Sequence[Origin], values: Mapping[str, Any]) -> None:
    """Write the manifest of the set in `folder`, a line for each element of its lists."""
    fields = {**values, "files": [asdict(origin) for origin in files]}
    with replacing(folder / MANIFEST_FILE) as temporary:
        temporary.write_text("{\n" + ",\n".join(_field(*field) for field in fields.items()) + "\n}\n", encoding="utf-8")


def _field(name: str, value: Any) -> str:
    if not isinstance(value, (list, tuple)):
        return f" {_json(name)}: {_json(value)}"
    return f" {_json(name)}: [\n" + ",\n".join(f"  {_json(element)}" for element in value) + "\n ]"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def clear(folder: Path, keep: Iterable[str]) -> None:
    """Make `folder` if need be, and remove the files of an earlier set that this one lacks."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in _strangers(folder, {*keep, MANIFEST_FILE}):
        path.unlink()


def _strangers(folder: Path, keep: set[str]) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if path.is_file() and path.name not in keep)
