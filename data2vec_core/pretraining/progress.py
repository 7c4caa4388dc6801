"""A progress bar for the command line, with the time left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TextIO

from tqdm import tqdm

from data2vec_core.pretraining.loop import StepReport


def with_progress_bar(
    reports: Iterable[StepReport], steps: int, file: TextIO | None = None, *, is_shown: bool = True
) -> Iterator[StepReport]:
    """Hand reports on and show how far the run is, at what speed, with what loss.

    Args:
        steps: of the whole run.
        file: where to; standard error when None. Nothing is shown there unless it is a terminal.
        is_shown: false to show nothing, as in all processes but the first.
    """
    bar: tqdm | None = None
    try:
        for report in reports:
            if bar is None:  # a resumed run starts where it was
                is_off = None if is_shown else True  # None: unless it is a terminal
                bar = tqdm(total=steps, initial=report.step - 1, unit="step", file=file, disable=is_off, leave=True)
            bar.set_postfix_str(
                f"loss {report.loss:.4f}, spread {report.prediction_spread:.2f} of {report.target_spread:.2f}",
                refresh=False,
            )
            bar.update(report.step - bar.n)
            yield report
    finally:
        if bar is not None:
            bar.close()
