"""The supervised loop and its plan: rates by depth, exact resumption, what it keeps, where it starts."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from data2vec_core import Data2VecVisionConfig, Data2VecVisionForImageClassification, Data2VecVisionModel
from data2vec_core.presets import PRESETS
from data2vec_core.pretraining.schedule import WarmupCosine
from data2vec_core.processing.image import ImageProcessor
from recipes.finetuning.examples import Example, few_of
from recipes.finetuning.learning import FineTuning, learn
from recipes.finetuning.plan import FinePlan, depth
from recipes.finetuning.start import Start


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(0)
    config = PRESETS["vision-tiny"]
    assert isinstance(config, Data2VecVisionConfig)
    Data2VecVisionModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


class Brightness(FineTuning[Data2VecVisionForImageClassification]):
    """Two classes that a tiny model learns at once: bright and dark squares."""

    model_class = Data2VecVisionForImageClassification

    def __init__(self, encoder: Path, steps: int = 12, score_every: int = 4, **plan: Any) -> None:
        schedule = WarmupCosine(peak=2e-3, total=steps, warmup=1)
        settings = {"schedule": schedule, "score_every": score_every, "average": 0.5, "bf16": (), **plan}
        super().__init__(Start(encoder), FinePlan(**settings), (ImageProcessor(size=(32, 32)),))

    def build_model(self) -> Data2VecVisionForImageClassification:
        return self.start.build(self.model_class, num_labels=2, drop_path_rate=0.2)

    def _batch(self, step: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(step)
        labels = torch.randint(2, (8,), generator=generator)
        noise = 0.1 * torch.randn(8, 3, 32, 32, generator=generator)
        return noise + (2.0 * labels - 1)[:, None, None, None], labels

    def loss(self, model: Data2VecVisionForImageClassification, step: int) -> Tensor:
        pixels, labels = self._batch(step)
        loss: Tensor = model(pixels, labels=labels).loss
        return loss

    def score(self, model: Data2VecVisionForImageClassification) -> float:
        pixels, labels = self._batch(10_000)
        return (model(pixels).logits.argmax(dim=-1) == labels).float().mean().item()


def test_a_stopped_run_goes_on_as_if_it_had_not_been(encoder: Path, tmp_path: Path) -> None:
    whole = list(learn(Brightness(encoder), tmp_path / "whole"))
    for report in learn(Brightness(encoder), tmp_path / "halves"):
        assert report.step == 4
        break  # as a killed process would: after the first state was saved
    rest = list(learn(Brightness(encoder), tmp_path / "halves"))
    assert [report.step for report in rest] == [8, 12]
    assert [report.loss for report in rest] == [report.loss for report in whole[1:]]
    assert rest[-1].score == whole[-1].score


def test_it_learns_and_keeps_the_best_with_its_processor(encoder: Path, tmp_path: Path) -> None:
    tuning = Brightness(encoder, steps=60, score_every=20)
    reports = list(learn(tuning, tmp_path))
    assert reports[-1].loss < 0.5 * math.log(2)
    assert reports[-1].best == 1.0
    kept = Data2VecVisionForImageClassification.from_pretrained(tmp_path)
    with torch.inference_mode():
        assert tuning.score(kept) == reports[-1].best
    assert ImageProcessor.from_pretrained(tmp_path).size == (32, 32)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines == [dataclasses.asdict(report) for report in reports]


def test_time_limit_stops_resumably(encoder: Path, tmp_path: Path) -> None:
    reports = list(learn(Brightness(encoder), tmp_path, minutes=0))
    assert [report.step for report in reports] == [1]
    assert list(learn(Brightness(encoder), tmp_path))[-1].step == 12


def test_a_loss_that_is_no_number_stops_the_run(encoder: Path, tmp_path: Path) -> None:
    class Broken(Brightness):
        def loss(self, model: Data2VecVisionForImageClassification, step: int) -> Tensor:
            return super().loss(model, step) * math.nan

    with pytest.raises(FloatingPointError, match="step 0"):
        list(learn(Broken(encoder), tmp_path))


def test_what_is_fixed_stays_and_lower_blocks_move_less(encoder: Path, tmp_path: Path) -> None:
    plan = {"fixed": ("backbone.embeddings.",), "layer_decay": 0.1, "average": 0.0, "weight_decay": 0.0}
    tuning = Brightness(encoder, steps=3, score_every=3, **plan)  # a rate of 0 in the first
    before = tuning.build_model().state_dict()
    torch.manual_seed(tuning.plan.seed)
    list(learn(tuning, tmp_path))
    after = Data2VecVisionForImageClassification.from_pretrained(tmp_path).state_dict()

    def moved(name: str) -> float:
        return (after[name] - before[name]).abs().max().item()

    assert not any(moved(name) for name in before if name.startswith("backbone.embeddings."))
    first = next(name for name in before if name.startswith("backbone.encoder.layers.0.") and before[name].dim() == 2)
    last = first.replace("layers.0.", f"layers.{PRESETS['vision-tiny'].num_hidden_layers - 1}.")
    assert 0 < moved(first) < 0.2 * moved(last)


def test_depths_rise_from_the_embeddings_to_the_head() -> None:
    assert depth("backbone.embeddings.cls_token", 4) == 0
    assert depth("backbone.feature_projection.projection.weight", 4) == 0
    assert depth("backbone.encoder.pos_conv_embed.layers.0.conv.weight", 4) == 0
    assert [depth(f"backbone.encoder.layers.{block}.attention.query.weight", 4) for block in range(4)] == [1, 2, 3, 4]
    assert depth("backbone.layernorm.weight", 4) == 5
    assert depth("classifier.weight", 4) == 5


def test_from_scratch_has_the_shape_and_none_of_the_weights(encoder: Path) -> None:
    options: dict[str, Any] = {"num_labels": 3}
    trained = Start(encoder).build(Data2VecVisionForImageClassification, **options)
    scratch = Start(encoder, is_trained=False).build(Data2VecVisionForImageClassification, **options)
    source = Data2VecVisionModel.from_pretrained(encoder, add_pooling_layer=False).state_dict()
    name = next(key for key in source if source[key].dim() == 2)
    assert trained.backbone.state_dict()[name].equal(source[name])
    assert scratch.backbone.state_dict()[name].shape == source[name].shape
    assert not scratch.backbone.state_dict()[name].equal(source[name])
    assert scratch.config.class_count == trained.config.class_count == 3


@pytest.mark.parametrize(
    "wrong", [{"layer_decay": 0.0}, {"layer_decay": 1.1}, {"average": 1.0}, {"average": -0.1}, {"score_every": 0}]
)
def test_a_plan_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"FinePlan.{next(iter(wrong))}"):
        FinePlan(schedule=WarmupCosine(peak=1e-3, total=10, warmup=1), **wrong)


def test_a_share_has_every_stratum_and_is_the_same_for_a_seed() -> None:
    examples = [Example(index, "rare" if index % 20 == 0 else "common") for index in range(100)]
    few = few_of(examples, 0.1, seed=3, stratum=lambda example: example.target)
    assert [example.target for example in few].count("rare") == 1  # of five: half rounds to the even 0, at least one
    assert [example.target for example in few].count("common") == 10  # 9.5 of 95
    assert few == few_of(examples, 0.1, seed=3, stratum=lambda example: example.target)
    assert few != few_of(examples, 0.1, seed=4, stratum=lambda example: example.target)
    assert [example.content for example in few] == sorted(example.content for example in few)
    assert few_of(examples, 1.0) == examples
