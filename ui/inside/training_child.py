"""One live training in a process of its own; `training_process` starts this file by its path, so that nothing of the
page is imported here.

It reads the settings as a line of JSON; writes a line about the data, then moments, each a line of JSON; and ends with
the line `{"end": ...}`. It
gives way to all others, uses one thread, and ends by itself: when the time is up, and when whoever started it lets go
of its input, be it by dying.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import threading
from typing import Any, Final

NICENESS: Final = 15
GRACE: Final = 45.0
"""Seconds that starting and stopping may take beside the run itself on a slow host."""
MEMORY: Final = 3 * 2**30
"""Bytes of data that the process may hold; a run takes about a sixth."""


def main() -> None:
    """Train as the first line of the input says."""
    settings = json.loads(sys.stdin.readline())
    limit = threading.Timer(settings["seconds"] + GRACE, os._exit, [1])
    limit.daemon = True
    limit.start()
    threading.Thread(target=_watch, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    _bound_memory()
    import torch

    from analysis.live_settings import LiveSettings
    from analysis.live_training import Pieces, train_live

    torch.set_num_threads(1)
    try:
        pieces = Pieces.read()
        _write({"pieces": len(pieces.sources), "photographs": len(pieces.photographs), "chance": pieces.chance})
        for moment in train_live(LiveSettings(**settings), pieces):
            _write(dataclasses.asdict(moment))
        _write({"end": "done"})
    except FloatingPointError:
        _write({"end": "diverged"})


def _watch() -> None:
    """Nothing more is ever said to this process: the input ends when it is no longer wanted."""
    sys.stdin.read()
    os._exit(0)


def _bound_memory() -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def _write(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
