"""Learning rates and teacher decay as pure functions of the step (data2vec.md 5.1, 5.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class TeacherDecay:
    """How much of itself the teacher keeps at an update: linear from `start` to `end` over `steps`, then `end`."""

    start: float = 0.999
    end: float = 0.9999
    steps: int = 30_000

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"TeacherDecay.{name}={getattr(self, name)}: must lie between 0 and 1")

    def __call__(self, step: int) -> float:
        """Decay after `step` updates of the student."""
        if step >= self.steps:
            return self.end
        return self.end - (self.end - self.start) * (1 - step / self.steps)


@dataclass(frozen=True, kw_only=True)
class TriStage:
    """Linear warm-up, constant rate, exponential decay: the schedule of speech."""

    peak: float
    total: int
    """Steps."""
    warmup: float = 0.03
    """Share of the steps."""
    hold: float = 0.90
    """Share of the steps; those that remain decay."""
    floor: float = 0.01
    """First and last rate, as a share of the peak."""

    def __post_init__(self) -> None:
        _require_steps(self)

    def __call__(self, step: int) -> float:
        """Rate of a step, counted from 0."""
        warmup, hold = round(self.warmup * self.total), round(self.hold * self.total)
        if step < warmup:
            return self.peak * (self.floor + (1 - self.floor) * step / warmup)
        if step < warmup + hold:
            return self.peak
        decay = max(self.total - warmup - hold, 1)
        return self.peak * self.floor ** min((step - warmup - hold) / decay, 1.0)


@dataclass(frozen=True, kw_only=True)
class WarmupCosine:
    """Linear warm-up from 0, then half a cosine to `end`: the schedule of text and vision."""

    peak: float
    total: int
    """Steps."""
    warmup: int
    """Steps."""
    end: float = 0.0
    """Last rate."""

    def __post_init__(self) -> None:
        _require_steps(self)

    def __call__(self, step: int) -> float:
        """Rate of a step, counted from 0."""
        if step < self.warmup:
            return self.peak * step / self.warmup
        done = min((step - self.warmup) / max(self.total - self.warmup, 1), 1.0)
        return self.end + (self.peak - self.end) * 0.5 * (1 + math.cos(math.pi * done))


Schedule = TriStage | WarmupCosine


def _require_steps(schedule: Schedule) -> None:
    if schedule.total < 1:
        raise ValueError(f"{type(schedule).__name__}.total={schedule.total}: at least one step")
