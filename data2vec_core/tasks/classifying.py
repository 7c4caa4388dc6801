"""What the classifiers of sounds, texts and pictures share: from scores to ranked classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from data2vec_core.config_base import Data2VecConfig
from data2vec_core.tasks.confidence import Confidence, state_statistics
from data2vec_core.tasks.results import Classification, LabelScore
from data2vec_core.tasks.task import Model, Task, require_classes
from data2vec_core.trace import Trace


class Classifier(Task[Model]):
    """Goes before the base of a modality: `class AudioClassifier(Classifier[...], ListeningTask[...])`."""

    def __init__(self, model: Model, *processors: Any, confidence: Confidence | None = None, **settings: Any) -> None:
        """
        Args:
            processors: as the modality's base takes them.
            confidence: how the scores are to be read; as they are by default.
            **settings: of the modality's base.

        Raises:
            CheckpointError: the model was trained for regression.
        """
        super().__init__(model, *processors, **settings)
        require_classes(model.config, self.model_name)
        self.confidence = confidence or Confidence()

    @classmethod
    def settings_beside(cls, folder: Path) -> dict[str, Any]:
        return {**super().settings_beside(folder), "confidence": Confidence.load(folder)}

    def _trace(self) -> Trace | None:
        """What a run has to record for `_classification`; None: nothing."""
        layers = self.confidence.layers
        return Trace({"hidden": layers}) if layers else None

    def _statistics(self, trace: Trace | None, is_real: Tensor | None = None) -> Tensor | None:
        """(batch, 2 * dim) of the states that `_trace` has recorded, None where nothing was.

        Args:
            is_real: (batch, positions) 1 where there is no padding; None: nowhere.
        """
        if trace is None:
            return None
        [layer] = self.confidence.layers
        return state_statistics(trace["hidden", layer], is_real)

    def _probabilities_of(self, logits: Tensor) -> Tensor:
        """(..., classes) scores to probabilities, at the temperature that was chosen for the model."""
        return class_probabilities(logits / self.confidence.temperature, self.model.config)

    def _classification(self, probabilities: Tensor, statistics: Tensor | None) -> Classification:
        """The result for one item.

        Args:
            probabilities: (classes,).
            statistics: (2 * dim,), of its states; None where the model has no sense of what is foreign.
        """
        return Classification(
            labels=ranked(probabilities, self.model.config.labels),
            outside=None if statistics is None else self.confidence.is_outside(statistics),
            model=self.model_name,
        )


def class_probabilities(logits: Tensor, config: Data2VecConfig) -> Tensor:
    """(..., classes) scores to probabilities: each class by itself where several may hold, else summing to 1."""
    scores = logits.float()
    return scores.sigmoid() if config.problem_type == "multi_label_classification" else scores.softmax(dim=-1)


def ranked(probabilities: Tensor, labels: Sequence[str]) -> tuple[LabelScore, ...]:
    """(classes,) probabilities as labelled scores, best first."""
    pairs = sorted(zip(labels, probabilities.tolist(), strict=True), key=lambda pair: -pair[1])
    return tuple(LabelScore(label=label, score=score) for label, score in pairs)
