"""Reading `tf_model.h5`, the weights of the TensorFlow classes of transformers 4.x (data2vec.md 3.5).

The names of its groups are those of the public format of that time, with a few differences; the arrays are in Keras's
order of axes. What comes out is what the PyTorch file of the same model would have held.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.keras_layout import from_keras, torch_name

_OUTER_GROUPS = 2
"""Of every weight: the layer of the model, and the model itself, whose names say nothing."""
_BLOCK = re.compile(r"\blayer_\._(\d+)")
_LATER_AUXILIARY_CONVOLUTION = re.compile(r"\bconv_module_(\d+)")
"""Only the first one has the name that PyTorch knows, `convs.0`; then comes `conv_module_2`."""


def read_keras_h5(path: Path) -> dict[str, Tensor]:
    """All tensors of a file by public name.

    Raises:
        CheckpointError: h5py is not installed, or the file holds something else.
        OSError: it is not an HDF5 file, or is cut off.
    """
    try:
        import h5py
    except ImportError:
        raise CheckpointError(
            f"{path} is read with h5py, which comes with TensorFlow: pip install -r requirements-tensorflow.txt"
        ) from None

    tensors: dict[str, Tensor] = {}

    def take(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            public, keras_name = public_name(name)
            tensors[public] = torch.from_numpy(from_keras(keras_name, _values(path, item)))

    try:
        with h5py.File(path, "r") as file:
            file.visititems(take)  # follows no links, so that nothing outside the file is read
    except (ValueError, KeyError, RuntimeError) as error:
        raise CheckpointError(f"{path} is not the file of a TensorFlow model of transformers: {error}") from error
    return tensors


def public_name(h5_name: str) -> tuple[str, str]:
    """The public name of a weight, and what Keras calls it in its layer.

    Raises:
        ValueError: it is not a weight of such a model.
    """
    parts = h5_name.removesuffix(":0").split("/")[_OUTER_GROUPS:]
    if len(parts) < 2:
        raise ValueError(f"{h5_name!r} is not the name of a weight inside a layer of a model")
    name = ".".join([*parts[:-1], torch_name(parts[-1])])
    name = _BLOCK.sub(r"layer.\1", name)
    return _LATER_AUXILIARY_CONVOLUTION.sub(lambda found: f"convs.{int(found[1]) - 1}", name), parts[-1]


def _values(path: Path, dataset: Any) -> np.ndarray:
    """The numbers of one weight. The library writes them as they are; what promises more of them than the file holds,
    or fetches them from another, is refused before memory is taken for it."""
    is_plain = dataset.dtype.kind == "f" and not dataset.is_virtual and dataset.external is None
    if not is_plain or dataset.id.get_storage_size() < dataset.nbytes:
        raise CheckpointError(f"{path} holds {dataset.name!r}, which is no plain array of numbers; refusing to read it")
    return np.asarray(dataset[()])
