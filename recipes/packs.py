"""Reading the data packs: long recordings cut by a manifest, zips of pictures, lines of labelled text.

The packs and their fields are described in the data folder's own README; none of them is part of this project.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data2vec_core.processing.samples import MODEL_RATE

Split = Literal["train", "valid", "test"]
DATA_VARIABLE = "DATA2VEC_DATA"
"""Environment variable that names the folder of the packs."""


@dataclass(frozen=True)
class Clip:
    """A piece of sound and its manifest record."""

    samples: NDArray[np.float32]
    """(samples,) at 16 kHz, within -1 and 1."""
    record: dict[str, Any]


@dataclass(frozen=True)
class Picture:
    """A picture and its manifest record."""

    image: Image.Image
    """RGB."""
    labels: NDArray[np.uint8] | None
    """(height, width) class ids of a segmentation pack."""
    record: dict[str, Any]


def data_folder(path: str | Path) -> Path:
    """The folder of the packs.

    Raises:
        ValueError: it is not there; the message says how to name it.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise ValueError(f"no data folder at {folder}: give it with --data, or set {DATA_VARIABLE}")
    return folder


def default_data_folder(path: str | Path | None = None) -> Path:
    """The folder of the packs where a command names none: that of the environment, or `data`.

    Raises:
        ValueError: it is not there.
    """
    return data_folder(path or os.environ.get(DATA_VARIABLE, "data"))


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """Let a command take `--data`; a folder that is not there ends it with a sentence."""

    def folder(path: str) -> Path:
        try:
            return data_folder(path)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    parser.add_argument(
        "--data",
        type=folder,
        default=os.environ.get(DATA_VARIABLE, "data"),  # argparse converts a default that is text, too
        help=f"folder of the data packs (${DATA_VARIABLE}, or data)",
    )


def read_records(folder: Path, pack: str, split: Split) -> list[dict[str, Any]]:
    """Manifest records of one split of an audio or text pack, in file order."""
    with gzip.open(folder / f"{pack}.jsonl.gz", "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    return [record for record in records if record["split"] == split]


def read_clips(folder: Path, pack: str, split: Split) -> list[Clip]:
    """All clips of one split of an audio pack; each file is decoded once."""
    import soundfile

    clips: list[Clip] = []
    recordings: dict[str, NDArray[np.float32]] = {}
    for record in read_records(folder, pack, split):
        if record["file"] not in recordings:
            samples, rate = soundfile.read(folder / record["file"], dtype="float32")
            if rate != MODEL_RATE or samples.ndim != 1:
                raise ValueError(f"{record['file']}: expected mono at {MODEL_RATE} Hz, got {rate} Hz")
            recordings[record["file"]] = samples.clip(-1, 1)  # lossy coding overshoots a little
        start = record["start"]
        clips.append(Clip(recordings[record["file"]][start : start + record["num_samples"]], record))
    return clips


def read_pictures(folder: Path, pack: str, split: Split) -> Iterator[Picture]:
    """Pictures of one split of an image pack, in manifest order."""
    with zipfile.ZipFile(folder / f"{pack}.zip") as archive:
        for line in archive.read("manifest.jsonl").decode().splitlines():
            record = json.loads(line)
            if record["split"] != split:
                continue
            is_segmentation = "image" in record
            image = _open(archive, record["image" if is_segmentation else "file"]).convert("RGB")
            labels = np.asarray(_open(archive, record["label"])) if is_segmentation else None
            yield Picture(image, labels, record)


def _open(archive: zipfile.ZipFile, name: str) -> Image.Image:
    image = Image.open(io.BytesIO(archive.read(name)))
    image.load()
    return image
