"""What the vision recipes share: pictures as one tensor, and augmentation of whole batches at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

#: The bundled vision encoder. With relative biases alone, which start at zero, few pictures teach it colours but not
#: shapes (49 % on valid after 55 rounds of `objects`); absolute positions mend that.
SMALL_ENCODER: dict[str, Any] = {
    "hidden_size": 128,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "intermediate_size": 512,
    "image_size": 64,
    "patch_size": 8,
    "use_absolute_position_embeddings": True,
    "use_relative_position_bias": True,
    "layer_norm_eps": 1e-6,
    "layer_scale_init_value": 1.0,
    "drop_path_rate": 0.05,
}


Size = int | tuple[int, int]
"""(height, width) in pixels, or the side of a square."""


def as_pair(size: Size) -> tuple[int, int]:
    """(height, width)"""
    return (size, size) if isinstance(size, int) else size


def as_tensor(images: Sequence[Image.Image], size: Size) -> Tensor:
    """Pictures squeezed to one size: uint8 (pictures, 3, height, width), by the filter that inference uses."""
    height, width = as_pair(size)
    arrays = [np.asarray(image.resize((width, height), Image.Resampling.BICUBIC)) for image in images]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)


def normalise(pixels: Tensor) -> Tensor:
    """uint8 or 0-255 numbers to about -1 to 1, as the image processor does."""
    return pixels.float() / 127.5 - 1


def random_views(
    count: int, generator: torch.Generator, *, smallest: float, aspect: float, turn: float = 0.0
) -> Tensor:
    """Random crops, mirrored half of the time, as affine maps for `take_views`: (count, 2, 3).

    Args:
        smallest: side of the smallest crop, as a share of the picture.
        aspect: largest change of the sides' ratio.
        turn: largest rotation in radians.
    """

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    size, ratio, angle = uniform(smallest, 1.0), uniform(-1, 1).mul(np.log(aspect)).exp().sqrt(), uniform(-turn, turn)
    width, height = (size * ratio).clamp(max=1), (size / ratio).clamp(max=1)
    mirror = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    x, y = uniform(-1, 1) * (1 - width), uniform(-1, 1) * (1 - height)
    top = torch.stack([width * mirror * angle.cos(), -height * angle.sin(), x], dim=-1)
    bottom = torch.stack([width * mirror * angle.sin(), height * angle.cos(), y], dim=-1)
    return torch.stack([top, bottom], dim=1)


def take_views(pixels: Tensor, views: Tensor, size: Size, mode: str = "bilinear") -> Tensor:
    """Sample crops, what lies outside mirrored: (batch, channels, height, width) numbers -> the same of `size`."""
    grid = F.affine_grid(views, [len(pixels), 1, *as_pair(size)], align_corners=False)
    return F.grid_sample(pixels, grid, mode=mode, padding_mode="reflection", align_corners=False)


def jitter(pixels: Tensor, generator: torch.Generator, strength: float = 0.4) -> Tensor:
    """Random brightness, contrast and saturation of normalised pictures (batch, 3, height, width)."""
    return change_colours(pixels, random_colours(len(pixels), generator, strength))


def random_colours(count: int, generator: torch.Generator, strength: float = 0.4) -> Tensor:
    """Random brightness, contrast and saturation for `change_colours`: (count, 3) factors around 1."""
    return 1 + strength * (2 * torch.rand(3, count, generator=generator).T - 1)


def change_colours(pixels: Tensor, factors: Tensor) -> Tensor:
    """Change normalised pictures (batch, 3, height, width) by factors (batch, 3)."""
    brightness, contrast, saturation = factors.T[..., None, None, None]  # each (batch, 1, 1, 1)
    pixels = (pixels + 1) * brightness - 1
    mean = pixels.mean(dim=(1, 2, 3), keepdim=True)
    pixels = (pixels - mean) * contrast + mean
    grey = pixels.mean(dim=1, keepdim=True)
    return ((pixels - grey) * saturation + grey).clamp(-1, 1)


def cut_and_mix(pixels: Tensor, generator: torch.Generator) -> tuple[Tensor, float]:
    """Put a rectangle of each picture's counterpart, the batch in reverse order, into it (CutMix, arXiv 1905.04899).

    Args:
        pixels: (batch, channels, height, width).

    Returns:
        the pictures, and the share of their area that is the counterpart's.
    """
    height, width = pixels.shape[-2:]
    side = torch.rand((), generator=generator).sqrt().item()
    rows, columns = int(height * side), int(width * side)
    top = int(torch.randint(height - rows + 1, (), generator=generator))
    left = int(torch.randint(width - columns + 1, (), generator=generator))
    mixed = pixels.clone()
    window = (..., slice(top, top + rows), slice(left, left + columns))
    mixed[window] = pixels.flip(0)[window]
    return mixed, rows * columns / (height * width)


def gradient_histograms(pixels: Tensor, cell: int, bins: int = 9) -> Tensor:
    """Histograms of oriented gradients (Dalal and Triggs, CVPR 2005): where edges run, without colour.

    Args:
        pixels: (batch, 3, height, width).
        cell: side of a square cell in pixels; every patch of twice that side gets the histograms of its four cells.
        bins: directions from 0 to 180 degrees.

    Returns:
        (batch, patches, 4 * bins): of every patch, divided by its length, rows of patches first.
    """
    grey = F.pad(pixels.mean(dim=1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    across = grey[..., 1:-1, 2:] - grey[..., 1:-1, :-2]  # (batch, 1, height, width)
    down = grey[..., 2:, 1:-1] - grey[..., :-2, 1:-1]
    direction = torch.atan2(down, across) / torch.pi * bins  # a turn by 180 degrees is one round of bins
    lower = direction.floor()
    share = direction - lower
    strength = across.hypot(down)
    votes = pixels.new_zeros(len(pixels), bins, *pixels.shape[-2:])
    votes.scatter_add_(1, lower.long() % bins, strength * (1 - share))
    votes.scatter_add_(1, (lower.long() + 1) % bins, strength * share)
    cells = F.avg_pool2d(votes, cell)  # (batch, bins, rows of cells, columns of cells)
    patches = F.pixel_unshuffle(cells, 2).flatten(2).transpose(1, 2)  # (batch, patches, 4 * bins)
    return patches / (patches.norm(dim=-1, keepdim=True) + 0.02)
