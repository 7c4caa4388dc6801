"""The supervised loop: schedule, exact resumption, what it keeps."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from data2vec_core import Data2VecVisionConfig, Data2VecVisionForImageClassification
from data2vec_core.checkpoints.card import Card
from data2vec_core.presets import PRESETS
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.processing.processor import Processor
from recipes.training import Plan, train


class Brightness:
    """Two classes that a tiny model learns at once: bright and dark squares."""

    card = Card(name="brightness", modality="vision", task="classification")
    model_class = Data2VecVisionForImageClassification
    processors: tuple[Processor, ...] = ()

    def __init__(self, steps: int = 12, score_every: int = 4) -> None:
        self.plan = Plan(steps=steps, learning_rate=2e-3, score_every=score_every, average=0.5)

    def build_model(self) -> PretrainedModel:
        config = PRESETS["vision-tiny"].replace(num_labels=2, drop_path_rate=0.2)
        assert isinstance(config, Data2VecVisionConfig)
        return Data2VecVisionForImageClassification(config)

    def _batch(self, step: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(step)
        labels = torch.randint(2, (8,), generator=generator)
        noise = 0.1 * torch.randn(8, 3, 32, 32, generator=generator)
        return noise + (2.0 * labels - 1)[:, None, None, None], labels

    def loss(self, model: PretrainedModel, step: int) -> Tensor:
        pixels, labels = self._batch(step)
        return model(pixels, labels=labels).loss

    def score(self, model: PretrainedModel) -> float:
        pixels, labels = self._batch(10_000)
        return (model(pixels).logits.argmax(dim=-1) == labels).float().mean().item()


def test_rate_rises_holds_and_falls() -> None:
    plan = Plan(steps=100, learning_rate=1.0, warmup=0.1, hold=0.2)
    rates = [plan.rate(step) for step in range(100)]
    assert rates[4] == pytest.approx(0.5)
    assert rates[10:29] == [1.0] * 19
    assert rates[64] == pytest.approx(0.5)  # half of the cosine
    assert rates[-1] == pytest.approx(0.0, abs=1e-9)
    assert rates[29:] == sorted(rates[29:], reverse=True)


def test_a_stopped_run_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = list(train(Brightness(), tmp_path / "whole"))
    for report in train(Brightness(), tmp_path / "halves"):
        assert report.step == 4
        break  # as a killed process would: after the first state was saved
    rest = list(train(Brightness(), tmp_path / "halves"))
    assert [report.step for report in rest] == [8, 12]
    assert [report.loss for report in rest] == [report.loss for report in whole[1:]]
    assert rest[-1].score == whole[-1].score


def test_it_learns_and_keeps_the_best(tmp_path: Path) -> None:
    reports = list(train(Brightness(steps=60, score_every=20), tmp_path))
    assert reports[-1].loss < 0.5 * math.log(2)
    assert reports[-1].best == 1.0
    recipe = Brightness()
    kept = Data2VecVisionForImageClassification.from_pretrained(tmp_path)
    with torch.inference_mode():
        assert recipe.score(kept) == reports[-1].best


def test_time_limit_stops_resumably(tmp_path: Path) -> None:
    reports = list(train(Brightness(), tmp_path, minutes=0))
    assert [report.step for report in reports] == [1]
    assert list(train(Brightness(), tmp_path))[-1].step == 12


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    class Broken(Brightness):
        def loss(self, model: PretrainedModel, step: int) -> Tensor:
            return super().loss(model, step) * math.nan

    with pytest.raises(FloatingPointError, match="step 0"):
        list(train(Broken(), tmp_path))
