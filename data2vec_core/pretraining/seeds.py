"""Seeds of independent random numbers."""

from __future__ import annotations

import numpy as np


def mixed_seed(*numbers: int) -> int:
    """64 bits that follow from the numbers (each at least 0) and look random: seeds of neighbours are unrelated.

    PyTorch's CPU generator starts from the low 32 bits of a seed alone, so that numbers merely added or shifted
    together would give it related streams, or the same.
    """
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
