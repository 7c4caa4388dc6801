"""Packing a finished fine-tuning: what is shared, chosen, measured, and what an older model leaves behind."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data2vec_core import Data2VecVisionConfig, Data2VecVisionForImageClassification, Data2VecVisionModel
from data2vec_core.checkpoints import backbone, source
from data2vec_core.checkpoints.card import Card, Metric
from data2vec_core.presets import PRESETS
from data2vec_core.pretraining.schedule import WarmupCosine
from data2vec_core.processing.image import ImageProcessor
from data2vec_core.tasks.image_classification import ImageClassifier
from recipes import bundle, evaluate, finetune
from recipes.bundled.model import BundledModel, Sitting
from recipes.finetuning.learning import learn
from recipes.finetuning.picture_classes import Picture, PictureClasses
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.packs import Split


def pictures(seed: int, count: int = 30) -> list[Picture]:
    random = np.random.default_rng(seed)
    levels = [(index % 2) * 120 for index in range(count)]
    pixels = [random.integers(level, level + 100, (40, 40, 3), dtype=np.uint8) for level in levels]
    return [Picture(Image.fromarray(p), "bright" if level else "dark") for p, level in zip(pixels, levels, strict=True)]


@pytest.fixture
def bundled_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With one encoder, `vision`."""
    folder = tmp_path / "models"
    for module in (backbone, source):
        monkeypatch.setattr(module, "BUNDLED_FOLDER", folder)
    encoder = folder / "vision"
    encoder.mkdir(parents=True)
    torch.manual_seed(0)
    config = PRESETS["vision-tiny"]
    assert isinstance(config, Data2VecVisionConfig)
    model = Data2VecVisionModel(config, add_pooling_layer=False)
    model.save_pretrained(encoder, dtype=torch.float16)
    ImageProcessor(size=(32, 32)).save_pretrained(encoder)
    return folder


def shade_model(fixed: tuple[str, ...]) -> BundledModel:
    splits = {"train": pictures(0), "valid": pictures(1), "test": pictures(2)}

    def tuning(start: Start, plan: FinePlan, train: Any, valid: Any) -> PictureClasses:
        return PictureClasses(start, plan, train, valid, labels=("bright", "dark"), side=32, batch=8)

    def measure(model: str | Path, data: Path, split: Split) -> list[Metric]:  # noqa: ARG001
        classify = ImageClassifier.from_pretrained(model)
        right = [classify(one.content).labels[0].label == one.target for one in splits[split]]
        return [Metric("accuracy", float(np.mean(right)), split)]

    return BundledModel(
        card=Card(name="shades", modality="vision", task="classification", licence="CC0-1.0", parent="vision"),
        plan=FinePlan(schedule=WarmupCosine(peak=1e-3, total=6, warmup=1), score_every=3, fixed=fixed, bf16=()),
        examples=lambda data, split: splits[split],  # noqa: ARG005
        tuning=tuning,
        evaluate=measure,
        finish=write_extra,
    )


def write_extra(folder: Path, data: Path) -> None:  # noqa: ARG001
    (folder / "extra.json").write_text("{}")


def noises(*_: Any) -> dict[str, list[Image.Image]]:
    random = np.random.default_rng(5)
    return {"noise": [Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)) for _ in range(12)]}


@pytest.mark.parametrize("fixed", [(), ("backbone.embeddings.", "backbone.encoder.layers.0.")])
def test_a_run_is_packed_whole(
    fixed: tuple[str, ...], bundled_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, run, folder = shade_model(fixed), tmp_path / "run", bundled_folder / "shades"
    tuning = model.tuning(Start("vision"), model.plan, model.examples(tmp_path, "train"), pictures(1))
    list(learn(tuning, run))
    for module in (bundle, evaluate):
        monkeypatch.setattr(module, "KNOWN", {"shades": ()})
        monkeypatch.setattr(module, "foreign_inputs", noises)
    folder.mkdir()
    (folder / "left-over.json").write_text("{}")

    card = bundle.bundle(model, run, tmp_path, folder)

    assert Card.load(folder) == card
    assert {file.name for file in folder.iterdir()} == {
        "card.json",
        "config.json",
        "confidence.json",
        "extra.json",
        "familiarity.safetensors",
        "model.safetensors",
    }, "the processor's file is the encoder's"
    assert card.backbone == "vision"
    assert card.extra["steps"] == 6
    names = [(metric.name, metric.split) for metric in card.metrics]
    assert names[0] == ("accuracy", "test")
    assert names[-1] == ("accuracy", "valid")
    assert ("noise taken as foreign", "test") in names
    classify = ImageClassifier.from_pretrained("shades")
    assert classify(pictures(3)[0].content).outside is not None
    measured = evaluate.measure(model, "shades", tmp_path, "test")
    assert evaluate.disagreements(card, measured) == []
    wrong = [Metric(metric.name, metric.value + 0.1, metric.split) for metric in measured]
    assert len(evaluate.disagreements(card, wrong)) == len(measured)


def test_sittings_go_on_from_each_other(
    bundled_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = shade_model(())
    second = Sitting(plan=first.plan.replace(schedule=WarmupCosine(peak=1e-4, total=4, warmup=1)), tuning=first.tuning)
    model = dataclasses.replace(first, further=(second,), until=5)
    monkeypatch.setattr(finetune, "bundled_model", {"sst2": model}.__getitem__)
    arguments = ["sst2", "--data", str(tmp_path), "--out", str(tmp_path / "run")]
    finetune.main([*arguments, "--minutes", "0"])
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("step")] == ["1/5"]
    assert not (tmp_path / "run" / "2").exists()
    finetune.main(arguments)
    said = [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    assert said == ["3/5", "5/5", "3/4", "4/4"]
    finetune.main(arguments)  # through: nothing is left to do
    assert "step" not in capsys.readouterr().out
    for module in (bundle, evaluate):
        monkeypatch.setattr(module, "KNOWN", {})
    card = bundle.bundle(model, tmp_path / "run", tmp_path, bundled_folder / "shades")
    assert card.extra["steps"] == 5 + 4
    learnt = Data2VecVisionForImageClassification.from_pretrained(tmp_path / "run" / "2").state_dict()
    packed = Data2VecVisionForImageClassification.from_pretrained(bundled_folder / "shades").state_dict()
    for name, tensor in packed.items():
        torch.testing.assert_close(tensor, learnt[name], atol=1e-3, rtol=1e-3)


def test_a_file_that_is_too_large_is_not_bundled(
    bundled_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, run, folder = shade_model(()), tmp_path / "run", bundled_folder / "shades"
    list(learn(model.tuning(Start("vision"), model.plan, pictures(0), pictures(1)), run))
    monkeypatch.setattr(bundle, "LARGEST_FILE", 1000)
    with pytest.raises(ValueError, match=r"model\.safetensors has .* bytes"):
        bundle.bundle(model, run, tmp_path, folder)
    assert not folder.exists()
