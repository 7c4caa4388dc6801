"""One vector an item from every layer of an encoder: what its real positions have in common.

Padding and special tokens (`<s>`, `</s>`, the class token) do not count. Layer 0 is the input of the first block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from data2vec_core.checkpoints.card import Modality
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.processing.any import load_processor, modality_of
from data2vec_core.trace import Trace

CELLS = 4
"""Rows and columns of the grid that pictures are pooled by."""
_MOST_SAMPLES = 32 * 16_000
"""Of sound in one pass."""
_TEXTS, _PICTURES = 64, 64
"""In one pass."""


@dataclass(frozen=True)
class Pooled:
    """Items as a model represents them, layer by layer."""

    means: NDArray[np.float32]
    """(layers, items, dim) over the positions of each item."""
    deviations: NDArray[np.float32]
    """(layers, items, dim): standard deviation over the positions of each item; 0 of an item with one position."""
    cells: NDArray[np.float32]
    """(layers, items, `CELLS` * `CELLS` * dim): of pictures, the means of the parts of a grid, row by row, for where
    something is matters as it does to pixels; of speech and text empty, (layers, items, 0)."""

    @property
    def vectors(self) -> NDArray[np.float32]:
        """(layers, items, n): what stands for an item. Of pictures the cells, else mean and deviation side by side."""
        return self.cells if self.cells.shape[-1] else np.concatenate([self.means, self.deviations], axis=-1)


def embed(model: PretrainedModel, checkpoint: str | Path, items: Sequence[Any]) -> Pooled:
    """Represent raw items: clips as (samples,) arrays at 16 kHz, texts, or pictures, by the model's modality.

    Clips run alone or with clips of the same length, since padding would leak into real frames (data2vec.md 9.1).

    Args:
        model: in eval mode.
        checkpoint: whose processor prepares the items; see `recipes.encoders`.

    Raises:
        ValueError: no items, or an item that the processor or the model refuses.
    """
    if not len(items):
        raise ValueError("items: expected at least one")
    found: list[Any] = [None] * len(items)
    for batch in _BATCHES[modality_of(checkpoint)](checkpoint, model, items):
        trace = Trace(["hidden"], reduce={"hidden": partial(_parts, batch=batch)})
        with torch.inference_mode():
            model(**batch.inputs, trace=trace)
        of_batch = trace.stack("hidden").numpy()  # (layers, batch, parts, dim)
        for row, index in enumerate(batch.indices):
            found[index] = of_batch[:, row].copy()  # a view would keep the whole batch
    parts = np.stack(found, axis=1)  # (layers, items, parts, dim)
    return Pooled(parts[:, :, 0], parts[:, :, 1], parts[:, :, 2:].reshape(*parts.shape[:2], -1))


@dataclass(frozen=True)
class _Batch:
    indices: Sequence[int]
    """Of the items in it."""
    inputs: Mapping[str, Any]
    """Arguments of the model's `forward`."""
    is_counted: Tensor | None
    """(batch, positions), True where a position enters the pooled vector; None: all do."""
    grid: tuple[int, int] | None = None
    """(rows, columns) of the patches of pictures, which follow the class token."""


def _parts(hidden: Tensor, batch: _Batch) -> Tensor:
    """(batch, positions, dim) -> (batch, parts, dim): mean and population standard deviation over counted positions,
    and of pictures the means of the cells."""
    if batch.is_counted is None:
        weights = torch.ones_like(hidden[..., :1])
    else:
        weights = batch.is_counted.unsqueeze(-1).to(hidden.dtype)
    count = weights.sum(dim=1).clamp(min=1)
    mean = (hidden * weights).sum(dim=1) / count
    variance = ((hidden - mean.unsqueeze(1)).square() * weights).sum(dim=1) / count
    moments = torch.stack([mean, variance.sqrt()], dim=1)
    if batch.grid is None:
        return moments
    of_patches = hidden[:, 1:].transpose(1, 2).unflatten(2, batch.grid)  # (batch, dim, rows, columns)
    cells = F.adaptive_avg_pool2d(of_patches, CELLS).flatten(2).transpose(1, 2)
    return torch.cat([moments, cells], dim=1)


def _clip_batches(
    checkpoint: str | Path, model: PretrainedModel, clips: Sequence[NDArray[np.float32]]
) -> Iterator[_Batch]:
    """Clips of one length together."""
    extract = load_processor(checkpoint)
    by_length: dict[int, list[int]] = {}
    for index, clip in enumerate(clips):
        by_length.setdefault(len(clip), []).append(index)
    for length, indices in by_length.items():
        for some in _slices(indices, max(1, _MOST_SAMPLES // max(length, 1))):
            inputs = extract([clips[i] for i in some], min_samples=model.config.receptive_field)
            yield _Batch(some, {"input_values": inputs["input_values"]}, None)


def _text_batches(
    checkpoint: str | Path,
    model: PretrainedModel,  # noqa: ARG001
    texts: Sequence[str],
) -> Iterator[_Batch]:
    """Texts of about one length together; a text of nothing but special tokens counts those."""
    tokenizer = load_processor(checkpoint)
    special = torch.tensor(sorted(tokenizer.special_ids))
    by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    for some in _slices(by_length, _TEXTS):
        inputs = tokenizer([texts[i] for i in some])
        is_real = inputs["attention_mask"].bool()
        is_counted = is_real & ~torch.isin(inputs["input_ids"], special)
        is_counted = torch.where(is_counted.any(dim=1, keepdim=True), is_counted, is_real)
        yield _Batch(some, inputs, is_counted)


def _picture_batches(
    checkpoint: str | Path, model: PretrainedModel, pictures: Sequence[Image.Image]
) -> Iterator[_Batch]:
    """Pictures as the processor makes them, all of one size."""
    process = load_processor(checkpoint)
    for some in _slices(range(len(pictures)), _PICTURES):
        pixels = process([pictures[i] for i in some])["pixel_values"]
        rows, columns = (
            side // patch for side, patch in zip(pixels.shape[2:], model.config.patch_size_pair, strict=True)
        )
        is_counted = torch.ones(len(some), 1 + rows * columns, dtype=torch.bool)
        is_counted[:, 0] = False  # the class token
        yield _Batch(some, {"pixel_values": pixels}, is_counted, (rows, columns))


def _slices(indices: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(indices), size):
        yield indices[start : start + size]


_BATCHES: dict[Modality, Callable[[str | Path, PretrainedModel, Sequence[Any]], Iterator[_Batch]]] = {
    "audio": _clip_batches,
    "text": _text_batches,
    "vision": _picture_batches,
}
