"""The recipe with Keras `fit`, on a few pictures of one colour a class."""

from __future__ import annotations

import csv
import dataclasses
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data2vec_core import Data2VecVisionModel
from data2vec_core.presets import PRESETS
from recipes import keras_fit
from recipes.finetuning.picture_classes import PictureClasses
from recipes.finetuning.start import Start
from recipes.keras_fit import BEST, LAST, LOG, OUTCOME, compiled, fit, lesson
from recipes.packs import Split, read_pictures

SPLITS: tuple[Split, ...] = ("train", "valid")
COLOURS = {"red": (200, 40, 40), "green": (40, 200, 40)}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pack of the form of caltech25."""
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    lines = []
    with zipfile.ZipFile(folder / "caltech25.zip", "w") as archive:
        for split, count in {"train": 8, "valid": 4, "test": 4}.items():
            for number in range(count):
                label = list(COLOURS)[number % 2]
                pixels = np.clip(np.array(COLOURS[label]) + random.normal(0, 30, (36, 40, 3)), 0, 255).astype("uint8")
                name = f"{split}-{number}.png"
                with archive.open(name, "w") as file:
                    Image.fromarray(pixels).save(file, "PNG")
                lines.append(json.dumps({"file": name, "label": label, "split": split}))
        archive.writestr("manifest.jsonl", "\n".join(lines))
    assert len(list(read_pictures(folder, "caltech25", "train"))) == 8
    return folder


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Four rounds of two steps with four pictures each, for an encoder of one block."""
    config: Any = PRESETS["vision-tiny"].replace(num_hidden_layers=1)
    Data2VecVisionModel(config).save_pretrained(tmp_path / "encoder")

    def short(train: Any, valid: Any, seed: int) -> Any:
        tuning = lesson(train, valid, seed)
        schedule = dataclasses.replace(tuning.plan.schedule, total=8, warmup=1, peak=0.01)
        tuning.plan = dataclasses.replace(tuning.plan, schedule=schedule, score_every=2, average=0.5)
        tuning.batch, tuning.start = 4, Start(tmp_path / "encoder")
        tuning.configuration["drop_path_rate"] = 0.0  # Keras does not keep what its generators would draw next
        return tuning

    monkeypatch.setattr(keras_fit, "lesson", short)


def lesson_of(data: Path) -> PictureClasses:
    train, valid = (keras_fit.SUBJECT.examples(data, split) for split in SPLITS)
    return keras_fit.lesson(train, valid, 0)


def rounds(folder: Path) -> list[dict[str, str]]:
    """The lines of the log."""
    with (folder / LOG).open(encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows))


def test_it_learns_goes_on_where_it_was_stopped_and_both_frameworks_agree(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    keras_fit.main(["--data", str(data), "--out", str(whole)])
    outcome = json.loads((whole / OUTCOME).read_text())
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == outcome
    assert outcome["test"] == {"pytorch": 1.0, "tensorflow": 1.0}
    assert (outcome["same"], outcome["pictures"]) == (4, 4)
    assert outcome["largest_difference"] < 1e-4

    class StoppedError(Exception):
        """In the place of somebody who ends the process."""

    tuning = lesson_of(data)
    batch_of = tuning.batch_of

    def until_the_third_round(step: int) -> Any:
        if step == 5:
            raise StoppedError
        return batch_of(step)

    tuning.batch_of = until_the_third_round  # type: ignore[method-assign]
    with pytest.raises(Exception, match="StoppedError"):
        fit(tuning, parts)
    assert (parts / LAST).is_file()
    assert (parts / BEST).is_file()
    fit(lesson_of(data), parts)
    assert [row["epoch"] for row in rounds(parts)] == ["0", "1", "2", "3"]
    losses, expected = ([float(row["loss"]) for row in rounds(folder)] for folder in (parts, whole))
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    fit(lesson_of(data), parts)  # nothing is left to do
    assert len(rounds(parts)) == 4


def test_norms_and_biases_do_not_decay(data: Path) -> None:
    model = compiled(lesson_of(data))
    decays = {weight.path: model.optimizer._use_weight_decay(weight) for weight in model.trainable_weights}
    assert {path for path, is_on in decays.items() if is_on} == {
        weight.path for weight in model.trainable_weights if len(weight.shape) > 1
    }
