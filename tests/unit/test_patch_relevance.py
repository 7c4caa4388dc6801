"""Relevance of patches: where it lies on the photo, and that hiding it costs the class more than hiding at random."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from analysis.patch_relevance import HidingEffect, PatchRelevance, hiding_effect, patch_relevance
from data2vec_core import Data2VecVisionForImageClassification
from data2vec_core.presets import PRESETS
from data2vec_core.processing.image import ImageProcessor
from data2vec_core.tasks import ImageClassifier

EXAMPLES = Path(__file__).resolve().parents[2] / "assets" / "examples"
THINGS = ["flamingo", "face"]


def random_classifier(processor: ImageProcessor, **configuration: object) -> ImageClassifier:
    torch.manual_seed(0)
    config = PRESETS["vision-tiny"].replace(num_labels=4, **configuration)
    model = Data2VecVisionForImageClassification(config)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return ImageClassifier(model, processor)


def noise(height: int, width: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def objects() -> ImageClassifier:
    return ImageClassifier.from_pretrained("objects")


def of_values(values: list[list[float]], size: tuple[int, int], box: tuple[float, ...] | None = None) -> PatchRelevance:
    return PatchRelevance(
        values=np.array(values, np.float32),
        class_token_share=0.0,
        class_id=0,
        probability=1.0,
        photo_size=size,
        box=box or (0, 0, *size),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("use_mean_pooling", [True, False])
@pytest.mark.parametrize("size", [(64, 96), (1, 1000), (37, 90)])
def test_any_class_of_any_picture(use_mean_pooling: bool, size: tuple[int, int]) -> None:
    classifier = random_classifier(ImageProcessor(size=(32, 40)), use_mean_pooling=use_mean_pooling)
    photo = noise(*size)
    scores = {label.label: label.score for label in classifier(photo).labels}
    for class_id, label in enumerate(classifier.model.config.labels):
        relevance = patch_relevance(classifier, photo, class_id)
        assert relevance.values.shape == (4, 5)
        assert relevance.values.min() >= 0
        assert 0 <= relevance.class_token_share <= 1
        assert relevance.probability == pytest.approx(scores[label], abs=1e-5)
        on_photo = relevance.on_photo()
        assert on_photo.shape == size
        assert np.isfinite(on_photo).all()
    best = patch_relevance(classifier, photo)
    assert classifier.model.config.labels[best.class_id] == max(scores, key=lambda label: scores[label])


@pytest.mark.parametrize("class_id", [-1, 4])
def test_a_class_that_is_none(class_id: int) -> None:
    with pytest.raises(ValueError, match="numbered 0 to 3"):
        patch_relevance(random_classifier(ImageProcessor(size=(32, 32))), noise(9, 9), class_id)


class TestOnThePhoto:
    def test_patches_as_they_are(self) -> None:
        found = of_values([[1, 2], [3, 4]], (8, 4)).on_photo("nearest")
        assert found.tolist() == [[1] * 4 + [2] * 4] * 2 + [[3] * 4 + [4] * 4] * 2

    def test_between_the_middles_of_patches(self) -> None:
        """As torch enlarges without aligned corners."""
        values = np.random.default_rng(0).random((3, 5)).astype(np.float32)
        found = of_values(values.tolist(), (47, 31)).on_photo()
        expected = torch.nn.functional.interpolate(
            torch.from_numpy(values)[None, None], size=(31, 47), mode="bilinear", align_corners=False
        )
        assert found == pytest.approx(expected[0, 0].numpy(), abs=1e-5)

    def test_at_another_size(self) -> None:
        relevance = of_values([[1, 2], [3, 4]], (80, 40))
        assert np.array_equal(relevance.on_photo("nearest", size=(8, 4)), relevance.on_photo("nearest")[::10, ::10])

    @pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
    def test_what_the_model_did_not_see(self, interpolation: str) -> None:
        found = of_values([[1, 1]], (10, 4), (3, 0, 9, 4)).on_photo(interpolation)  # type: ignore[arg-type]
        nowhere = [[True] * 3 + [False] * 6 + [True]] * 4
        assert np.isnan(found).tolist() == nowhere
        assert (found[~np.isnan(found)] == 1).all()

    def test_a_crop_lies_in_the_middle_and_a_cut_patch_is_not_seen(self) -> None:
        """80 x 40 pixels: half of it after the crop, of which 36 columns of 40 are whole patches."""
        processor = ImageProcessor(size=40, do_center_crop=True, crop_size=(40, 44))
        relevance = patch_relevance(random_classifier(processor), noise(40, 80))
        assert relevance.values.shape == (5, 5)
        assert relevance.box == (18, 0, 58, 40)
        assert np.isfinite(relevance.on_photo()).all(axis=0).tolist() == [18 <= column < 58 for column in range(80)]


class TestHiding:
    def test_the_class_loses_more_by_what_mattered(self, objects: ImageClassifier) -> None:
        falls = []
        for name in THINGS:
            photo = Image.open(EXAMPLES / f"{name}.jpg")
            relevance = patch_relevance(objects, photo)
            for k in (4, 8, 16):
                effect = hiding_effect(objects, photo, relevance, k)
                assert effect.shown == pytest.approx(relevance.probability, abs=1e-5)
                assert len(effect.random) == 20
                falls.append(np.mean(effect.random) - effect.relevant)
                assert effect.is_borne_out == (falls[-1] > 0)
        assert np.mean(falls) > 0.1
        assert np.mean(np.array(falls) > 0) > 0.8

    @pytest.mark.parametrize("name", THINGS)
    def test_a_thing_in_a_corner_is_found_there(self, objects: ImageClassifier, name: str) -> None:
        canvas = Image.new("RGB", (400, 300), (128, 128, 128))
        canvas.paste(Image.open(EXAMPLES / f"{name}.jpg").resize((200, 150)), (200, 150))
        relevance = patch_relevance(objects, canvas, objects.model.config.labels.index(name))
        rows, columns = relevance.values.shape
        found = [divmod(number, columns) for number in relevance.most_relevant(rows * columns // 12).tolist()]
        assert np.mean([row >= rows // 2 and column >= columns // 2 for row, column in found]) > 0.7

    def test_a_seed_gives_the_same_draws(self) -> None:
        classifier = random_classifier(ImageProcessor(size=(32, 32)))
        relevance = patch_relevance(classifier, noise(40, 40))
        first, again, other = (hiding_effect(classifier, noise(40, 40), relevance, 3, seed=seed) for seed in (0, 0, 1))
        assert first == again
        assert first.random != other.random

    @pytest.mark.parametrize(("k", "draws"), [(0, 5), (16, 5), (3, 0)])
    def test_impossible_checks(self, k: int, draws: int) -> None:
        classifier = random_classifier(ImageProcessor(size=(32, 32)))
        relevance = patch_relevance(classifier, noise(40, 40))
        with pytest.raises(ValueError, match="1 to 15 patches"):
            hiding_effect(classifier, noise(40, 40), relevance, k, draws=draws)
        wrong = dataclasses.replace(relevance, values=relevance.values[:2])
        with pytest.raises(ValueError, match=r"\(2, 4\) patches, and the picture has \(4, 4\)"):
            hiding_effect(classifier, noise(40, 40), wrong, 3)

    def test_one_that_is_not_borne_out(self) -> None:
        assert not HidingEffect(k=1, shown=0.9, relevant=0.8, random=(0.7, 0.8)).is_borne_out
