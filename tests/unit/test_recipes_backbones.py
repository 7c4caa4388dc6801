"""Teaching a bundled encoder from the command line, on packs of a few items: a run, its files, and going on."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from data2vec_core.checkpoints.card import Modality
from data2vec_core.pretraining.schedule import WarmupCosine
from data2vec_core.pretraining.start import load_pretraining
from data2vec_core.processing.any import load_processor
from recipes.backbones import audio, begin, text, vision
from recipes.backbones.__main__ import main
from recipes.run_log import read_lines
from tests.pretraining_samples import MODALITIES
from tests.unit.test_recipes_data import write_lines

LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"))


def sounds(folder: Path, random: np.random.Generator) -> None:
    """Clips of a third of a second to half of one, one file a pack."""
    for pack in audio.PACKS:
        lengths = random.integers(audio.SHORTEST, 8000, 6).tolist()
        soundfile.write(folder / f"{pack}.wav", random.uniform(-0.5, 0.5, sum(lengths)), 16_000)
        starts = np.cumsum([0, *lengths[:-1]]).tolist()
        places: list[dict[str, Any]] = [
            {"file": f"{pack}.wav", "start": a, "num_samples": n} for a, n in zip(starts, lengths, strict=True)
        ]
        write_lines(folder / f"{pack}.jsonl.gz", [place | {"split": "train"} for place in places])


def texts(folder: Path, random: np.random.Generator) -> None:
    """Enough kinds of words for the whole vocabulary."""

    def sentence() -> str:
        return " ".join("".join(random.choice(LETTERS, 7)) for _ in range(12))

    with gzip.open(folder / "unlabeled_text_train.txt.gz", "wt", encoding="utf-8") as file:
        file.write("\n\n".join("\n".join(sentence() for _ in range(40)) for _ in range(15)))
    for pack in text.SENTENCE_PACKS:
        record: dict[str, Any] = {"tokens": sentence().split()} if pack == "snips_nlu" else {"text": sentence()}
        write_lines(folder / f"{pack}.jsonl.gz", [record | {"split": "train"}])


def pictures(folder: Path, random: np.random.Generator) -> None:
    """Noise; the pack of pets has maps beside it."""
    buffer = io.BytesIO()
    Image.fromarray(random.integers(0, 255, (70, 80, 3), dtype=np.uint8)).save(buffer, "png")
    for pack in vision.PACKS:
        fields = {"image": "a.png", "label": "a.png"} if pack == "pets3" else {"file": "a.png", "label": "thing"}
        with zipfile.ZipFile(folder / f"{pack}.zip", "w") as archive:
            archive.writestr("a.png", buffer.getvalue())
            archive.writestr("manifest.jsonl", "\n".join(json.dumps(fields | {"split": "train"}) for _ in range(6)))


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_run_from_the_packs_goes_on_and_is_whole(
    modality: Modality, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    data.mkdir()
    {"audio": sounds, "text": texts, "vision": pictures}[modality](data, np.random.default_rng(0))
    monkeypatch.setattr(begin, "start_from_spectra", functools.partial(begin.start_from_spectra, steps=2))
    backbone = begin.BACKBONES[modality]

    def train(steps: int) -> None:
        schedule = WarmupCosine(peak=1e-4, total=steps, warmup=1)
        plan = backbone.plan.replace(schedule=schedule, report_every=1, save_every=1)
        monkeypatch.setitem(begin.BACKBONES, modality, dataclasses.replace(backbone, plan=plan))
        main([modality, "--data", str(data), "--out", str(run), "--device", "cpu"])

    train(1)
    first = load_pretraining(run).student.state_dict()
    train(2)
    assert [line["step"] for line in read_lines(run / "log.jsonl")] == [1, 2]
    model = load_pretraining(run)
    assert model.method == backbone.method
    changed = {name for name, tensor in model.student.state_dict().items() if not tensor.equal(first[name])}
    assert changed
    assert not any(name.startswith(backbone.plan.fixed) for name in changed if backbone.plan.fixed)
    assert load_processor(run) is not None


def test_texts_too_few_for_the_vocabulary_are_refused(tmp_path: Path) -> None:
    texts(tmp_path, np.random.default_rng(0))
    with gzip.open(tmp_path / "unlabeled_text_train.txt.gz", "wt", encoding="utf-8") as file:
        file.write("the same few words again and again\n" * 20)
    with pytest.raises(ValueError, match="vocabulary"):
        text.rows_of_packs(tmp_path)
