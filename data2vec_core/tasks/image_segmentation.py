"""A class for every pixel of a picture."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
from PIL import Image

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.processing.image import ImageProcessor, semantic_maps
from data2vec_core.processing.image_io import DEFAULT_MAX_PIXELS, ImageSource, load_image
from data2vec_core.tasks.results import ClassShare, Segmentation
from data2vec_core.tasks.seeing import SeeingTask
from data2vec_core.vision.segmentation import Data2VecVisionForSemanticSegmentation

MAX_CLASSES = 256
"""A mask has 8 bits a pixel."""


class ImageSegmenter(SeeingTask[Data2VecVisionForSemanticSegmentation]):
    """Says which class every pixel of a picture belongs to."""

    name = "segment_image"
    model_class = Data2VecVisionForSemanticSegmentation
    spare_parts = ("auxiliary_head.",)

    def __init__(
        self,
        model: Data2VecVisionForSemanticSegmentation,
        processor: ImageProcessor,
        *,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        model_name: str | None = None,
    ) -> None:
        super().__init__(model, processor, max_pixels=max_pixels, model_name=model_name)
        if model.config.class_count > MAX_CLASSES:
            raise CheckpointError(
                f"{self.model_name} has {model.config.class_count} classes, a mask can tell {MAX_CLASSES} apart"
            )

    def __call__(self, image: ImageSource) -> Segmentation:
        """Segment a picture of any size.

        The model sees the whole picture, resized as in training; its scores are enlarged bilinearly to the picture's
        own size before the best class of each pixel is taken, so the mask lies on the picture without a shift.

        Args:
            image: what `load_image` takes. A picture that its camera held sideways is turned upright first.

        Returns:
            The mask has the size of the upright picture.

        Raises:
            ImageError: (a ValueError) not a picture, damaged, or too large.
        """
        picture = load_image(image, max_pixels=self.max_pixels)
        mask = self._mask(picture)
        ids, counts = np.unique(mask, return_counts=True)
        labels = self.model.config.labels
        shares = [
            ClassShare(label=labels[index], id=int(index), fraction=int(count) / mask.size)
            for index, count in zip(ids, counts, strict=True)
        ]
        largest_first = sorted(shares, key=lambda share: -share.fraction)
        return Segmentation(classes=tuple(largest_first), mask=mask, model=self.model_name)

    @torch.inference_mode()
    def _mask(self, picture: Image.Image) -> np.ndarray:
        """(height, width) uint8 class ids."""
        pixels = self._whole(picture)([picture], max_pixels=self.max_pixels)["pixel_values"]
        logits = self.model(pixels.to(self.model.device, self.model.dtype)).logits
        [best] = semantic_maps(logits.float(), [(picture.height, picture.width)])
        return best.to("cpu", torch.uint8).numpy()

    def _whole(self, picture: Image.Image) -> ImageProcessor:
        """The processor, made to show the model the whole picture: nothing cropped, and a size in whole patches, for
        a row of pixels beyond the last patch would be missing from the mask's proportions; and of no more patches than
        memory bears, for some processors keep the proportions of a strip."""
        processor = self.processor
        width, height = processor.resized(picture.size) if processor.do_resize else picture.size
        patch_height, patch_width = self.model.config.patch_size_pair
        rows, columns = fewer(round(height / patch_height), round(width / patch_width), self.most_patches)
        size = (rows * patch_height, columns * patch_width)
        return dataclasses.replace(processor, do_resize=True, size=size, do_center_crop=False)


def fewer(rows: int, columns: int, limit: int) -> tuple[int, int]:
    """A grid of at least 1 x 1 and at most `limit` patches, in the proportions of the given one as far as it goes."""
    shrink = min(1.0, math.sqrt(limit / max(1, rows * columns)))
    rows = min(max(1, int(rows * shrink)), limit)
    return rows, min(max(1, int(columns * shrink)), limit // rows)
