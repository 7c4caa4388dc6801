"""What the view "Layers" gets ready while a visitor looks at its first picture."""

from __future__ import annotations

import threading
from functools import cache
from typing import Final

SECONDS_BEFORE: Final = 2.0
"""In which the first picture has the processor for itself."""


@cache
def get_umap_ready() -> threading.Timer:
    """UMAP compiles itself for ten seconds and more when a process first uses it. This has it done aside, once, before
    anyone has asked; whoever asks meanwhile waits for the rest."""
    timer = threading.Timer(SECONDS_BEFORE, _compile_umap)
    timer.daemon = True  # must not keep the process alive
    timer.start()
    return timer


def _compile_umap() -> None:
    import numpy as np

    from analysis.layouts import COMPONENTS, layout

    layout(np.random.default_rng(0).standard_normal((2 * COMPONENTS, 2 * COMPONENTS)), "umap")
