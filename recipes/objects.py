"""`objects`: 25 classes of photographs (Caltech-101), from scratch."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from data2vec_core import Data2VecVisionConfig, Data2VecVisionForImageClassification
from data2vec_core.checkpoints.card import Card
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.processing.image import ImageProcessor
from data2vec_core.trace import Trace
from recipes.packs import read_pictures
from recipes.sight import SMALL_ENCODER, as_tensor, gradient_histograms, jitter, normalise, random_views, take_views
from recipes.training import Plan

LOADED_SIDE = 80
"""Pixels at which the pictures are kept; crops are taken from there."""


class Objects:
    """The recipe: few pictures, so every one is cropped, mirrored, recoloured and mixed with another."""

    card = Card(
        name="objects",
        modality="vision",
        task="classification",
        title="25 kinds of objects and animals in photographs",
        description=(
            "Names one of 25 things that fill the picture, from airplane to watch. Anything else is called by the "
            "most similar of the 25."
        ),
        trained_on="Caltech-101, 25 classes, train split: 1,559 pictures",
        licence="CC-BY-4.0",
    )
    model_class = Data2VecVisionForImageClassification
    plan = Plan(steps=4800, learning_rate=1e-3, warmup=0.08, weight_decay=0.05, average=0.998, score_every=200)
    batch_size = 48
    small_side, small_until = 48, 0.45
    """Pixels at first, for speed, and the share of the steps up to which."""
    edges_layer, edges_weight = 2, 20.0
    """The first channels of this block's output are also taught to say which edges their patch holds: 1,559 pictures
    alone teach colours well before shapes."""
    mixed = 0.25
    """Share of the batches in which a rectangle of each picture comes from another (CutMix, arXiv 1905.04899)."""

    def __init__(self, data: Path) -> None:
        train, valid = list(read_pictures(data, "caltech25", "train")), list(read_pictures(data, "caltech25", "valid"))
        self.labels = sorted({picture.record["label"] for picture in train})
        self.side = SMALL_ENCODER["image_size"]
        self.processors = (ImageProcessor(size=(self.side, self.side)),)
        self.train = as_tensor([picture.image for picture in train], LOADED_SIDE)
        self.train_ids = torch.tensor([self.labels.index(picture.record["label"]) for picture in train])
        self.valid = normalise(as_tensor([picture.image for picture in valid], self.side))
        self.valid_ids = torch.tensor([self.labels.index(picture.record["label"]) for picture in valid])

    def build_model(self) -> PretrainedModel:
        config = Data2VecVisionConfig(**SMALL_ENCODER, id2label=dict(enumerate(self.labels)))
        return Data2VecVisionForImageClassification(config)

    def loss(self, model: PretrainedModel, step: int) -> Tensor:
        generator = torch.Generator().manual_seed(self.plan.seed * 1_000_003 + step)
        chosen = torch.randint(len(self.train), (self.batch_size,), generator=generator)
        views = random_views(self.batch_size, generator, smallest=0.65, aspect=1.25, turn=0.1)
        side = self.small_side if step < self.small_until * self.plan.steps else self.side
        pixels = jitter(normalise(take_views(self.train[chosen].float(), views, side)), generator)
        ids = self.train_ids[chosen]
        share, others = 0.0, ids.flip(0)
        if torch.rand((), generator=generator) < self.mixed:
            pixels, share = cut_and_mix(pixels, generator)
        trace = Trace({"hidden": [self.edges_layer]})
        logits = model(pixels, trace=trace).logits
        edges = gradient_histograms(pixels, model.config.patch_size // 2)
        seen = trace["hidden", self.edges_layer][:, 1:, : edges.shape[-1]]  # without the class token
        own = F.cross_entropy(logits, ids, label_smoothing=0.1)
        mixed = (1 - share) * own + share * F.cross_entropy(logits, others, label_smoothing=0.1)
        return mixed + self.edges_weight * F.mse_loss(seen, edges)

    def score(self, model: PretrainedModel) -> float:
        """Accuracy."""
        predicted = torch.cat([model(pixels).logits.argmax(dim=-1) for pixels in self.valid.split(64)])
        return (predicted == self.valid_ids).float().mean().item()


def cut_and_mix(pixels: Tensor, generator: torch.Generator) -> tuple[Tensor, float]:
    """Put a rectangle of each picture's counterpart (the batch in reverse order) into it.

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
