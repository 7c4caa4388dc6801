"""One task from both starts, at each number of labels: search on valid, then three seeds, scored on test."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from recipes.finetuning.examples import few_of
from recipes.finetuning.learning import learn
from recipes.finetuning.start import Start
from recipes.packs import Split
from recipes.run_log import read_lines
from recipes.study.subjects import Subject

SHARES = (0.1, 1.0)
"""Of the labels."""
SEEDS = (0, 1, 2)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One model of the comparison."""

    subject: str
    is_trained: bool
    """Whether it starts from the pre-trained encoder, or from scratch."""
    share: float
    """Of the labels."""
    rate: float
    """Learning rate at its peak."""
    layer_decay: float
    seed: int
    """Of order, dropout, fresh weights, and of which labels are among the share."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What it came to."""

    trial: Trial
    items: int
    """Labelled items it learnt from."""
    valid: float
    """Best score on valid while learning; the weights of that moment count."""
    test: float
    """Of those weights. No choice is made by it."""
    seconds: float
    """Of training, scoring on valid included."""


def compare(subject: Subject, data: Path, file: Path, *, start: str | Path | None = None) -> Iterator[Outcome]:
    """All trials of a task, each outcome written to `file` (JSON lines) when it is there; what the file has already is
    not tried again.

    Args:
        data: folder of the packs.
        start: the checkpoint to begin from, instead of the bundled encoder.

    Yields:
        the outcomes as they come.
    """
    done = {outcome.trial: outcome for outcome in read_outcomes(file)}
    splits: dict[Split, Sequence[Any]] = {split: subject.examples(data, split) for split in ("train", "valid", "test")}

    def outcome(trial: Trial) -> Iterator[Outcome]:
        if trial not in done:
            done[trial] = attempt(subject, trial, splits, start or subject.modality)
            write_outcome(file, done[trial])
            yield done[trial]

    for share in SHARES:
        for is_trained in (True, False):
            candidates = [
                Trial(
                    subject=subject.name,
                    is_trained=is_trained,
                    share=share,
                    rate=rate,
                    layer_decay=layer_decay,
                    seed=SEEDS[0],
                )
                for rate, layer_decay in subject.candidates
            ]
            for trial in candidates:
                yield from outcome(trial)
            best = max(candidates, key=lambda trial: done[trial].valid)
            for seed in SEEDS[1:]:
                yield from outcome(dataclasses.replace(best, seed=seed))


def attempt(subject: Subject, trial: Trial, splits: Mapping[Split, Sequence[Any]], checkpoint: str | Path) -> Outcome:
    """Learn and score one model; nothing of it is kept but its scores."""
    train = splits["train"]
    if trial.share < 1:
        train = few_of(train, trial.share, seed=trial.seed, stratum=subject.stratum)
    start = Start(checkpoint, is_trained=trial.is_trained)
    plan = subject.plan(
        share=trial.share,
        is_trained=trial.is_trained,
        rate=trial.rate,
        layer_decay=trial.layer_decay,
        seed=trial.seed,
    )
    tuning = subject.build(start, plan, train, splits["valid"])
    with tempfile.TemporaryDirectory() as folder:
        *_, last = learn(tuning, Path(folder))
        model = tuning.model_class.from_pretrained(folder).eval()
        with torch.inference_mode():
            test = subject.build(start, plan, train, splits["test"]).score(model)
    return Outcome(trial=trial, items=len(train), valid=last.best, test=test, seconds=round(last.seconds, 1))


def read_outcomes(file: Path) -> list[Outcome]:
    """Those of a file that `compare` wrote; none without it."""
    if not file.is_file():
        return []
    return [Outcome(**{**line, "trial": Trial(**line["trial"])}) for line in read_lines(file)]


def write_outcome(file: Path, outcome: Outcome) -> None:
    """Add a line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(dataclasses.asdict(outcome)) + "\n")


def chosen(outcomes: Sequence[Outcome]) -> dict[tuple[str, float, bool], list[Outcome]]:
    """The trials that count: of each task, share and start, those of every seed with the rate and schedule that did
    best on valid with the first one."""
    groups: dict[tuple[str, float, bool], list[Outcome]] = {}
    for outcome in outcomes:
        trial = outcome.trial
        groups.setdefault((trial.subject, trial.share, trial.is_trained), []).append(outcome)
    for key, group in groups.items():
        best = max((one for one in group if one.trial.seed == SEEDS[0]), key=lambda one: one.valid).trial
        groups[key] = [one for one in group if (one.trial.rate, one.trial.layer_decay) == (best.rate, best.layer_decay)]
    return groups
