"""What the three backbones have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from data2vec_core.checkpoints.card import Card
from data2vec_core.config import ModelConfig
from data2vec_core.pretraining.method import Method
from data2vec_core.pretraining.plan import Plan
from data2vec_core.pretraining.schedule import TeacherDecay

Config = TypeVar("Config", bound=ModelConfig)


@dataclass(frozen=True, kw_only=True)
class Backbone(Generic[Config]):
    """One bundled encoder: its shape and how it learns."""

    card: Card
    """Facts known beforehand; scores, minutes and date follow."""
    student: Config
    """With the dropout of pre-training."""
    method: Method
    plan: Plan
    further: Plan
    """Of a second run, from the student, teacher and predictor that the first left."""

    @property
    def further_method(self) -> Method:
        """That of the second run: its teacher goes on as slowly as it ended."""
        end = self.method.decay.end
        return self.method.replace(decay=TeacherDecay(end, end, self.further.steps))
