"""Writing checkpoints: whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from data2vec_core.checkpoints.files import WEIGHTS_FILE


def write_tensors(
    folder: Path,
    tensors: Mapping[str, Tensor],
    *,
    dtype: torch.dtype | None = None,
    name: str = WEIGHTS_FILE,
) -> None:
    """Write tensors to a safetensors file, by a temporary name first, so that a reader never meets half a file.

    Args:
        folder: an existing folder.
        dtype: number format of the floating-point tensors in the file; None keeps theirs.
    """
    ready = {
        key: tensor.detach().to("cpu", dtype if tensor.is_floating_point() else None).contiguous()
        for key, tensor in tensors.items()
    }
    temporary = folder / f".{name}.{os.getpid()}"
    try:
        save_file(ready, temporary, metadata={"format": "pt"})  # the tag that the transformers library asks for
        os.replace(temporary, folder / name)
    finally:
        temporary.unlink(missing_ok=True)
