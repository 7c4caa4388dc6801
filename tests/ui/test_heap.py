"""Memory that is free goes back to the system, and what stays is not searched for garbage."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from contextlib import suppress
from pathlib import Path

import pytest

from ui.heap import staying

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


class Ring:
    """Garbage that only a search finds, once nobody has it."""

    def __init__(self) -> None:
        self.itself = self


def test_what_is_made_to_stay_is_not_searched_and_the_rest_is() -> None:
    frozen_before = gc.get_freeze_count()
    try:
        with suppress(KeyError), staying():
            inside = Ring()
            assert not gc.isenabled()
            raise KeyError("the search goes on even then")
        assert gc.isenabled()
        assert gc.get_freeze_count() > frozen_before
        kept, outside = weakref.ref(inside), Ring()
        lost = weakref.ref(outside)
        del inside, outside
        gc.collect()
        assert kept() is not None
        assert lost() is None
    finally:
        gc.unfreeze()


def test_where_nothing_is_searched_that_stays_so() -> None:
    gc.disable()
    try:
        with staying():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()


def test_the_app_is_made_to_stay() -> None:
    code = "import gc, app; print(gc.isenabled(), gc.get_freeze_count() > 100_000)"
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed.split()[-2:] == ["True", "True"]
