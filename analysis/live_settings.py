"""What of the method may be changed in a live training, and within which limits: without torch, for pages to check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DEPTH: Final = 4
"""Blocks of the student."""
STEPS: Final = 400
"""Of a whole run."""
LONGEST: Final = 120.0
"""Seconds that a run may take."""
RATES: Final = (1e-4, 1e-2)
MASKED: Final = (0.2, 0.9)
LARGEST_SEED: Final = 2**32 - 1


@dataclass(frozen=True, kw_only=True)
class LiveSettings:
    """Of one run; the defaults are the whole method."""

    tau_start: float = 0.99
    """How much of itself the teacher keeps at an update: at first, and after all steps. 0: it is the student."""
    tau_end: float = 0.996
    top_layers: int = 3
    """K, of `DEPTH`."""
    masked: float = 0.65
    """Share of the patches that the student does not see."""
    is_normalised: bool = True
    """Whether targets are normalised: the average of the layers, over the channels."""
    rate: float = 3e-3
    """Learning rate at its peak."""
    seed: int = 0
    seconds: float = 60.0
    """When to stop at the latest."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("tau_start", 0, 1),
            ("tau_end", 0, 1),
            ("top_layers", 1, DEPTH),
            ("masked", *MASKED),
            ("rate", *RATES),
            ("seed", 0, LARGEST_SEED),
            ("seconds", 1, LONGEST),
        ):
            if not low <= getattr(self, name) <= high:  # nor is NaN
                raise ValueError(f"LiveSettings.{name}={getattr(self, name)}: must lie between {low:g} and {high:g}")
