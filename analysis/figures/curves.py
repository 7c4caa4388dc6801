"""Learning curves of a pre-training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.figures.palette import STUDENT, TARGET, TEACHER, hexadecimal
from analysis.figures.style import INK, legend, row_of_panels

_WIDTH = 1.3


def learning_curves(
    log: Sequence[Mapping[str, Any]], knn: Sequence[Mapping[str, Any]] = (), *, caption: str = ""
) -> Figure:
    """Loss, spread of targets and predictions, distance of student and teacher, learning rate; neighbours' accuracy.

    Loss alone says little, since its target moves; a falling loss with a falling spread is a collapse.

    Args:
        log: reports of the training loop (`StepReport`), one a dict.
        knn: accuracy on valid by step: `{"step": 100, "knn": {question: {source: accuracy}}}`; the teacher's is drawn
            where there is one, else the student's. Without it that panel is left out.
        caption: a line below the panels.

    Raises:
        ValueError: the log is empty.
    """
    if not log:
        raise ValueError("log: expected at least one report, got none")
    titles = ["loss", "standard deviation", "student to teacher, relative", "learning rate"]
    figure, panels = row_of_panels([*titles, "kNN accuracy on valid"] if knn else titles, caption)
    steps = [report["step"] for report in log]
    for axes in panels:
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))

    loss, spreads, distances, rate = panels[:4]
    loss.plot(steps, [report["loss"] for report in log], color=hexadecimal(STUDENT), linewidth=_WIDTH)
    loss.set(ylim=(0, None))

    for key, name, colour in (("target_spread", "target", TARGET), ("prediction_spread", "prediction", STUDENT)):
        values = [report[key] for report in log]
        spreads.plot(steps, values, color=hexadecimal(colour), linewidth=_WIDTH, label=name)
    spreads.set(ylim=(0, None))
    legend(spreads)

    _draw_distances(distances, steps, np.array([report["distances"] for report in log]))

    rate.plot(steps, [report["learning_rate"] for report in log], color=INK, linewidth=_WIDTH)
    rate.set(ylim=(0, None))
    rate.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    rate.yaxis.get_offset_text().set(color=INK, fontsize=8)

    if knn:
        _draw_accuracies(panels[4], knn)
    return figure


def _draw_distances(axes: Axes, steps: Sequence[int], distances: np.ndarray[Any, Any]) -> None:
    """One line a block, from faint (first) to full (last)."""
    blocks = distances.shape[1]
    for block in range(blocks):
        strength = 0.25 + 0.75 * (block + 1) / blocks
        named = block in (0, blocks - 1)
        axes.plot(
            steps,
            distances[:, block],
            color=hexadecimal(TEACHER),
            alpha=strength,
            linewidth=_WIDTH,
            label=f"block {block + 1}" if named else None,
        )
    axes.set(ylim=(0, None))
    legend(axes)


def _draw_accuracies(axes: Axes, knn: Sequence[Mapping[str, Any]]) -> None:
    """One line a question."""
    styles = ("-", "--", ":")
    for question, style in zip(knn[0]["knn"], styles, strict=False):
        role = "teacher" if "teacher" in knn[0]["knn"][question] else "student"
        colour = TEACHER if role == "teacher" else STUDENT
        values = [line["knn"][question][role] for line in knn]
        axes.plot(
            [line["step"] for line in knn],
            values,
            linestyle=style,
            color=hexadecimal(colour),
            linewidth=_WIDTH,
            label=f"{question} ({role})",
        )
    axes.set(ylim=(0, 1))
    legend(axes)
