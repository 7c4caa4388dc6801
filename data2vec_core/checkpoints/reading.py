"""Reading tensors from the files of one folder, in the layouts that the transformers library writes.

Weights come as one safetensors file, as several with an index, as the older `pytorch_model.bin` in the same two forms,
or as the old `tf_model.h5`. Nothing read here can run code: safetensors and HDF5 hold none, and torch files are
unpickled with `weights_only`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from data2vec_core.checkpoints.errors import CheckpointError, first_few
from data2vec_core.checkpoints.files import (
    REST,
    WEIGHT_FILES,
    WEIGHTS_FILE,
    describe_content,
    first_line,
    is_index,
    read_json,
)
from data2vec_core.checkpoints.keras_h5 import read_keras_h5


def read_weights(folder: Path) -> dict[str, Tensor]:
    """All tensors of a checkpoint folder by the names in its files, on the CPU.

    Raises:
        CheckpointError: no weights, or a file that is missing, cut off, or not what its name says.
    """
    for name in WEIGHT_FILES:
        if (path := folder / name).is_file():
            return read_shards(path) if is_index(name) else read_tensor_file(path)
    raise CheckpointError(f"{folder} holds no weights: expected one of {', '.join(WEIGHT_FILES)}")


def read_shards(index: Path) -> dict[str, Tensor]:
    """The tensors of all files that an index lists."""
    tensors: dict[str, Tensor] = {}
    for name in shard_names(index):
        path = index.parent / name
        if not path.is_file():
            raise CheckpointError(f"{path} is missing, though {index.name} lists it: copy or download it again")
        tensors |= read_tensor_file(path)
    if missing := read_json(index)["weight_map"].keys() - tensors.keys():
        raise CheckpointError(f"{index} promises tensors that its files lack: {first_few(sorted(missing))}")
    return tensors


def shard_names(index: Path) -> list[str]:
    """The file names in a shard index, each once.

    An index may come from anywhere, so a name that is more than a plain file name beside the index is refused.
    """
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{index} is not a shard index: it has no 'weight_map'")
    names = sorted({str(name) for name in weight_map.values()})
    for name in names:
        if Path(name).name != name or "\\" in name or Path(name).suffix not in (".safetensors", ".bin"):
            raise CheckpointError(f"{index} names {name!r}, which is not a weight file beside it; refusing to open it")
    return names


def read_tensor_file(path: Path) -> dict[str, Tensor]:
    """All tensors of one safetensors, torch or HDF5 file, and those that it leaves to another one beside it."""
    readers: dict[str, Callable[[Path], dict[str, Tensor]]] = {".safetensors": load_file, ".h5": read_keras_h5}
    with _faults_explained(path):
        tensors = readers.get(path.suffix, _read_torch_file)(path)
    rest = rest_of(path)
    return tensors if rest is None else read_tensor_file(path.parent / rest) | tensors


def rest_of(path: Path) -> str | None:
    """The name of the file beside a tensor file that holds what this one leaves out: a teacher's does where the student
    has the same.

    A file may come from anywhere, so any name but that of the student's file is refused, and so is its own.

    Raises:
        CheckpointError: the file cannot be read, or names what may not be opened.
    """
    if path.suffix != ".safetensors":
        return None
    with _faults_explained(path), safe_open(path, "pt") as file:
        name: str | None = (file.metadata() or {}).get(REST)
    if name is not None and (name != WEIGHTS_FILE or name == path.name):
        raise CheckpointError(
            f"{path} leaves tensors to {name!r}, which may only be {WEIGHTS_FILE}; refusing to open it"
        )
    return name


@contextmanager
def _faults_explained(path: Path) -> Iterator[None]:
    """Let what is wrong with a tensor file arrive as a `CheckpointError`."""
    try:
        yield
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read ({describe_content(path)}): {first_line(error)}") from error


def _read_torch_file(path: Path) -> dict[str, Tensor]:
    try:
        # Mapping the file instead of reading it halves the memory; only the zip layout can be mapped.
        values = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # a damaged pickle can end in any exception at all
        raise CheckpointError(f"{path} cannot be read ({describe_content(path)}): {first_line(error)}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} holds a {type(values).__name__}, expected tensors by name")
    if others := [str(name) for name, value in values.items() if not isinstance(value, Tensor)]:
        raise CheckpointError(
            f"{path} holds more than tensors: {first_few(others)}. A training checkpoint of fairseq or BEiT is "
            "converted with `python -m data2vec_core.checkpoints.convert`"
        )
    return values
