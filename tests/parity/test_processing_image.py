"""Image processing and map post-processing against transformers' BEiT processor of the PIL kind."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data2vec_core.processing.image import ImageProcessor, semantic_maps
from tests.parity.reference import assert_close_to_reference, transformers

SIZES = ((37, 53), (64, 64), (301, 40), (1, 1))


def random_image(height: int, width: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4), dtype=np.uint8)
    image = Image.fromarray(pixels)
    return image if mode == "RGBA" else image.convert("RGB").convert(mode)


def reference_processor(**settings: Any) -> Any:
    """With the settings of the public data2vec checkpoints."""
    half = [0.5, 0.5, 0.5]
    return transformers.models.beit.BeitImageProcessorPil(
        **{"image_mean": half, "image_std": half, "do_convert_rgb": True} | settings
    )


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"size": {"height": 48, "width": 32}, "resample": 2},
        {"size": {"shortest_edge": 24}, "do_center_crop": True, "crop_size": {"height": 24, "width": 24}},
        {"size": {"height": 20, "width": 20}, "do_center_crop": True, "crop_size": {"height": 33, "width": 12}},
        {"size": {"height": 32, "width": 32}, "do_normalize": False},
        {"size": {"height": 32, "width": 32}, "do_rescale": False},
        {"size": {"height": 32, "width": 32}, "image_mean": [0.1, 0.4, 0.7], "image_std": [0.2, 0.3, 1.1]},
    ],
    ids=lambda settings: ",".join(settings) or "public",
)
def test_pixels_equal_the_reference(tmp_path: Path, settings: dict[str, Any]) -> None:
    reference = reference_processor(**settings)
    reference.save_pretrained(tmp_path)
    ours = ImageProcessor.from_folder(tmp_path)
    images = [random_image(*size) for size in SIZES]
    expected = reference(images, return_tensors="pt")
    assert_close_to_reference(ours(images), expected)


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "RGBA", "LA", "YCbCr"])
def test_colour_modes_equal_the_reference(mode: str) -> None:
    image = random_image(40, 30, mode)
    assert_close_to_reference(ImageProcessor()([image]), reference_processor()([image], return_tensors="pt"))


@pytest.mark.parametrize("reduce_labels", [False, True])
def test_maps_equal_the_reference_with_its_filter(reduce_labels: bool) -> None:
    """With the reference's habit of resizing maps by the pictures' bicubic filter switched on."""
    settings = {"size": {"height": 32, "width": 32}, "do_reduce_labels": reduce_labels}
    maps = [np.random.default_rng(1).integers(0, 150, (45, 61), dtype=np.uint8) for _ in range(2)]
    maps[1][:5] = 255
    images = [random_image(45, 61) for _ in maps]
    expected = reference_processor(**settings)(images, [label_map.copy() for label_map in maps], return_tensors="pt")
    ours = ImageProcessor(size=(32, 32), do_reduce_labels=reduce_labels)
    assert ours(images, maps, resize_maps_like_images=True)["labels"].equal(expected["labels"])


@pytest.mark.parametrize("reduce_labels", [False, True])
def test_maps_equal_the_reference_with_nearest_pixels(reduce_labels: bool) -> None:
    settings = {"size": {"height": 32, "width": 32}, "do_reduce_labels": reduce_labels, "resample": 0}
    label_map = np.random.default_rng(1).integers(0, 150, (45, 61), dtype=np.uint8)
    image = random_image(45, 61)
    expected = reference_processor(**settings)([image], [label_map.copy()], return_tensors="pt")
    batch = ImageProcessor(size=(32, 32), do_reduce_labels=reduce_labels)([image], [label_map])
    assert batch["labels"].equal(expected["labels"])


@pytest.mark.parametrize("sizes", [None, [(37, 90), (8, 8), (200, 5)]])
def test_post_processing_equals_the_reference(sizes: list[tuple[int, int]] | None) -> None:
    logits = torch.randn(3, 7, 11, 13, generator=torch.Generator().manual_seed(0))
    expected = reference_processor().post_process_semantic_segmentation(
        SimpleNamespace(logits=logits), sizes, return_segmentation_scores=True
    )
    for ours, theirs in zip(semantic_maps(logits, sizes), expected, strict=True):
        best, second = theirs["segmentation_scores"].topk(2, dim=0).values
        decided = best - second > 1e-5  # elsewhere rounding picks the class
        assert decided.float().mean() > 0.999
        assert ours.shape == theirs["segmentation"].shape
        assert ours[decided].equal(theirs["segmentation"][decided])


def test_our_image_settings_load_in_the_reference(tmp_path: Path) -> None:
    ours = ImageProcessor(size=(40, 24), image_mean=(0.1, 0.2, 0.3), do_reduce_labels=True)
    ours.save_pretrained(tmp_path)
    assert ImageProcessor.from_folder(tmp_path) == ours
    reference = transformers.models.beit.BeitImageProcessorPil.from_pretrained(tmp_path)
    image = random_image(50, 70)
    assert_close_to_reference(ours([image]), reference([image], return_tensors="pt"))
