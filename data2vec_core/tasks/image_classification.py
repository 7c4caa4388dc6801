"""A class for a picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from data2vec_core.processing.image_io import ImageSource, ImageTooLargeError, load_image
from data2vec_core.tasks.classifying import Classifier
from data2vec_core.tasks.results import Classification
from data2vec_core.tasks.seeing import SeeingTask
from data2vec_core.vision.classification import Data2VecVisionForImageClassification


class ImageClassifier(
    Classifier[Data2VecVisionForImageClassification], SeeingTask[Data2VecVisionForImageClassification]
):
    """Says which class a picture belongs to."""

    name = "classify_image"
    model_class = Data2VecVisionForImageClassification

    def __call__(self, image: ImageSource) -> Classification:
        """Classify a picture of any size.

        Args:
            image: what `load_image` takes: a path, bytes, an open file, a PIL image or an array.

        Raises:
            ImageError: (a ValueError) not a picture, damaged, or too large.
        """
        return self.batch([image])[0]

    @torch.inference_mode()
    def batch(self, images: Sequence[ImageSource]) -> list[Classification]:
        """Classify several pictures in one run; the scores are those of single calls.

        Raises:
            ImageError: (a ValueError) one of them cannot be used.
        """
        if not images:
            return []
        pixels = self.pixel_values(images)
        trace = self._trace()
        logits = self.model(pixels, trace=trace).logits
        statistics = self._statistics(trace)
        return [
            self._classification(row, None if statistics is None else statistics[index])
            for index, row in enumerate(self._probabilities_of(logits))
        ]

    def pixel_values(self, images: Sequence[ImageSource]) -> Tensor:
        """(batch, channels, height, width): several pictures as the model sees them, on its device.

        Raises:
            ImageError: (a ValueError) one of them cannot be used, or has more patches than the model is shown.
        """
        pictures = [load_image(image, max_pixels=self.max_pixels) for image in images]
        for picture in pictures:
            width, height = self.processor.view(picture.size).size
            patch_height, patch_width = self.model.config.patch_size_pair
            if (patches := (height // patch_height) * (width // patch_width)) > self.most_patches:
                raise ImageTooLargeError(
                    f"The picture of {picture.width} x {picture.height} pixels comes to {patches} patches, and "
                    f"{self.model_name} is shown {self.most_patches} at most. Crop it, or make it smaller."
                )
        pixels = self.processor(pictures, max_pixels=self.max_pixels)["pixel_values"]
        return pixels.to(self.model.device, self.model.dtype)
