"""Which patches of a picture mattered for a class, where they lie on the photo, and whether hiding them tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.attribution import gradient_weighted_attention
from data2vec_core.config import Data2VecVisionConfig
from data2vec_core.processing.image_io import ImageSource, load_image
from data2vec_core.tasks.classifying import class_probabilities
from data2vec_core.tasks.image_classification import ImageClassifier

_PICTURES_AT_ONCE = 8

Interpolation = Literal["bilinear", "nearest"]


@dataclass(frozen=True, kw_only=True)
class PatchRelevance:
    """Of one class of one picture."""

    values: NDArray[np.float32]
    """(rows, columns) of the patches, not negative, in no unit: to be compared within a picture."""
    class_token_share: float
    """Of all relevance, 0 to 1, what lies on the class token itself. It is no place of the picture and is left out of
    `values`; what reached the patches through it is in."""
    class_id: int
    probability: float
    """Of the class, 0 to 1."""
    photo_size: tuple[int, int]
    """(width, height) of the upright photo."""
    box: tuple[float, float, float, float]
    """(left, top, right, bottom) of the patches in the photo's pixels. A processor that crops leaves some of the photo
    outside, and a border reaches beyond it."""

    def most_relevant(self, k: int) -> NDArray[np.int64]:
        """(k,) numbers of patches, row by row from 0, most relevant first."""
        return np.argsort(-self.values.ravel(), kind="stable")[:k]

    def on_photo(
        self, interpolation: Interpolation = "bilinear", size: tuple[int, int] | None = None
    ) -> NDArray[np.float32]:
        """The relevance of every pixel of the upright photo.

        Args:
            interpolation: `bilinear` between the middles of patches, held at the edges, which looks finer than it is;
                `nearest` shows the patches as they are.
            size: (width, height) of the photo made larger or smaller; its own when None.

        Returns:
            (height, width), not a number where the model saw nothing.
        """
        width, height = size or self.photo_size
        left, top, right, bottom = self.box
        rows, columns = self.values.shape
        # where the middle of each pixel falls, counted in patches
        across = ((np.arange(width) + 0.5) * (self.photo_size[0] / width) - left) * (columns / (right - left))
        down = ((np.arange(height) + 0.5) * (self.photo_size[1] / height) - top) * (rows / (bottom - top))
        shares = _shares(down, rows, interpolation), _shares(across, columns, interpolation)
        return (shares[0] @ self.values @ shares[1].T).astype(np.float32, copy=False)


@dataclass(frozen=True, kw_only=True)
class HidingEffect:
    """What hiding patches does to the probability of a class."""

    k: int
    """Patches hidden at a time."""
    shown: float
    """Probability with nothing hidden, 0 to 1."""
    relevant: float
    """With the k most relevant hidden."""
    random: tuple[float, ...]
    """With k hidden that were drawn at random, once a draw."""

    @property
    def is_borne_out(self) -> bool:
        """Whether the class loses more by the relevant patches than by random ones on average: the least that a map of
        relevance must hold. Of one picture it may be luck; over many it should not fail often."""
        return self.relevant < float(np.mean(self.random))


def patch_relevance(classifier: ImageClassifier, image: ImageSource, class_id: int | None = None) -> PatchRelevance:
    """Gradient-weighted attention of an image classifier for any class, by patch.

    The class token takes part in every layer, for relevance passes through it, and is left out at the end.

    Args:
        image: what `load_image` takes.
        class_id: number of the class in the model's labels; the most probable when None.

    Raises:
        ValueError: no such class; or, as `ImageError`, a picture that cannot be used.
    """
    config = classifier.model.config
    if class_id is not None and not 0 <= class_id < config.class_count:
        raise ValueError(f"class_id={class_id}: the classes are numbered 0 to {config.class_count - 1}")
    photo = load_image(image, max_pixels=classifier.max_pixels)
    pixels = classifier.pixel_values([photo])
    rows, columns = _grid(pixels, config)
    found = gradient_weighted_attention(
        lambda trace: classifier.model(pixels, trace=trace).logits,
        _readout(rows * columns, config).to(pixels.device),
        None if class_id is None else torch.tensor([class_id], device=pixels.device),
    )
    relevance = found.relevance[0].cpu().numpy()
    class_id = int(found.classes[0])
    view = classifier.processor.view(photo.size)
    left, top, right, bottom = view.box
    patch_height, patch_width = config.patch_size_pair
    return PatchRelevance(
        values=relevance[1:].reshape(rows, columns),
        class_token_share=float(relevance[0] / max(relevance.sum(), np.finfo(np.float32).tiny)),
        class_id=class_id,
        probability=float(_probabilities(classifier, found.logits)[0, class_id]),
        photo_size=photo.size,
        # what is left of a patch at the right and at the bottom, the model does not see
        box=(
            left,
            top,
            left + (right - left) * columns * patch_width / view.size[0],
            top + (bottom - top) * rows * patch_height / view.size[1],
        ),
    )


@torch.inference_mode()
def hiding_effect(
    classifier: ImageClassifier,
    image: ImageSource,
    relevance: PatchRelevance,
    k: int,
    *,
    draws: int = 20,
    seed: int = 0,
) -> HidingEffect:
    """The causal check of `patch_relevance`: hide the k most relevant patches, and k random ones.

    Hidden patches have the mean colour of what the model sees of the picture. That is a picture too, and of a kind the
    model has not met, so that small differences mean little.

    Args:
        image: the one that `relevance` is of.
        k: how many to hide, from 1 to all but one.
        draws: of random patches.
        seed: of the draws.

    Raises:
        ValueError: k or draws out of range, or relevance of a picture of another size.
    """
    [pixels] = classifier.pixel_values([image])
    rows, columns = _grid(pixels, classifier.model.config)
    patches = rows * columns
    if (rows, columns) != relevance.values.shape:
        raise ValueError(f"relevance is of {relevance.values.shape} patches, and the picture has {(rows, columns)}")
    if not 1 <= k < patches or draws < 1:
        raise ValueError(f"k={k}, draws={draws}: expected 1 to {patches - 1} patches and at least one draw")
    generator = np.random.default_rng(seed)
    chosen = [relevance.most_relevant(k), *(generator.permutation(patches)[:k] for _ in range(draws))]
    pictures = [pixels, *(_hidden(pixels, numbers, classifier.model.config.patch_size_pair) for numbers in chosen)]
    shown, relevant, *random = (
        float(probability)
        for start in range(0, len(pictures), _PICTURES_AT_ONCE)
        for probability in _probabilities(
            classifier, classifier.model(torch.stack(pictures[start : start + _PICTURES_AT_ONCE])).logits
        )[:, relevance.class_id]
    )
    return HidingEffect(k=k, shown=shown, relevant=relevant, random=tuple(random))


def _grid(pixels: Tensor, config: Data2VecVisionConfig) -> tuple[int, int]:
    """(rows, columns) of whole patches in (..., height, width)."""
    patch_height, patch_width = config.patch_size_pair
    return pixels.shape[-2] // patch_height, pixels.shape[-1] // patch_width


def _readout(patches: int, config: Data2VecVisionConfig) -> Tensor:
    """(1, 1 + patches): what the pooler reads of the last layer."""
    readout = torch.zeros(1, 1 + patches)
    if config.use_mean_pooling:
        readout[:, 1:] = 1 / patches
    else:
        readout[:, 0] = 1
    return readout


def _hidden(pixels: Tensor, numbers: NDArray[np.int64], patch_size: tuple[int, int]) -> Tensor:
    """(channels, height, width), with the numbered patches in its mean colour."""
    hidden = pixels.clone()
    (height, width), columns = patch_size, pixels.shape[-1] // patch_size[1]
    for number in numbers.tolist():
        top, left = number // columns * height, number % columns * width
        hidden[:, top : top + height, left : left + width] = pixels.mean(dim=(1, 2))[:, None, None]
    return hidden


def _probabilities(classifier: ImageClassifier, logits: Tensor) -> Tensor:
    """(batch, classes), as the classifier itself states them."""
    return class_probabilities(logits / classifier.confidence.temperature, classifier.model.config)


def _shares(at: NDArray[np.float64], patches: int, interpolation: Interpolation) -> NDArray[np.float32]:
    """(pixels, patches): how much each patch has in each pixel along one axis; rows sum to 1, or are not a number where
    a pixel lies beyond all patches.

    Args:
        at: (pixels,) places, 0 at the first patch's start and `patches` at the last one's end.
    """
    numbers = np.arange(patches)
    if interpolation == "nearest":
        shares = (numbers == np.floor(at).clip(0, patches - 1)[:, None]).astype(np.float32)
    else:
        middles = (at - 0.5).clip(0, patches - 1)
        shares = np.clip(1 - np.abs(middles[:, None] - numbers), 0, 1).astype(np.float32)
    shares[(at < 0) | (at > patches)] = np.nan
    return shares
