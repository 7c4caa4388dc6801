"""`pets3`: cat, dog and background outlined in photographs, from the encoder that `objects` learnt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from data2vec_core import Data2VecVisionForSemanticSegmentation
from data2vec_core.checkpoints.card import Card
from data2vec_core.labels import IGNORED_PIXEL
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.processing.image import ImageProcessor
from recipes.metrics import IntersectionOverUnion
from recipes.packs import Picture, read_pictures
from recipes.sight import as_tensor, jitter, normalise, random_views, take_views
from recipes.training import Plan

LABELS = ("background", "cat", "dog")
BORDER = 3
"""Label of the pixels that the data set does not classify; left out of loss and score."""
LOADED_SIDE = 96
SIDE = 80
"""Pixels the model is trained on: ten patches a side."""


class Pets3:
    """The recipe: the whole model trains, the encoder more slowly than the fresh heads would alone."""

    card = Card(
        name="pets3",
        modality="vision",
        task="segmentation",
        title="Outlines of cats and dogs",
        description=(
            "Colours the pixels of cats and dogs in photographs. It has seen two breeds of cat and one of dog, so a "
            "dog unlike a bulldog may be taken for a cat."
        ),
        trained_on="Oxford-IIIT Pet, three breeds, train split: 255 pictures; encoder from objects",
        licence="CC-BY-SA-4.0",
        parent="objects",
    )
    model_class = Data2VecVisionForSemanticSegmentation
    plan = Plan(steps=500, learning_rate=5e-4, warmup=0.1, hold=0.2, weight_decay=0.05, average=0.99, score_every=25)
    batch_size = 12

    def __init__(self, data: Path, parent: str = "objects") -> None:
        self.parent = parent
        self.processors = (ImageProcessor(size=(SIDE, SIDE)),)
        train = list(read_pictures(data, "pets3", "train"))
        self.train = as_tensor([picture.image for picture in train], LOADED_SIDE)
        self.train_labels = torch.stack([_label_map(picture, LOADED_SIDE) for picture in train])
        self.valid = list(read_pictures(data, "pets3", "valid"))
        self.valid_pixels = normalise(as_tensor([picture.image for picture in self.valid], SIDE))

    def build_model(self) -> PretrainedModel:
        return Data2VecVisionForSemanticSegmentation.from_pretrained(
            self.parent,
            id2label=dict(enumerate(LABELS)),
            out_indices=(3, 4, 5, 6),  # the states after blocks 2 to 5, as the public files count (data2vec.md 2.3)
            auxiliary_channels=64,
            drop_path_rate=0.1,
        )

    def loss(self, model: PretrainedModel, step: int) -> Tensor:
        generator = torch.Generator().manual_seed(self.plan.seed * 1_000_003 + step)
        chosen = torch.randint(len(self.train), (self.batch_size,), generator=generator)
        views = random_views(self.batch_size, generator, smallest=0.6, aspect=1.3, turn=0.2)
        pixels = jitter(normalise(take_views(self.train[chosen].float(), views, SIDE)), generator)
        labels = take_views(self.train_labels[chosen].float().unsqueeze(1), views, SIDE, mode="nearest")
        return model(pixels, labels=labels.squeeze(1).long()).loss

    def score(self, model: PretrainedModel) -> float:
        """Mean intersection over union of the three classes, at each picture's own size, borders left out."""
        overlap = IntersectionOverUnion(len(LABELS))
        for pixels, picture in zip(self.valid_pixels, self.valid, strict=True):
            labels = picture.labels
            assert labels is not None
            logits = model(pixels[None]).logits
            resized = torch.nn.functional.interpolate(logits, labels.shape, mode="bilinear", align_corners=False)
            overlap.add(resized[0].argmax(dim=0).numpy(), labels, is_counted=labels != BORDER)
        return overlap.mean()


def _label_map(picture: Picture, side: int) -> Tensor:
    """Class ids at (side, side), the border as the ignored label."""
    assert picture.labels is not None
    resized = np.asarray(Image.fromarray(picture.labels).resize((side, side), Image.Resampling.NEAREST))
    return torch.from_numpy(np.where(resized == BORDER, IGNORED_PIXEL, resized).astype(np.uint8))
