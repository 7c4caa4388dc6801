"""Choosing a temperature and a boundary, and measuring what they do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from data2vec_core import Data2VecVisionConfig, Data2VecVisionForImageClassification
from data2vec_core.presets import PRESETS
from data2vec_core.processing.image import ImageProcessor
from data2vec_core.tasks.image_classification import ImageClassifier
from recipes.bundled import NAMES, bundled_model
from recipes.bundled.foreign import KNOWN
from recipes.confidence import (
    area_under_curve,
    best_temperature,
    choose_confidence,
    expected_calibration_error,
    measure_confidence,
)


@pytest.mark.parametrize("true", [0.4, 1.0, 3.0])
def test_the_temperature_that_drew_the_classes_is_found(true: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(20_000, 5, generator=generator)
    ids = torch.multinomial((logits / true).softmax(dim=-1), 1, generator=generator)[:, 0]
    assert best_temperature(logits, ids) == pytest.approx(true, rel=0.05)


def test_calibration_error_of_known_cases() -> None:
    sure = np.tile([0.9, 0.1], (10, 1))
    assert expected_calibration_error(sure, np.array([0] * 9 + [1])) == pytest.approx(0.0, abs=1e-12)
    assert expected_calibration_error(sure, np.zeros(10, int)) == pytest.approx(0.1)
    both = np.concatenate([sure, np.tile([0.4, 0.6], (10, 1))])  # bins of their own: gaps do not cancel
    assert expected_calibration_error(both, np.array([0] * 10 + [0] * 5 + [1] * 5)) == pytest.approx(0.1)
    assert expected_calibration_error(np.array([[1.0, 0.0]]), np.array([0])) == 0.0


def test_area_under_curve_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    own, foreign = random.integers(0, 6, 40) * 1.0, random.integers(2, 9, 25) * 1.0  # with ties
    expected = roc_auc_score([0] * 40 + [1] * 25, np.concatenate([own, foreign]))
    assert area_under_curve(own, foreign) == pytest.approx(expected)


def test_a_boundary_tells_foreign_pictures_and_keeps_most_of_its_own() -> None:
    torch.manual_seed(0)
    config = PRESETS["vision-tiny"].replace(num_labels=2)
    assert isinstance(config, Data2VecVisionConfig)
    model = Data2VecVisionForImageClassification(config)
    task = ImageClassifier(model, ImageProcessor(size=(32, 32)))
    random = np.random.default_rng(0)

    def dark(count: int) -> list[np.ndarray]:
        return [random.integers(0, 90, (32, 32, 3), dtype=np.uint8) for _ in range(count)]

    def bright(count: int) -> list[np.ndarray]:
        return [random.integers(120, 256, (32, 32, 3), dtype=np.uint8) for _ in range(count)]

    chosen = choose_confidence(task, dark(60), dark(40), [0, 1] * 20, {"bright": bright(40)}, {"bright": bright(20)})
    assert chosen.familiarity is not None
    task.confidence = chosen
    metrics = measure_confidence(task, dark(40), [0, 1] * 20, {"bright": bright(30)})
    shares = {metric.name: metric.value for metric in metrics}
    assert shares["bright taken as foreign"] > 0.9
    assert shares["own items taken as foreign"] < 0.3
    assert shares["expected calibration error"] <= shares["expected calibration error without temperature"] + 0.1
    assert all(metric.split == "test" for metric in metrics)
    # the task says for one picture what the measure counts
    assert [task(picture).outside for picture in bright(5)].count(True) >= 4


def test_every_classifier_of_whole_items_is_asked() -> None:
    classifiers = {name for name in NAMES if bundled_model(name).card.task == "classification"}
    assert KNOWN.keys() == classifiers


def test_cards_say_what_a_visitor_has_to_know() -> None:
    for name in NAMES:
        card = bundled_model(name).card
        assert card.name == name
        assert card.parent
        for field in ("title", "description", "trained_on", "licence", "advice", "training_items"):
            assert getattr(card, field), f"{name}: its card has no {field}"
