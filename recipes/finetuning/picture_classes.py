"""A class for a whole picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from data2vec_core import Data2VecVisionForImageClassification
from data2vec_core.pretraining.seeds import mixed_seed
from data2vec_core.processing.image import ImageProcessor
from data2vec_core.trace import Trace
from recipes.finetuning.examples import Example
from recipes.finetuning.learning import FineTuning
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.sight import as_tensor, cut_and_mix, gradient_histograms, jitter, normalise, random_views, take_views

Picture = Example[Image.Image, str]
"""An RGB picture and its class."""


@dataclass(frozen=True, kw_only=True)
class Hints:
    """A second thing to learn: from one block's output it shall be possible to read, by a linear map, how the edges in
    each patch run (histograms of gradients, Dalal and Triggs, CVPR 2005). A few thousand pictures alone teach colours
    well before shapes."""

    layer: int
    """Which block, from 1."""
    weight: float
    """In the loss, of the share of the histograms' variance that cannot be read."""


class PictureClasses(FineTuning[Data2VecVisionForImageClassification]):
    """Few pictures, so every one is cropped, mirrored, turned, recoloured and mixed with another.

    Args:
        train: examples to learn from.
        valid: examples to choose by.
        labels: all classes, in the order of their ids.
        side: of the square that the model sees when it is asked, in pixels.
        cropped: side of the squares in training, `side` by default. A crop shows things larger than a whole picture of
            that side does, so a smaller one lets them have one size in both (FixRes, arXiv 1906.06423).
        batch: pictures in a step.
        smallest: side of the smallest crop, as a share of the picture's.
        mixed: share of the batches in which a rectangle of each picture comes from another.
        smoothing: share of the target that is spread over all classes.
        early: (kept, until): up to the second share of the steps the model sees only the first share of each picture's
            patches, others every time, as in pre-training; that is faster, and makes it rely on no single one
            (PatchDropout, arXiv 2208.07220).
        hints: a second thing to learn; none by default.
        **configuration: fields of the model's configuration to change.
    """

    model_class = Data2VecVisionForImageClassification

    def __init__(
        self,
        start: Start,
        plan: FinePlan,
        train: Sequence[Picture],
        valid: Sequence[Picture],
        *,
        labels: Sequence[str],
        side: int,
        cropped: int | None = None,
        batch: int = 48,
        smallest: float = 0.65,
        mixed: float = 0.25,
        smoothing: float = 0.1,
        early: tuple[float, float] | None = None,
        hints: Hints | None = None,
        **configuration: Any,
    ) -> None:
        self.process = ImageProcessor(size=(side, side))
        super().__init__(start, plan, (self.process,))
        self.train, self.valid = train, valid
        self.labels = list(labels)
        self.cropped = cropped or side
        self.batch = batch
        self.smallest = smallest
        self.mixed = mixed
        self.smoothing = smoothing
        self.early = early
        self.hints = hints
        self.configuration = configuration

    def build_model(self) -> Data2VecVisionForImageClassification:
        return self.start.build(self.model_class, id2label=dict(enumerate(self.labels)), **self.configuration)

    def loss(self, model: Data2VecVisionForImageClassification, step: int) -> Tensor:
        pixels, targets = self.batch_of(step)
        patch = model.config.patch_size_pair[0]
        visible = self.visible(step, (self.cropped // patch) ** 2)
        trace = None if self.hints is None else Trace({"hidden": [self.hints.layer]})
        logits = model.classifier(model.backbone(pixels, visible=visible, trace=trace).pooler_output)
        loss = F.cross_entropy(logits, targets, label_smoothing=self.smoothing)
        if self.hints is not None and trace is not None:
            edges = gradient_histograms(pixels, patch // 2)
            if visible is not None:
                edges = edges.gather(1, visible.unsqueeze(-1).expand(-1, -1, edges.shape[-1]))
            loss = loss + self.hints.weight * unread(trace["hidden", self.hints.layer][:, 1:], edges)
        return loss

    def visible(self, step: int, patches: int) -> Tensor | None:
        """(batch, kept), numbers of the patches that are seen in one step; None where all are."""
        if self.early is None or step >= self.early[1] * self.plan.steps:
            return None
        generator = torch.Generator().manual_seed(mixed_seed(self.plan.seed, step, _PATCHES))
        order = torch.rand(self.batch, patches, generator=generator).argsort(dim=1)
        return order[:, : max(1, round(self.early[0] * patches))]

    def batch_of(self, step: int) -> tuple[Tensor, Tensor]:
        """Pictures (batch, 3, cropped, cropped), normalised, and the shares of the classes in them (batch, classes)."""
        generator = torch.Generator().manual_seed(mixed_seed(self.plan.seed, step))
        chosen = torch.randint(len(self.train), (self.batch,), generator=generator).tolist()
        examples = [self.train[index] for index in chosen]
        loaded = as_tensor([example.content for example in examples], self.cropped * 5 // 4)  # more than a crop shows
        views = random_views(self.batch, generator, smallest=self.smallest, aspect=1.25, turn=0.1)
        pixels = jitter(normalise(take_views(loaded.float(), views, self.cropped)), generator)
        ids = torch.tensor([self.labels.index(example.target) for example in examples])
        shares = F.one_hot(ids, len(self.labels)).float()
        if torch.rand((), generator=generator) < self.mixed:
            pixels, others = cut_and_mix(pixels, generator)
            shares = (1 - others) * shares + others * shares.flip(0)
        return pixels, shares

    def score(self, model: Data2VecVisionForImageClassification) -> float:
        """Accuracy, the pictures whole, as the task sees them."""
        right = 0
        for first in range(0, len(self.valid), _SCORED):
            examples = self.valid[first : first + _SCORED]
            pixels = self.process([example.content for example in examples])["pixel_values"]
            predicted = model(pixels).logits.argmax(dim=-1).tolist()
            right += sum(
                self.labels[index] == example.target for index, example in zip(predicted, examples, strict=True)
            )
        return right / len(self.valid)


def unread(hidden: Tensor, wanted: Tensor) -> Tensor:
    """Share of the variance of what is wanted that the best linear map from the states leaves, over a batch.

    The map is fitted to the batch itself and then held fixed: being the best, it does not change the gradient. So it
    needs no weights of its own, and an encoder may say what is wanted wherever it has room.

    Args:
        hidden: (batch, patches, dim) states.
        wanted: (batch, patches, values).

    Returns:
        A number from 0 to 1.
    """
    states = F.pad(hidden.float(), (0, 1), value=1.0).flatten(0, 1)  # (batch * patches, dim + 1)
    values = wanted.flatten(0, 1)
    with torch.no_grad():
        exact = states.double()
        penalty = 1e-3 * exact.square().mean() * len(exact) * torch.eye(exact.shape[1], dtype=exact.dtype)
        reading = torch.linalg.solve(exact.T @ exact + penalty, exact.T @ values.double()).float()
    return F.mse_loss(states @ reading, values) / values.var(dim=0, correction=0).mean()


_SCORED = 64
"""Pictures scored at once."""
_PATCHES = 1
"""Beside seed and step, so that the choice of patches has random numbers of its own."""
