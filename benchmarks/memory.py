"""The most memory that a piece of work takes at once."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import ROOT

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def peak_above(work: Callable[[], object]) -> int:
    """Bytes by which the resident memory of this process rises at most while the work is done, and its result held.

    Work that is to be compared needs a process of its own: memory that an allocator has kept from earlier work is
    taken again without a trace.

    Raises:
        OSError: not on Linux.
    """
    gc.collect()
    _CLEAR.write_text("5")  # the peak begins anew (proc(5))
    before = _resident("VmRSS")
    result = work()
    peak = _resident("VmHWM") - before
    del result
    return peak


def megabytes_printed(*command: str) -> float:
    """What `python -m command` prints at its end, in a process of its own whose allocator gives large blocks back as
    soon as they are freed: kept ones would count for as long as the process lives, or not at all when taken again."""
    variables = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    whole = [sys.executable, "-m", *command]
    done = subprocess.run(whole, check=True, capture_output=True, text=True, cwd=ROOT, env=variables)
    return float(done.stdout.split()[-1])


def _resident(field: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return 1024 * int(line.split()[1])
