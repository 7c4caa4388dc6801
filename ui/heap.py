"""Giving back what is free, and not searching what stays: an app runs for weeks.

Where the C library is glibc, each thread allocates in one of many arenas, and what is freed there stays with the
process as long as anything near the end of an arena is in use. So there are few arenas, and their free pages are given
back every now and then. Elsewhere nothing happens.

Python looks for garbage as objects are made. What imports and building the page make stays, 400,000 objects: a search
through them would find nothing, and hold up every visitor for 0.2 s each time.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

ARENAS: Final = 2
SECONDS_BETWEEN: Final = 10.0
"""Between two times that free pages are given back, which takes some milliseconds."""
_M_ARENA_MAX: Final = -8
"""Of `mallopt`, by glibc's malloc.h."""


def keep_few_arenas() -> bool:
    """Allocate in few arenas from now on, for all threads. To be called before there are any.

    Returns:
        whether there is such a setting here.
    """
    libc = _glibc()
    return libc is not None and bool(libc.mallopt(_M_ARENA_MAX, ARENAS))


def give_back() -> bool:
    """Give free pages back to the system.

    Returns:
        whether there were any.
    """
    libc = _glibc()
    return libc is not None and bool(libc.malloc_trim(0))


async def give_back_again_and_again() -> None:
    """Until cancelled."""
    while True:
        await asyncio.sleep(SECONDS_BETWEEN)
        await asyncio.to_thread(give_back)


@contextmanager
def staying() -> Iterator[None]:
    """What is made inside stays as long as the process: no search for garbage meanwhile, and later none among it."""
    was_searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_searching:
            gc.enable()


@lru_cache
def _glibc() -> Any:
    """The C library of this process; None where it is another one."""
    try:
        libc = ctypes.CDLL(None)
        return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
    except (OSError, TypeError):
        return None
