"""The log of a training run: JSON objects, one a line, read, thinned and written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def thinned(log: Sequence[Mapping[str, Any]], lines: int) -> list[dict[str, Any]]:
    """At most so many reports, each the mean of consecutive ones, under the step of the last of them."""
    if len(log) <= lines:
        return [dict(report) for report in log]
    groups = np.array_split(np.arange(len(log)), lines)
    kept = []
    for group in groups:
        reports = [log[i] for i in group]
        means = {name: np.mean([report[name] for report in reports], axis=0).tolist() for name in reports[0]}
        kept.append(means | {name: reports[-1][name] for name in ("step", "seconds")})
    return kept


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Objects of a JSON-lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_lines(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Write a JSON-lines file, numbers to six digits."""

    def rounded(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [rounded(entry) for entry in value]
        return float(f"{value:.6g}") if isinstance(value, float) else value

    text = "".join(json.dumps({name: rounded(value) for name, value in line.items()}) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")
