"""Classification and segmentation of pictures."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.presets import PRESETS
from data2vec_core.processing.image import ImageProcessor
from data2vec_core.processing.image_io import ImageTooLargeError, NotImageError, load_image
from data2vec_core.tasks import ImageClassifier, ImageSegmenter
from data2vec_core.tasks.image_segmentation import fewer
from data2vec_core.vision.segmentation import Data2VecVisionForSemanticSegmentation


@pytest.fixture
def classifier(checkpoints: dict[str, Path]) -> ImageClassifier:
    return ImageClassifier.from_pretrained(checkpoints["classify_image"])


@pytest.fixture
def segmenter(checkpoints: dict[str, Path]) -> ImageSegmenter:
    return ImageSegmenter.from_pretrained(checkpoints["segment_image"])


def picture(height: int, width: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (32, 32), (75, 40)])
def test_pictures_of_any_size_are_classified(classifier: ImageClassifier, size: tuple[int, int]) -> None:
    image = picture(*size)
    with torch.no_grad():
        expected = classifier.model(**classifier.processor(image)).logits.softmax(-1)[0]
    result = classifier(image)
    got = {label.label: label.score for label in result.labels}
    assert got == pytest.approx(dict(zip(classifier.model.config.labels, expected.tolist(), strict=True)))
    assert [label.score for label in result.labels] == sorted(got.values(), reverse=True)


def test_a_batch_scores_as_single_pictures(classifier: ImageClassifier) -> None:
    images = [picture(20 + index, 30, seed=index) for index in range(5)]
    for image, result in zip(images, classifier.batch(images), strict=True):
        got = {label.label: label.score for label in result.labels}
        alone = {label.label: label.score for label in classifier(image).labels}
        assert got == pytest.approx(alone, abs=1e-5)
    assert classifier.batch([]) == []


@pytest.mark.parametrize("task", ["classifier", "segmenter"])
def test_bad_pictures_are_refused(task: str, request: pytest.FixtureRequest) -> None:
    loaded = request.getfixturevalue(task)
    with pytest.raises(NotImageError, match="not a picture"):
        loaded(b"these are words")
    loaded.max_pixels = 100
    with pytest.raises(ImageTooLargeError, match="20 x 10"):
        loaded(picture(10, 20))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (32, 32), (75, 40), (33, 250)])
def test_a_mask_has_the_pictures_size_and_its_shares_add_up(segmenter: ImageSegmenter, size: tuple[int, int]) -> None:
    result = segmenter(picture(*size))
    assert result.mask.shape == size
    assert result.mask.dtype == np.uint8
    assert sum(share.fraction for share in result.classes) == pytest.approx(1)
    fractions = [share.fraction for share in result.classes]
    assert fractions == sorted(fractions, reverse=True)
    for share in result.classes:
        assert share.label == segmenter.model.config.labels[share.id]
        assert share.fraction == pytest.approx((result.mask == share.id).mean())
    assert set(result.to_json()) == {"classes", "model"}


class BrightnessModel(Data2VecVisionForSemanticSegmentation):
    """Scores class 1 by how bright a patch is and class 0 by how dark: what it should see is known."""

    def forward(self, pixel_values: Tensor, **_options: object) -> object:  # type: ignore[override]
        brightness = torch.nn.functional.avg_pool2d(pixel_values, 8).mean(dim=1, keepdim=True)
        return type("Output", (), {"logits": torch.cat([-brightness, brightness], dim=1)})()


PROCESSORS = {
    "square": ImageProcessor(size=(32, 32)),
    "shorter side": ImageProcessor(size=36),
    "own size": ImageProcessor(do_resize=False),
    "cropped": ImageProcessor(size=(32, 32), do_center_crop=True, crop_size=(16, 16)),
}


def brightness_segmenter(processor: ImageProcessor) -> ImageSegmenter:
    config = PRESETS["vision-tiny"].replace(num_labels=2)
    return ImageSegmenter(BrightnessModel(config), processor)  # type: ignore[arg-type]


def bright_corner(height: int, width: int) -> np.ndarray:
    """(height, width): True in the last quarter of rows and columns."""
    is_bright = np.zeros((height, width), bool)
    is_bright[height * 3 // 4 :, width * 3 // 4 :] = True
    return is_bright


def assert_lies_on(mask: np.ndarray, truth: np.ndarray) -> None:
    assert mask.shape == truth.shape
    assert (mask.astype(bool) & truth).sum() / (mask.astype(bool) | truth).sum() > 0.8
    for found, true, side in zip(np.nonzero(mask), np.nonzero(truth), mask.shape, strict=True):
        assert abs(found.mean() - true.mean()) < 0.05 * side


@pytest.mark.parametrize("processor", PROCESSORS.values(), ids=PROCESSORS)
@pytest.mark.parametrize(
    "size", [(64, 64), (61, 200), (300, 90), (1, 1000), (1000, 1), (300, 4000), (4000, 300)], ids=str
)
def test_a_mask_lies_on_the_picture_without_a_shift(processor: ImageProcessor, size: tuple[int, int]) -> None:
    """The bright corner of a picture is found where it is, whatever the proportions and the processor's crop."""
    truth = bright_corner(*size)
    pixels = np.repeat(truth[..., None] * np.uint8(255), 3, axis=2)
    assert_lies_on(brightness_segmenter(processor)(pixels).mask, truth)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_lies_on_the_photo_however_the_camera_was_held(orientation: int) -> None:
    stored = Image.fromarray(bright_corner(120, 40) * np.uint8(255))
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    stored.save(file, "PNG", exif=exif)
    upright = np.asarray(load_image(file.getvalue()))[..., 0] > 128
    assert upright.shape == ((40, 120) if orientation > 4 else (120, 40))
    assert_lies_on(brightness_segmenter(PROCESSORS["square"])(file.getvalue()).mask, upright)


def test_what_is_transparent_counts_as_white_paper() -> None:
    truth = bright_corner(90, 130)
    pixels = np.zeros((90, 130, 4), np.uint8)
    pixels[..., 3] = np.where(truth, 0, 255)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    assert_lies_on(brightness_segmenter(PROCESSORS["square"])(file.getvalue()).mask, truth)


def test_sixteen_bits_are_seen_whole() -> None:
    """Dark grey is dark: clipped to 8 bits it would be white like the rest."""
    truth = bright_corner(90, 130)
    file = io.BytesIO()
    Image.fromarray(np.where(truth, 60_000, 5_000).astype(np.uint16)).save(file, "PNG")
    assert_lies_on(brightness_segmenter(PROCESSORS["square"])(file.getvalue()).mask, truth)


@given(st.integers(0, 10**5), st.integers(0, 10**5), st.integers(1, 5000))
def test_a_grid_is_cut_down_to_its_limit(rows: int, columns: int, limit: int) -> None:
    fewer_rows, fewer_columns = fewer(rows, columns, limit)
    assert fewer_rows >= 1
    assert fewer_columns >= 1
    assert fewer_rows * fewer_columns <= limit
    if 1 <= rows * columns <= limit:
        assert (fewer_rows, fewer_columns) == (rows, columns)
    elif min(fewer_rows, fewer_columns) > 10:
        assert fewer_rows / fewer_columns == pytest.approx(rows / columns, rel=0.2)


def test_a_strip_of_endless_patches_is_not_classified(classifier: ImageClassifier) -> None:
    classifier.processor = PROCESSORS["shorter side"]
    assert len(classifier(picture(10, 100)).labels) == 4
    with pytest.raises(ImageTooLargeError, match="1000 x 1 pixels comes to 18000 patches.* 2048 at most"):
        classifier(picture(1, 1000))
    classifier.processor = ImageProcessor(size=36, do_center_crop=True, crop_size=(32, 32))
    assert len(classifier(picture(1, 1000)).labels) == 4
    with pytest.raises(ImageTooLargeError, match="too long and narrow: 50000 x 1 pixels"):
        classifier(picture(1, 50_000))


def test_a_picture_taken_sideways_gives_an_upright_mask(segmenter: ImageSegmenter, tmp_path: Path) -> None:
    upright = picture(24, 40)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90 degrees clockwise
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "sideways.png", exif=exif)
    result = segmenter(tmp_path / "sideways.png")
    assert result.mask.shape == (24, 40)
    assert np.array_equal(result.mask, segmenter(upright).mask)


def test_the_auxiliary_head_may_be_missing(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    """It serves training only."""
    whole = ImageSegmenter.from_pretrained(checkpoints["segment_image"])
    whole.model.auxiliary_head = None
    whole.model.save_pretrained(tmp_path)
    whole.processor.save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match="auxiliary_head"):
        lacking = ImageSegmenter.from_pretrained(tmp_path)
    image = picture(40, 50)
    assert np.array_equal(lacking(image).mask, whole(image).mask)


def test_more_classes_than_a_mask_can_hold_are_refused() -> None:
    config = PRESETS["vision-tiny"].replace(num_labels=257)
    with pytest.raises(CheckpointError, match="257 classes"):
        ImageSegmenter(Data2VecVisionForSemanticSegmentation(config), ImageProcessor())  # type: ignore[arg-type]


def test_concurrent_calls_answer_as_single_ones(segmenter: ImageSegmenter) -> None:
    images = [picture(30 + index, 50, seed=index) for index in range(6)]
    expected = [segmenter(image).mask for image in images]
    with ThreadPoolExecutor(3) as pool:
        for mask, result in zip(expected, pool.map(segmenter, images), strict=True):
            assert (mask != result.mask).sum() <= 1  # a pixel whose two best classes differ by a rounding
