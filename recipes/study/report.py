"""The comparison as a table and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from analysis.figures.palette import STUDENT, UNTRAINED, hexadecimal
from analysis.figures.style import INK, row_of_panels, shared_legend
from recipes.health.results import table
from recipes.study.compare import SHARES, Outcome, chosen, read_outcomes
from recipes.study.subjects import SUBJECTS

OUTCOMES_FILE = Path(__file__).with_name("outcomes.jsonl")
"""All trials of the comparison that the page shows."""


def study_table() -> str:
    """Test scores, mean over the seeds and their range, of both starts."""
    outcomes = chosen(read_outcomes(OUTCOMES_FILE))

    def rows() -> list[Sequence[str]]:
        written: list[Sequence[str]] = []
        for name, subject in SUBJECTS.items():
            for share in SHARES:
                pair = [outcomes.get((name, share, is_trained)) for is_trained in (True, False)]
                if not all(pair):
                    continue
                trained, scratch = (group or [] for group in pair)
                gain = _mean(trained) - _mean(scratch)
                written.append(
                    (
                        f"`{name}`",
                        subject.score,
                        f"{trained[0].items:,} ({share:.0%})",
                        *(_shown(group) for group in (trained, scratch)),
                        f"{100 * gain:+.1f}",
                    )
                )
        return written

    return table(("task", "test score", "labelled items", "pre-trained", "scratch", "gain in points"), rows())


def _mean(group: Sequence[Outcome]) -> float:
    return float(np.mean([outcome.test for outcome in group]))


def _shown(group: Sequence[Outcome]) -> str:
    scores = [outcome.test for outcome in group]
    trial = group[0].trial
    seeds = f"{min(scores):.1%} to {max(scores):.1%}, {len(scores)} seeds" if len(scores) > 1 else "1 seed"
    return f"{_mean(group):.1%} ({seeds}; rate {trial.rate:g}, layer decay {trial.layer_decay})"


def study_figure() -> Figure:
    """One panel a task: a bar to the mean, a point for every seed, few labels beside all."""
    outcomes = chosen(read_outcomes(OUTCOMES_FILE))
    names = [name for name in SUBJECTS if any(key[0] == name for key in outcomes)]
    figure, panels = row_of_panels(names, caption="share of the labels; score on test in %, every seed a point")
    for axes, name in zip(panels, names, strict=True):
        for is_trained, place, colour in ((True, -0.2, STUDENT), (False, 0.2, UNTRAINED)):
            groups = [outcomes.get((name, share, is_trained), []) for share in SHARES]
            places = [index + place for index, group in enumerate(groups) if group]
            means = [100 * _mean(group) for group in groups if group]
            axes.bar(places, means, 0.36, color=hexadecimal(colour), label="pre-trained" if is_trained else "scratch")
            for x, group in zip(places, filter(None, groups), strict=True):
                axes.plot([x] * len(group), [100 * one.test for one in group], "o", ms=3, color=INK, mfc="white")
        axes.set_xticks(range(len(SHARES)), [f"{share:.0%}" for share in SHARES])
    shared_legend(figure, panels[0])
    return figure
