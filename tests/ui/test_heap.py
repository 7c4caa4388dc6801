"""Memory that is free goes back to the system."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MEASURED = """
import re
from pathlib import Path
from ui.heap import give_back, keep_few_arenas

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1000

if not keep_few_arenas():
    print("elsewhere")
    raise SystemExit
held = [b"x" * (100_000 + i) for i in range(2000)]  # too small to be given back one by one
full = resident()
last = held[-1]
del held[:-1]
freed = resident()
give_back()
print(full, freed, resident())
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="tells resident memory on Linux only")
def test_what_was_freed_below_something_in_use_is_given_back() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", MEASURED], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    if printed == "elsewhere":
        pytest.skip("another C library than glibc")
    full, freed, given_back = map(float, printed.split())
    assert freed > full - 20, "else this test shows nothing"
    assert given_back < full - 150
