"""A class for every pixel of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from analysis.segmentation_scores import PixelConfusion
from data2vec_core import Data2VecVisionForSemanticSegmentation
from data2vec_core.labels import IGNORED_PIXEL
from data2vec_core.pretraining.seeds import mixed_seed
from data2vec_core.processing.image import ImageProcessor, semantic_maps
from recipes.finetuning.examples import Example
from recipes.finetuning.learning import FineTuning
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.sight import Size, as_pair, as_tensor, jitter, normalise, random_views, take_views

LabelMap = NDArray[np.uint8]
"""(height, width) class ids, `IGNORED_PIXEL` where neither loss nor score looks."""
Scene = Example[Image.Image, LabelMap]
"""An RGB picture and what is where in it, of the same size."""


class Segmentation(FineTuning[Data2VecVisionForSemanticSegmentation]):
    """Few pictures, so every one is cropped, mirrored, turned and recoloured. There is no auxiliary head: an encoder
    that is trained already needs no help to be reached, and the model stays small.

    Args:
        train: examples to learn from.
        valid: examples to choose by.
        labels: all classes, in the order of their ids.
        size: of the pictures that the model sees, in pixels.
        batch: pictures in a step.
        smallest: side of the smallest crop, as a share of the picture's.
        turn: largest rotation in radians.
        recoloured: largest change of brightness, contrast and saturation, as a share of them.
        class_weights: of a pixel in the loss, by its class, such as `rarity_weights` gives; even by default.
        **configuration: fields of the model's configuration to change.
    """

    model_class = Data2VecVisionForSemanticSegmentation

    def __init__(
        self,
        start: Start,
        plan: FinePlan,
        train: Sequence[Scene],
        valid: Sequence[Scene],
        *,
        labels: Sequence[str],
        size: Size,
        batch: int = 8,
        smallest: float = 0.6,
        turn: float = 0.0,
        recoloured: float = 0.4,
        class_weights: Tensor | None = None,
        **configuration: Any,
    ) -> None:
        self.size = as_pair(size)
        self.process = ImageProcessor(size=self.size)
        super().__init__(start, plan, (self.process,))
        self.train, self.valid = train, valid
        self.labels = list(labels)
        self.batch = batch
        self.smallest = smallest
        self.turn = turn
        self.recoloured = recoloured
        self.class_weights = class_weights
        self.configuration = configuration

    def build_model(self) -> Data2VecVisionForSemanticSegmentation:
        labels = dict(enumerate(self.labels))
        return self.start.build(self.model_class, id2label=labels, use_auxiliary_head=False, **self.configuration)

    def loss(self, model: Data2VecVisionForSemanticSegmentation, step: int) -> Tensor:
        pixels, ids = self.batch_of(step)
        logits = F.interpolate(model(pixels).logits.float(), size=self.size, mode="bilinear", align_corners=False)
        return F.cross_entropy(logits, ids, weight=self.class_weights, ignore_index=IGNORED_PIXEL)

    def batch_of(self, step: int) -> tuple[Tensor, Tensor]:
        """Pictures (batch, 3, height, width), normalised, and the class ids of their pixels (batch, height, width)."""
        generator = torch.Generator().manual_seed(mixed_seed(self.plan.seed, step))
        chosen = torch.randint(len(self.train), (self.batch,), generator=generator).tolist()
        examples = [self.train[index] for index in chosen]
        loaded = (self.size[0] * 5 // 4, self.size[1] * 5 // 4)  # more than a crop shows
        images = as_tensor([example.content for example in examples], loaded)
        maps = torch.stack([_resized(example.target, loaded) for example in examples])
        views = random_views(self.batch, generator, smallest=self.smallest, aspect=1.3, turn=self.turn)
        pixels = jitter(normalise(take_views(images.float(), views, self.size)), generator, self.recoloured)
        ids = take_views(maps.float().unsqueeze(1), views, self.size, mode="nearest")
        return pixels, ids.squeeze(1).long()

    def score(self, model: Data2VecVisionForSemanticSegmentation) -> float:
        """Mean intersection over union of the classes, at each picture's own size, as the task sees it."""
        confusion = PixelConfusion(len(self.labels))
        for example in self.valid:
            logits = model(self.process(example.content)["pixel_values"]).logits
            [best] = semantic_maps(logits, [example.target.shape])
            confusion.add(best.numpy(), example.target)
        return confusion.mean_iou()


def rarity_weights(maps: Sequence[LabelMap], classes: int, *, offset: float = 1.02) -> Tensor:
    """Weights for `Segmentation` that let small things count: 1 / log(offset + share of the pixels), ENet's (Paszke
    et al., arXiv 1606.02147, section 5.2), divided so that the mean over the pixels is 1.

    Args:
        offset: above 1; the larger, the more even.

    Returns:
        (classes,)
    """
    counts = sum(np.bincount(one[one != IGNORED_PIXEL], minlength=classes) for one in maps)
    shares = counts / np.sum(counts)
    weights = 1 / np.log(offset + shares)
    return torch.tensor(weights / (weights @ shares), dtype=torch.float32)


def _resized(ids: LabelMap, size: tuple[int, int]) -> Tensor:
    """(height, width) class ids at another size, by nearest pixel."""
    return torch.from_numpy(np.array(Image.fromarray(ids).resize(size[::-1], Image.Resampling.NEAREST)))
