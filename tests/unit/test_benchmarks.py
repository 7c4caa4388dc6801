"""What the benchmarks share, and that their page has a place for each."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from benchmarks.__main__ import RESULTS, SECTIONS
from benchmarks.eight_bits import loaded_as
from data2vec_core.tasks import TextClassifier
from recipes.readme import render

ROOT = Path(__file__).parents[2]


def test_every_benchmark_has_its_place_in_the_page() -> None:
    text = RESULTS.read_text(encoding="utf-8")
    written = render(text, {name: lambda name=name: f"{name}\n" for name in SECTIONS})  # type: ignore[misc]
    assert all(f"<!-- {name}:begin -->\n{name}\n<!-- {name}:end -->" in written for name in SECTIONS)
    assert all(find_spec(f"benchmarks.{module}") for module, *_ in SECTIONS.values())


def test_the_peak_counts_what_is_given_back_meanwhile() -> None:
    """In a process of its own: one that has run for long gives back pages of its own accord, or takes kept ones."""
    lines = (
        "import numpy",
        "from benchmarks.memory import peak_above",
        "def work(): return int(numpy.ones(10_000_000).sum())",
        "work()",
        "print(peak_above(work))",
    )
    printed = subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=ROOT, capture_output=True, check=True).stdout
    assert 60e6 < int(printed) < 100e6  # 80 MB, and what else the process does


def test_models_are_loaded_in_eight_bits_where_a_benchmark_says_so() -> None:
    with loaded_as("int8"):
        inside = TextClassifier.from_pretrained("sst2")
    after = TextClassifier.from_pretrained("sst2")
    assert (inside.model.linear_kind, after.model.linear_kind) == ("int8", "plain")
