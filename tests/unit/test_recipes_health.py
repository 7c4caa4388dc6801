"""Health of tiny random encoders on made-up packs, its bundle, and what is said of it."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from analysis.probing import Scaling, knn_classify
from data2vec_core.checkpoints.bundled import BundledModel, bundled_models
from data2vec_core.checkpoints.card import Card
from data2vec_core.checkpoints.files import LOG_FILE, TEACHER_FILE, WEIGHTS_FILE
from data2vec_core.pretraining.masking import BertTokens
from data2vec_core.pretraining.modalities import build_pretraining
from data2vec_core.pretraining.saved import METHOD_FILE, PREDICTOR_FILE
from data2vec_core.pretraining.start import load_encoder
from data2vec_core.processing.any import load_processor
from data2vec_core.processing.text import train_tokenizer
from recipes import readme
from recipes.backbones.bundle import bundle_backbone, metric_name, metrics
from recipes.health import __main__ as command
from recipes.health import figures, results
from recipes.health.measure import BY_STEP_FILE, measure
from recipes.health.pooling import embed
from recipes.health.report import HEALTH_FILE, Health, table
from recipes.health.tasks import questions, raw_features
from recipes.run_log import read_lines, thinned, write_lines
from tests.pretraining_samples import MODALITIES, tiny_config, tiny_method, tiny_student
from tests.unit.test_recipes_data import write_lines as write_pack

COUNTS = {"train": 12, "valid": 8, "test": 10}
WORDS = {"red": "apple rose brick", "green": "leaf frog moss", "blue": "sea sky whale"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packs of a few items, in which every label is easy to see, hear or read."""
    folder, random = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for pack in ("speech_commands", "an4", "speechocean"):
        records: list[dict[str, Any]] = []
        for split, count in COUNTS.items():
            clips, start = [], 0
            for index in range(count):
                pitch = 1 + index % 2  # which is the label, and the speaker
                length = 1600 if pack == "speech_commands" else int(random.integers(1200, 2400))
                time = np.arange(length)
                clips.append(0.5 * np.sin(time * pitch / 4) + 0.05 * random.standard_normal(length))
                facts = {"label": f"tone {pitch}", "speaker": f"{split} {pitch}"}
                records.append(
                    {"file": f"{pack}_{split}.wav", "start": start, "num_samples": length, "split": split} | facts
                )
                start += length
            soundfile.write(folder / f"{pack}_{split}.wav", np.concatenate(clips), 16_000)
        write_pack(folder / f"{pack}.jsonl.gz", records)
    for pack in ("trec", "sst2"):
        records = []
        for split, count in COUNTS.items():
            for index in range(count):
                label = list(WORDS)[index % 3]
                words = random.choice(WORDS[label].split(), 1 + index % 4)
                records.append({"text": " ".join(words), "label": label, "split": split})
        write_pack(folder / f"{pack}.jsonl.gz", records)
    with zipfile.ZipFile(folder / "caltech25.zip", "w") as archive:
        lines = []
        for split, count in COUNTS.items():
            for index in range(count):
                label = list(WORDS)[index % 3]
                buffer = io.BytesIO()
                noise = random.integers(0, 60, (20, 24, 3), dtype=np.uint8)
                noise[..., index % 3] += 150
                Image.fromarray(noise).save(buffer, "png")
                archive.writestr(f"{split}{index}.png", buffer.getvalue())
                lines.append(json.dumps({"file": f"{split}{index}.png", "label": label, "split": split}))
        archive.writestr("manifest.jsonl", "\n".join(lines))
    return folder


def make_run(modality: str, folder: Path) -> Path:
    """A folder as `pretrain` leaves it, with a teacher that differs from its student."""
    torch.manual_seed(3)
    if modality == "text":
        tokenizer = train_tokenizer([*WORDS.values()] * 3, 280)
        tokenizer.save_pretrained(folder)
        masking = BertTokens(vocab_size=len(tokenizer), mask_id=tokenizer.mask_id)
        student, method = tiny_student("text", vocab_size=len(tokenizer)), tiny_method("text", masking=masking)
    else:
        student, method = tiny_student(modality), tiny_method(modality)
    model = build_pretraining(student, method)
    for parameter in model.teacher.parameters():
        nn.init.normal_(parameter, std=0.05)
    model.save_pretrained(folder)
    write_lines(folder / LOG_FILE, [report(step) for step in (10, 20, 30)])
    return folder


def report(step: int) -> dict[str, Any]:
    """A line of the training loop's log."""
    return {
        "step": step,
        "loss": 2 / step,
        "learning_rate": 1e-3,
        "target_spread": 0.5,
        "prediction_spread": 0.1 * step,
        "distances": [0.1, 0.2],
        "seconds": 6.0 * step,
    }


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {modality: make_run(modality, tmp_path_factory.mktemp(modality)) for modality in MODALITIES}


@pytest.fixture(scope="module")
def measured(runs: dict[str, Path], data: Path) -> dict[str, Health]:
    return {modality: measure(run, data) for modality, run in runs.items()}


@pytest.mark.parametrize("modality", MODALITIES)
def test_every_source_is_scored_by_layer_and_split(measured: dict[str, Health], modality: str) -> None:
    found, layers = measured[modality], tiny_config(modality).num_hidden_layers
    asked = {"audio": ["speaker", "command"], "text": ["question type", "sentiment"], "vision": ["object"]}
    assert [answers.question for answers in found.answers] == asked[modality]
    for answers in found.answers:
        assert list(answers.scores) == ["student", "teacher", "untrained", "raw"]
        for source, scores in answers.scores.items():
            assert [score.layer for score in scores] == ([None] if source == "raw" else [*range(layers + 1)])
            for score in scores:
                assert score.knn.keys() == score.probe.keys() == {"valid", "test"}
        assert answers.scores["raw"][0].probe["test"] > answers.majority["test"]  # the labels are plain to see
    assert found.shapes.keys() == {"student", "teacher", "untrained"}
    for student, teacher in zip(found.shapes["student"], found.shapes["teacher"], strict=True):
        assert student.spread > 0
        assert student.spread_within > 0
        assert 1 <= student.effective_rank <= found.shape_items
        assert student.layer == teacher.layer
    assert found.shapes["student"][-1] != found.shapes["teacher"][-1]


@pytest.mark.parametrize("modality", MODALITIES)
def test_pooling_is_the_mean_over_the_real_positions_of_each_item_alone(
    runs: dict[str, Path], data: Path, modality: str
) -> None:
    run = runs[modality]
    items = questions(modality, data)[0].items  # type: ignore[arg-type]
    model, processor = load_encoder(run, "student"), load_processor(run)
    pooled = embed(model, run, items)
    config = model.config
    parts = 16 if modality == "vision" else 2
    assert pooled.vectors.shape == (config.num_hidden_layers + 1, len(items), parts * config.hidden_size)
    for index in (0, 5, len(items) - 1):
        inputs = processor(items[index])
        inputs.pop("attention_mask", None)
        with torch.no_grad():
            hidden = torch.stack(model(**inputs, output_hidden_states=True).hidden_states)[:, 0]
        counted = {"audio": hidden, "text": hidden[:, 1:-1], "vision": hidden[:, 1:]}[modality]
        assert np.allclose(pooled.means[:, index], counted.mean(dim=1), atol=1e-5)
        assert np.allclose(pooled.deviations[:, index], counted.std(dim=1, correction=0), atol=1e-5)
        if modality == "vision":  # 4 x 4 patches: every cell is one
            assert np.allclose(pooled.vectors[:, index], counted.flatten(1), atol=1e-5)


def test_choices_are_made_on_valid_and_test_is_scored_with_them(
    runs: dict[str, Path], data: Path, measured: dict[str, Health]
) -> None:
    [question] = questions("vision", data)
    features = embed(load_encoder(runs["vision"], "student"), runs["vision"], question.items).vectors[1]
    [fold] = question.folds["test"]
    assert len(fold.fit) == COUNTS["train"]
    assert len(fold.score) == COUNTS["test"]
    scaling = Scaling.of(features[fold.fit])
    score = measured["vision"].answers[0].scores["student"][1]
    predicted = knn_classify(
        scaling(features[fold.fit]), question.labels[fold.fit], scaling(features[fold.score]), k=score.neighbours
    )
    assert score.knn["test"] == np.mean(predicted == question.labels[fold.score])


def test_the_layer_that_stands_for_a_model_is_the_best_on_valid(measured: dict[str, Health]) -> None:
    answers = measured["text"].answers[0]
    low, high = answers.scores["student"][:2]
    low = dataclasses.replace(low, knn={"valid": 0.4, "test": 0.9})
    high = dataclasses.replace(high, knn={"valid": 0.5, "test": 0.1})
    answers = dataclasses.replace(answers, scores={"student": (low, high, dataclasses.replace(high, layer=2))})
    assert answers.best("student", "knn").layer == 1


def test_speakers_are_asked_about_in_two_halves_and_never_those_of_train(data: Path) -> None:
    speakers = questions("audio", data)[0]
    for split, folds in speakers.folds.items():
        assert {label.split()[1] for label in speakers.labels[speakers.scored(split)]} == {split}
        first, second = folds
        assert set(first.fit) == set(second.score)
        assert not set(first.fit) & set(first.score)
        assert set(speakers.labels[first.fit]) == set(speakers.labels[first.score])
    assert speakers.classes("test") == 4  # two voices in each of two packs
    assert len(speakers.scored("test")) == 2 * COUNTS["test"]


def test_tf_idf_knows_only_the_words_of_train(data: Path) -> None:
    question = questions("text", data)[0]
    question.items[-1] = "zebra"
    features = raw_features("text", question)
    assert features[len(question.items) - 1].nnz == 0
    assert features[0].nnz > 0


def test_few_items_are_drawn_from_train_alone(data: Path) -> None:
    [question] = questions("vision", data, ["valid"], most=5)
    [fold] = question.folds["valid"]
    assert (len(fold.fit), len(fold.score), len(question.items)) == (5, COUNTS["valid"], 5 + COUNTS["valid"])


def test_untrained_weights_are_always_the_same_and_disturb_nothing(runs: dict[str, Path]) -> None:
    before = torch.get_rng_state()
    one, other = (load_encoder(runs["text"], None).state_dict() for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    student = load_encoder(runs["text"], "student").state_dict()
    assert not any(torch.equal(tensor, student[name]) for name, tensor in one.items() if name.endswith("query.weight"))


def test_health_goes_through_json(measured: dict[str, Health], tmp_path: Path) -> None:
    measured["audio"].save(tmp_path / HEALTH_FILE)
    assert Health.load(tmp_path / HEALTH_FILE) == measured["audio"]


def test_valid_cannot_be_left_out(runs: dict[str, Path], data: Path) -> None:
    with pytest.raises(ValueError, match="valid has to be among them"):
        measure(runs["vision"], data, splits=["test"])


def test_a_quick_look_prints_a_table_and_notes_the_step(
    data: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = make_run("vision", tmp_path)
    before = torch.get_num_threads()
    try:
        command.main([str(run), "--data", str(data), "--quick", "--step", "30"])
    finally:
        torch.set_num_threads(before)
    said = capsys.readouterr().out
    assert "object, valid: 8 items, 3 classes" in said
    assert "student" in said
    assert "untrained" not in said
    assert "probe" not in said
    [line] = read_lines(run / BY_STEP_FILE)
    assert line["step"] == 30
    assert line["knn"]["object"].keys() == {"student", "teacher"}


def test_the_table_names_the_best_layer(measured: dict[str, Health]) -> None:
    answers = measured["vision"].answers[0]
    best = answers.best("teacher", "probe")
    assert f"layer {best.layer}: {best.probe['test']:.1%}" in table(measured["vision"], "test")


def test_logs_are_thinned_to_means_of_neighbours(tmp_path: Path) -> None:
    log = [report(step) for step in range(1, 11)]
    few = thinned(log, 5)
    assert [line["step"] for line in few] == [2, 4, 6, 8, 10]
    assert few[0]["loss"] == pytest.approx((2 / 1 + 2 / 2) / 2)
    assert few[0]["distances"] == [0.1, 0.2]
    assert thinned(log, 10) == log
    write_lines(tmp_path / "log", [{"step": 1, "loss": 1 / 3, "distances": [2 / 3]}])
    assert read_lines(tmp_path / "log") == [{"step": 1, "loss": 0.333333, "distances": [0.666667]}]


CARDS = {
    modality: Card(name=modality, modality=modality, task="pretraining", trained_on="made-up things", licence="CC0-1.0")
    for modality in ("audio", "text", "vision")
}


@pytest.fixture(scope="module")
def bundle(runs: dict[str, Path], data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three bundled encoders."""
    folder = tmp_path_factory.mktemp("models")
    for modality, run in runs.items():
        bundle_backbone(run, CARDS[modality], data, folder / modality)
    return folder


@pytest.mark.parametrize("modality", MODALITIES)
def test_bundle_is_half_precision_and_measured_as_it_is(bundle: Path, data: Path, modality: str) -> None:
    folder = bundle / modality
    for name in (WEIGHTS_FILE, TEACHER_FILE, PREDICTOR_FILE):
        assert {tensor.dtype for tensor in load_file(folder / name).values() if tensor.is_floating_point()} == {
            torch.float16
        }
    assert (folder / METHOD_FILE).is_file()
    card, found = Card.load(folder), Health.load(folder / HEALTH_FILE)
    assert card.metrics == metrics(found)
    assert found == measure(folder, data)
    assert (card.minutes, card.extra["steps"]) == (3.0, 30)
    assert card.parameters == load_encoder(folder, "teacher").num_parameters()
    question = found.answers[0]
    name = metric_name(question.question, "probe", "student")
    assert card.metrics[0].name == name == f"{question.question}, linear probe of the student"
    assert card.metric(name) == question.best("student", "probe").probe["test"]


def test_only_encoders_are_bundled_so(runs: dict[str, Path], data: Path, tmp_path: Path) -> None:
    card = dataclasses.replace(CARDS["vision"], task="classification")
    with pytest.raises(ValueError, match="task='classification'"):
        bundle_backbone(runs["vision"], card, data, tmp_path)


def test_tables_and_figures_tell_of_every_encoder(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    models = bundled_models(bundle)
    task = BundledModel("sst2", bundle, Card(name="sst2", modality="text", task="classification", trained_on="x"))
    monkeypatch.setattr(results, "bundled_models", lambda: [*models, task])
    monkeypatch.setattr(readme, "bundled_models", lambda: [*models, task])
    assert [line.split(" | ")[0] for line in readme.models_table().splitlines()[2:]] == ["| `sst2`"]
    listed = readme.encoders_table()
    assert [line.split(" | ")[0] for line in listed.splitlines()[2:]] == ["| `audio`", "| `text`", "| `vision`"]
    text = results.results()
    found = Health.load(bundle / "audio" / HEALTH_FILE).answers[0].best("teacher", "knn")
    assert f"{found.knn['test']:.1%} ±" in text
    for model in models:
        figures.draw(model, tmp_path)
        for kind in ("learning", "layers"):
            assert "![" in text
            assert f"(figures/{model.name}-{kind}.svg)" in text
            drawn = (tmp_path / f"{model.name}-{kind}.svg").read_text(encoding="utf-8")
            assert "NaN" not in drawn
            assert len(drawn) < 150_000
