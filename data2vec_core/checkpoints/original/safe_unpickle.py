"""Reading a training checkpoint that holds more than tensors, without running any of it.

A pickle may call whatever it can import. Here it can import the functions that rebuild tensors and plain containers;
settings objects (`argparse.Namespace`, omegaconf, the enumerations of fairseq) become inert records of what was stored;
any other name ends the reading.
"""

from __future__ import annotations

import collections
import pickle
import tarfile
import types
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Self

import torch
from torch._utils import _rebuild_parameter, _rebuild_tensor, _rebuild_tensor_v2

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.files import describe_content, first_line

#: What a pickle may import and call.
_ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch", "Size"): torch.Size,
    ("torch", "device"): torch.device,
    ("torch.serialization", "_get_layout"): str,
    ("torch.storage", "UntypedStorage"): torch.UntypedStorage,
    ("torch", "FloatStorage"): torch.FloatStorage,
    **{
        ("builtins", kind.__name__): kind
        for kind in (dict, list, set, frozenset, tuple, int, float, bool, complex, str, bytes, bytearray, slice)
    },
    **{("torch", name): value for name, value in vars(torch).items() if isinstance(value, torch.dtype)},
}

#: Packages whose objects are read as records: settings, metrics and random states beside the weights.
_RECORDED = ("argparse", "omegaconf", "fairseq", "hydra", "typing", "enum", "numpy", "pathlib")
_RECORDED_NAMES = {
    ("collections", "defaultdict"),
    ("collections", "Counter"),
    ("copyreg", "_reconstructor"),
    ("_codecs", "encode"),
    ("builtins", "object"),
}

#: Torch writes pickles of protocol 2, which name some modules as Python 2 did.
_PYTHON_2_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}


class Record:
    """What a pickle stored of an object that is not rebuilt: it holds, and does nothing."""

    origin = ""
    """`module.Name` of the object's class."""

    arguments: tuple[Any, ...]
    fields: dict[Any, Any]
    items: list[Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:  # pickles may leave `__init__` out
        record = super().__new__(cls)
        record.arguments = args
        record.fields = kwargs
        record.items = []
        return record

    def __setstate__(self, state: Any) -> None:
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, Mapping):
                self.fields.update(part)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.fields[key] = value

    def append(self, item: Any) -> None:
        """As a list would; pickles fill their containers so."""
        self.items.append(item)

    def extend(self, items: list[Any]) -> None:
        """As a list would."""
        self.items.extend(items)


def load_training_file(path: Path) -> dict[str, Any]:
    """The content of a training checkpoint: tensors, plain containers, and records of everything else.

    Raises:
        CheckpointError: the file is damaged, or holds something that would have to be imported.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}")
    if tarfile.is_tarfile(path):
        raise CheckpointError(f"{path} is in the tar layout of torch before 0.2, which is not read here")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("constants.pkl") for name in archive.namelist()):
                raise CheckpointError(f"{path} is a TorchScript program, not a checkpoint")
    reader: Any = types.SimpleNamespace(__name__=__name__, Unpickler=_Unpickler, load=_load)
    try:
        content = torch.load(path, map_location="cpu", pickle_module=reader, weights_only=False)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except Exception as error:  # a damaged pickle can end in any exception at all
        raise CheckpointError(f"{path} cannot be read ({describe_content(path)}): {first_line(error)}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, expected a training checkpoint (a dict)")
    return content


def settings(value: Any) -> Any:
    """Settings as plain dicts, lists and values, whichever way they were stored."""
    if isinstance(value, Record):
        fields = value.fields
        if "_content" in fields:  # of omegaconf's DictConfig and ListConfig
            return settings(fields["_content"])
        if "_val" in fields:  # of omegaconf's value nodes
            return settings(fields["_val"])
        if fields:
            return {str(name): settings(field) for name, field in fields.items()}
        return settings(value.arguments[0]) if len(value.arguments) == 1 else None  # an enumeration's value
    if isinstance(value, Mapping):
        return {str(name): settings(field) for name, field in value.items()}
    if isinstance(value, list | tuple):
        return [settings(item) for item in value]
    return value


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        module = _PYTHON_2_MODULES.get(module, module)
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        if module.split(".")[0] in _RECORDED or (module, name) in _RECORDED_NAMES:
            return type(name.rpartition(".")[2] or "Record", (Record,), {"origin": f"{module}.{name}"})
        raise CheckpointError(f"refused, because reading it would import {module}.{name}; nothing of it was run")


def _load(file: BinaryIO, **options: Any) -> Any:
    return _Unpickler(file, **options).load()
