"""What is bundled states where it comes from and its licence, and is small enough to carry around."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

import data2vec_core
from data2vec_core.checkpoints.bundled import BundledModel, bundled_models
from data2vec_core.checkpoints.card import MODALITIES
from data2vec_core.checkpoints.files import Role
from data2vec_core.pretraining.start import load_encoder
from recipes.backbones.bundle import metrics
from recipes.bundled import NAMES
from recipes.health.figures import FIGURES
from recipes.health.report import HEALTH_FILE, Health

ASSETS = Path(__file__).resolve().parents[2] / "assets"
EXAMPLES = ASSETS / "examples"
INDEX: list[dict[str, Any]] = json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))
MEGABYTE = 1_000_000
ROLES: tuple[Role, ...] = ("student", "teacher")


def test_every_example_is_listed_and_every_listed_example_is_there() -> None:
    files = {path.name for path in EXAMPLES.iterdir() if path.is_file()}  # folders hold items: see test_items
    assert sorted(record["file"] for record in INDEX) == sorted(files - {"examples.json"})


@pytest.mark.parametrize("record", INDEX, ids=lambda record: record["file"])
def test_example_states_source_licence_and_use(record: dict[str, Any]) -> None:
    assert record["kind"] in {"audio", "image", "text"}
    for field in ("tasks", "source", "licence", "changes"):
        assert record[field], field
    assert record["kind"] == "text" or record.get("text") or record.get("label"), "says neither what is heard nor seen"


@pytest.mark.parametrize("record", [r for r in INDEX if r["kind"] == "audio"], ids=lambda record: record["file"])
def test_sound_is_short_16_khz_mono_and_not_silent(record: dict[str, Any]) -> None:
    samples, rate = soundfile.read(EXAMPLES / record["file"])
    assert (rate, samples.ndim) == (16_000, 1)
    assert len(samples) <= 10 * rate
    assert np.abs(samples).max() > 0.1


@pytest.mark.parametrize("record", [r for r in INDEX if r["kind"] == "image"], ids=lambda record: record["file"])
def test_picture_is_small_and_carries_no_metadata(record: dict[str, Any]) -> None:
    path = EXAMPLES / record["file"]
    with Image.open(path) as picture:
        assert picture.mode == "RGB"
        assert max(picture.size) <= 640
        assert not picture.getexif()
    assert path.stat().st_size < 0.15 * MEGABYTE


def test_each_model_folder_has_a_card_with_data_score_and_licence() -> None:
    folders = {path.name for path in (ASSETS / "models").glob("*") if path.is_dir()}
    models = {model.name: model.card for model in bundled_models()}
    assert set(models) == folders
    for name, card in models.items():
        assert card.name == name
        assert card.licence, f"{name}: no licence"
        assert card.trained_on, f"{name}: no training data"
        assert card.metrics, f"{name}: no score"


def test_nothing_is_too_large_to_carry_around() -> None:
    sizes = {path.relative_to(ASSETS).as_posix(): path.stat().st_size for path in ASSETS.rglob("*") if path.is_file()}
    assert {name: size for name, size in sizes.items() if size >= 10 * MEGABYTE} == {}
    assert sum(sizes.values()) < 120 * MEGABYTE


def test_every_model_that_there_is_a_recipe_for_is_there() -> None:
    assert {*NAMES, *MODALITIES} == {model.name for model in bundled_models()}


@pytest.mark.parametrize(
    ("name", "metric", "least"),
    [
        ("commands", "accuracy", 0.85),
        ("sst2", "accuracy", 0.75),
        ("trec", "accuracy", 0.85),
        ("snips-intent", "accuracy", 0.98),
        ("snips-slots", "F1 of spans", 0.88),
        ("qa", "exact match, slot questions", 0.80),
        ("choice", "accuracy, intent among 7", 0.90),
        ("esc10", "accuracy", 0.80),
        ("objects", "accuracy, caltech25 part", 0.70),
        ("objects", "accuracy, flowers5 part", 0.75),
        ("pets3", "mean IoU", 0.62),
        ("camvid", "mean IoU", 0.30),
    ],
)
def test_scores_reach_at_least(name: str, metric: str, least: float) -> None:
    assert _measured(name, metric) >= least


@pytest.mark.parametrize(
    ("name", "metric", "most"),
    [
        ("an4", "word error rate", 0.20),
        ("an4", "word error rate with lexicon", 0.13),
        ("speakers", "equal error rate, speechocean", 0.20),
        ("speakers", "equal error rate, an4", 0.16),
        ("activity", "diarisation error rate", 0.20),
        ("mlm", "perplexity", 200),
        ("causal", "perplexity", 150),
    ],
)
def test_errors_reach_at_most(name: str, metric: str, most: float) -> None:
    assert _measured(name, metric) <= most


def _measured(name: str, metric: str) -> float:
    cards = {model.name: model.card for model in bundled_models()}
    value = cards[name].metric(metric, "test")
    assert value is not None
    return value


@pytest.mark.parametrize("model", [m for m in bundled_models() if m.card.is_encoder], ids=lambda model: model.name)
def test_bundled_encoder_has_a_teacher_and_is_as_healthy_as_its_card_says(model: BundledModel) -> None:
    health = Health.load(model.folder / HEALTH_FILE)
    assert model.card.metrics == metrics(health)
    student, teacher = (load_encoder(model.folder, role) for role in ROLES)
    assert teacher.state_dict().keys() == student.state_dict().keys()
    assert student.num_parameters() == model.card.parameters
    for answers in health.answers:
        for role in ROLES:
            learnt, untrained = (answers.best(source, "probe").probe["test"] for source in (role, "untrained"))
            assert learnt > untrained, answers.question
    for shapes in (health.shapes[role] for role in ROLES):
        assert min(shape.spread for shape in shapes) > 0.01
        assert min(shape.effective_rank for shape in shapes) > 3
    for kind in ("learning", "layers"):
        assert (FIGURES / f"{model.name}-{kind}.svg").is_file(), "run `python -m recipes.health.figures`"


@pytest.mark.parametrize("model", [m for m in bundled_models() if not m.card.is_encoder], ids=lambda model: model.name)
def test_bundled_model_loads_without_a_word(model: BundledModel) -> None:
    [name] = json.loads((model.folder / "config.json").read_text(encoding="utf-8"))["architectures"]
    loaded = getattr(data2vec_core, name).from_pretrained(model.folder)
    assert loaded.load_report.is_complete
    assert loaded.load_report.sentences() == []


@pytest.mark.parametrize("record", [r for r in INDEX if r["kind"] == "audio" and "audio-classification" in r["tasks"]])
def test_command_examples_are_heard_rightly(record: dict[str, Any]) -> None:
    from data2vec_core.tasks.audio_classification import AudioClassifier

    labels = AudioClassifier.from_pretrained("commands")(EXAMPLES / record["file"]).labels
    assert labels[0].label == record["label"]


@pytest.mark.parametrize("record", [r for r in INDEX if "image-classification" in r["tasks"]])
def test_object_examples_are_named_rightly(record: dict[str, Any]) -> None:
    from data2vec_core.tasks.image_classification import ImageClassifier

    labels = ImageClassifier.from_pretrained("objects")(EXAMPLES / record["file"]).labels
    assert labels[0].label == record["label"]
