"""The bundled models of voices, from packs of a few hums to their scores."""

from __future__ import annotations

import gzip
import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data2vec_core import Data2VecAudioConfig, Data2VecAudioModel
from data2vec_core.presets import PRESETS
from data2vec_core.tasks import task_of
from data2vec_core.tasks.speaker_activity import Smoothing, SpeakerActivity
from data2vec_core.tasks.speaker_verification import SpeakerVerifier, load_threshold
from recipes.bundled import activity, bundled_model, speakers
from recipes.finetuning.start import Start
from recipes.packs import Split

RATE = 16_000
SPLITS: tuple[Split, ...] = ("train", "valid", "test")


def write_pack(folder: Path, pack: str, speakers_of_split: int = 2) -> list[dict[str, object]]:
    """Two hums of each of a few speakers in every split."""
    records: list[dict[str, object]] = []
    for number, split in enumerate(SPLITS):
        sounds, start = [], 0
        for speaker in range(speakers_of_split):
            for take in range(2):
                time = np.arange(RATE // 2) / RATE
                sounds.append(0.3 * np.sin(2 * np.pi * (140 + 60 * speaker + 15 * number + take) * time))
                facts = {"id": f"{pack}-{split}-{speaker}-{take}", "speaker": f"{split}{speaker}", "gender": "f"}
                records.append(
                    {**facts, "file": f"{pack}_{split}.wav", "start": start, "num_samples": RATE // 2, "split": split}
                )
                start += RATE // 2
        soundfile.write(folder / f"{pack}_{split}.wav", np.concatenate(sounds), RATE)
    write_lines(folder / f"{pack}.jsonl.gz", records)
    return records


def write_lines(path: Path, records: list[dict[str, object]]) -> None:
    with gzip.open(path, "wt") as lines:
        lines.writelines(json.dumps(record) + "\n" for record in records)


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packs")
    write_pack(folder, "speech_commands")
    trials: list[dict[str, object]] = []
    for pack in speakers.CORPORA:
        for one, other in combinations(write_pack(folder, pack), 2):
            if one["split"] == other["split"]:
                pair = {"a": one["id"], "b": other["id"], "same": int(one["speaker"] == other["speaker"])}
                trials.append({"set": pack, "split": one["split"], **pair})
    write_lines(folder / "speaker_trials.jsonl.gz", trials)
    return folder


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speakers, "SPECTRA", 1)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny, with the frames of the bundled one."""
    folder = tmp_path_factory.mktemp("encoder")
    public = Data2VecAudioConfig()
    shape = {"conv_dim": (16,) * 7, "conv_kernel": public.conv_kernel, "conv_stride": public.conv_stride}
    config = PRESETS["audio-tiny"].replace(num_hidden_layers=3, **shape)
    Data2VecAudioModel(config).save_pretrained(folder)  # type: ignore[arg-type]
    return folder


def made(name: str, start: Path, packs: Path, folder: Path) -> Path:
    """A run that has learnt nothing, finished as a real one is."""
    model = bundled_model(name)
    tuning = model.tuning(Start(start), model.plan, model.examples(packs, "train"), model.examples(packs, "valid"))
    tuning.build_model().save_pretrained(folder)
    tuning.extract.save_pretrained(folder)  # type: ignore[attr-defined]
    model.finish(folder, packs)
    return folder


def test_speakers_from_packs_to_scores(packs: Path, encoder: Path, tmp_path: Path) -> None:
    folder = made("speakers", encoder, packs, tmp_path)
    assert task_of(folder) is SpeakerVerifier
    assert -1 <= load_threshold(folder) <= 1
    metrics = bundled_model("speakers").evaluate(folder, packs, "test")
    assert [(metric.name, metric.split) for metric in metrics] == [
        ("equal error rate, an4", "test"),
        ("equal error rate, speechocean", "test"),
    ]
    assert all(0 <= metric.value <= 1 for metric in metrics)


def test_train_speakers_come_from_three_packs(packs: Path) -> None:
    voices = {(example.target.corpus, example.target.speaker) for example in speakers.examples(packs, "train")}
    assert len(voices) == 6
    assert {example.target.corpus for example in speakers.examples(packs, "test")} == set(speakers.CORPORA)


def test_activity_from_packs_to_scores(
    packs: Path, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "ENCODER", str(encoder))
    monkeypatch.setattr(activity, "CONVERSATIONS", 2)
    voices = made("speakers", encoder, packs, tmp_path / "speakers")
    folder = made("activity", voices, packs, tmp_path / "activity")
    assert task_of(folder) is SpeakerActivity
    assert Smoothing.load(folder).window in activity.WINDOWS
    metrics = {metric.name: metric for metric in bundled_model("activity").evaluate(folder, packs, "test")}
    parts = [metrics[name].value for name in ("missed speech", "false alarms", "speaker confusion")]
    assert metrics["diarisation error rate"].value == pytest.approx(sum(parts))
    assert {metric.split for metric in metrics.values()} == {"test"}


def test_activity_hears_as_speakers_does(
    packs: Path, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "ENCODER", str(encoder))
    voices = made("speakers", encoder, packs, tmp_path)
    train, valid = (speakers.examples(packs, split) for split in ("train", "valid"))
    model = activity.tuning(Start(voices), activity.PLAN, train, valid).build_model().backbone.state_dict()
    ears = Data2VecAudioModel.from_pretrained(voices).state_dict()
    assert all(model[name].equal(tensor) for name, tensor in ears.items() if name != "masked_spec_embed")
    top = Data2VecAudioModel.from_pretrained(encoder).state_dict()
    own = [name for name in model if name not in ears]
    assert own
    assert all(
        name.startswith(("encoder.layers.1.", "encoder.layers.2.")) and model[name].equal(top[name]) for name in own
    )


def test_the_conversations_of_a_split_are_always_the_same(packs: Path) -> None:
    one, other = (activity.manifest(speakers.examples(packs, "valid")) for _ in range(2))
    assert len(one) == activity.CONVERSATIONS
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a.samples, b.samples)
        assert np.array_equal(a.is_speaking, b.is_speaking)
