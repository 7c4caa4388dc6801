"""Writing checkpoints: whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from data2vec_core.checkpoints.files import REST, WEIGHTS_FILE, replacing


def write_tensors(
    folder: Path,
    tensors: Mapping[str, Tensor],
    *,
    dtype: torch.dtype | None = None,
    name: str = WEIGHTS_FILE,
    rest: str | None = None,
) -> None:
    """Write tensors to a safetensors file.

    Args:
        folder: an existing folder.
        dtype: number format of the floating-point tensors in the file; None keeps theirs.
        rest: the file beside it that holds the tensors which this one leaves out; see `reading.rest_of`.
    """
    ready = {
        key: tensor.detach().to("cpu", dtype if tensor.is_floating_point() else None).contiguous()
        for key, tensor in tensors.items()
    }
    with replacing(folder / name) as temporary:
        metadata = {"format": "pt"}  # the tag that the transformers library asks for
        save_file(ready, temporary, metadata=metadata if rest is None else {**metadata, REST: rest})


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write the state of a training run: tensors, numbers and containers, for `torch.load(..., weights_only=True)`."""
    with replacing(path) as temporary:
        torch.save(dict(state), temporary)
