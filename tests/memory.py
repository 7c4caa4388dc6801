"""How much memory this process takes, as the system sees it (Linux)."""

from __future__ import annotations

import ctypes
import gc
import os
import re
from pathlib import Path

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
is_measurable = os.access(_STATUS, os.R_OK) and os.access(_RESET, os.W_OK)


def resident_mb() -> float:
    """Now, after what nobody uses has been given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # glibc keeps what was freed for the next one who asks
    return _megabytes("VmRSS")


def peak_mb() -> float:
    """The most since `forget_peak`."""
    return _megabytes("VmHWM")


def forget_peak() -> None:
    """Let the most be counted from now on."""
    _RESET.write_text("5", encoding="ascii")


def _megabytes(field: str) -> float:
    found = re.search(rf"^{field}:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1000
