"""A method on disk, and the parts that predict: what a checkpoint of student and teacher needs beside their weights, so
that one can go on asking the student what it expects at masked places."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.files import read_json, write_json
from data2vec_core.pretraining.decoder import ConvDecoder
from data2vec_core.pretraining.masking import BertTokens, FrameSpans, InverseBlocks, Masking, PatchBlocks, TokenSpans
from data2vec_core.pretraining.method import Method
from data2vec_core.pretraining.objective import CollapseAlarm, Objective
from data2vec_core.pretraining.schedule import TeacherDecay
from data2vec_core.pretraining.targets import TargetRule

METHOD_FILE = "method.json"
PREDICTOR_FILE = "predictor.safetensors"
"""Regression head and decoder, by the names that `Data2VecPretraining` has for them."""
PREDICTOR_PARTS = ("head.", "decoder.")

_KIND = "kind"
_MASKINGS: dict[str, type[Masking]] = {
    kind.__name__: kind for kind in (FrameSpans, BertTokens, TokenSpans, PatchBlocks, InverseBlocks)
}
_PARTS: dict[str, type[Any]] = {
    "decay": TeacherDecay,
    "targets": TargetRule,
    "objective": Objective,
    "collapse": CollapseAlarm,
    "decoder": ConvDecoder,
}


def save_method(method: Method, folder: Path) -> None:
    """Write `method.json`; the masking's class stands under `kind`."""
    values = dataclasses.asdict(method)
    values["masking"] = {_KIND: type(method.masking).__name__, **values["masking"]}
    write_json(folder / METHOD_FILE, values)


def load_method(folder: Path) -> Method:
    """Read `method.json`.

    Raises:
        CheckpointError: the file is missing, or says something that is no method.
    """
    values = read_json(folder / METHOD_FILE)
    try:
        return _method(values)
    except (TypeError, ValueError, KeyError) as error:
        raise CheckpointError(f"{folder / METHOD_FILE} is not a method of pre-training: {error}") from None


def _method(values: Mapping[str, Any]) -> Method:
    masking = dict(values["masking"])
    kind = masking.pop(_KIND)
    if kind not in _MASKINGS:
        raise ValueError(f"masking.{_KIND}={kind!r}: expected one of {', '.join(_MASKINGS)}")
    lists_as_tuples = {name: tuple(value) if isinstance(value, list) else value for name, value in masking.items()}
    parts = {name: None if values[name] is None else part(**values[name]) for name, part in _PARTS.items()}
    return Method(**{**values, **parts, "masking": _MASKINGS[kind](**lists_as_tuples)})
