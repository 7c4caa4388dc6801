"""Which device a command runs on."""

from __future__ import annotations

import torch


def choose_device(text: str, local_rank: int = 0) -> torch.device:
    """`auto` takes a GPU where there is one, of several the one of this process.

    Raises:
        ValueError: a GPU is asked for and there is none.
    """
    has_gpu = torch.cuda.is_available()
    if text == "cuda" and not has_gpu:
        raise ValueError("device=cuda: this machine has no GPU that PyTorch can use")
    return torch.device(f"cuda:{local_rank}" if has_gpu and text != "cpu" else "cpu")
