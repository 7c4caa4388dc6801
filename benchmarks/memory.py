"""The most memory that a piece of work takes at once."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

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


def _resident(field: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return 1024 * int(line.split()[1])
