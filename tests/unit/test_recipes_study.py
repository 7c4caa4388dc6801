"""The comparison of both starts: what it chooses by, goes on from, and shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data2vec_core import Data2VecVisionConfig, Data2VecVisionModel
from data2vec_core.presets import PRESETS
from recipes.finetuning.picture_classes import Picture, PictureClasses
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.study import compare, report
from recipes.study.compare import SEEDS, SHARES, Outcome, Trial, chosen, read_outcomes, write_outcome
from recipes.study.subjects import SUBJECTS, Subject


def outcome(valid: float, test: float, **trial: Any) -> Outcome:
    fields = {"subject": "sst2", "is_trained": True, "share": 0.1, "rate": 1e-3, "layer_decay": 1.0, "seed": 0}
    return Outcome(trial=Trial(**{**fields, **trial}), items=600, valid=valid, test=test, seconds=1.0)


def test_the_best_on_valid_counts_whatever_test_says() -> None:
    outcomes = [
        outcome(0.7, 0.9, rate=1e-4),
        outcome(0.8, 0.6),
        outcome(0.6, 0.7, seed=1),
        outcome(0.9, 0.65, seed=2),
        outcome(0.5, 0.4, is_trained=False),
    ]
    groups = chosen(outcomes)
    assert [one.test for one in groups["sst2", 0.1, True]] == [0.6, 0.7, 0.65]
    assert [one.test for one in groups["sst2", 0.1, False]] == [0.4]


def test_the_table_has_means_ranges_and_gains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "outcomes.jsonl"
    for one in (outcome(0.8, 0.6), outcome(0.8, 0.7, seed=1), outcome(0.5, 0.4, is_trained=False)):
        write_outcome(file, one)
    monkeypatch.setattr(report, "OUTCOMES_FILE", file)
    rows = report.study_table().splitlines()
    assert len(rows) == 3
    for part in ("`sst2`", "600 (10%)", "65.0% (60.0% to 70.0%, 2 seeds", "40.0% (1 seed", "+25.0"):
        assert part in rows[2]
    assert report.study_figure().axes


def test_it_searches_on_valid_and_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = tmp_path / "encoder"
    torch.manual_seed(0)
    config = PRESETS["vision-tiny"]
    assert isinstance(config, Data2VecVisionConfig)
    Data2VecVisionModel(config, add_pooling_layer=False).save_pretrained(encoder)
    random = np.random.default_rng(0)

    def pictures(count: int) -> list[Picture]:
        made = []
        for index in range(count):
            level = 60 if index % 2 else 190
            pixels = random.integers(level - 40, level + 40, (32, 32, 3), dtype=np.uint8)
            made.append(Picture(Image.fromarray(pixels), "dark" if index % 2 else "bright"))
        return made

    splits = {"train": pictures(20), "valid": pictures(8), "test": pictures(8)}

    def build(start: Start, plan: FinePlan, train: Sequence[Any], valid: Sequence[Any]) -> PictureClasses:
        return PictureClasses(start, plan, train, valid, labels=("bright", "dark"), side=32, batch=8)

    subject = Subject(
        name="sst2",
        modality="vision",
        score="accuracy",
        examples=lambda data, split: splits[split],  # noqa: ARG005
        build=build,
        steps=4,
        few_steps=2,
        candidates=((1e-3, 1.0), (1e-5, 1.0)),
    )
    file = tmp_path / "outcomes.jsonl"
    first = next(iter(compare.compare(subject, tmp_path, file, start=encoder)))
    assert first.items == 2  # a tenth of 20, one of each class
    tried: list[Trial] = []
    attempt = compare.attempt

    def counted(subject: Subject, trial: Trial, *rest: Any) -> Outcome:
        tried.append(trial)
        return attempt(subject, trial, *rest)

    monkeypatch.setattr(compare, "attempt", counted)
    list(compare.compare(subject, tmp_path, file, start=encoder))
    assert first.trial not in tried
    outcomes = read_outcomes(file)
    assert outcomes[0] == first
    assert len(outcomes) == len({one.trial for one in outcomes}) == len(SHARES) * 2 * (2 + len(SEEDS) - 1)
    for group in chosen(outcomes).values():
        assert {one.trial.seed for one in group} == set(SEEDS)
        assert len({one.trial.rate for one in group}) == 1


def test_both_starts_have_the_same_search_and_scratch_fixes_nothing() -> None:
    for subject in SUBJECTS.values():
        trained, scratch = (
            subject.plan(share=0.1, is_trained=is_trained, rate=1e-3, layer_decay=1.0, seed=0)
            for is_trained in (True, False)
        )
        assert scratch.fixed == ()
        assert trained.replace(fixed=()) == scratch
        assert 2 <= len(set(subject.candidates)) == len(subject.candidates) <= 3
