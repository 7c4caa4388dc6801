"""What every task does: loading a model that has been trained for it, and ranking classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

from torch import Tensor

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.source import open_checkpoint
from data2vec_core.config_base import Data2VecConfig
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.tasks.confidence import Confidence, state_statistics
from data2vec_core.tasks.results import Classification, LabelScore
from data2vec_core.trace import Trace

Model = TypeVar("Model", bound=PretrainedModel)


class Task(Generic[Model]):
    """A trained model with its processor: raw input in, a result out.

    Tasks keep no state between calls, so threads may share one.
    """

    name: ClassVar[str]
    """In `registry.TASKS`, and of the app's endpoint."""
    modality: ClassVar[str]
    """`audio`, `text` or `vision`."""
    model_class: ClassVar[type[PretrainedModel]]
    spare_parts: ClassVar[tuple[str, ...]] = ()
    """Parts of the head that training alone uses, by the start of their public names."""
    confidence: Confidence = Confidence()
    """How a classifier's scores are to be read."""

    def __init__(self, model: Model, *, model_name: str | None = None) -> None:
        """
        Args:
            model_name: what results say has answered; what the model was loaded by when None.
        """
        self.model = model.eval()
        report = model.load_report
        self.model_name = model_name or (report.source if report else type(model).__name__)

    @classmethod
    def load_model(cls, folder_or_name: str | Path, **open_options: Any) -> Any:
        """The model of a checkpoint, which must have been trained for this task.

        Raises:
            CheckpointError: the checkpoint has no head for the task: an answer would come from random weights.
        """
        model = cls.model_class.from_pretrained(folder_or_name, **open_options)
        report = model.load_report
        assert report is not None
        untrained = [
            name
            for name in (*report.initialised, *report.mismatched)
            if not name.startswith((model.key_table.prefix, *cls.spare_parts))
        ]
        if untrained:
            saved_as = ", ".join(model.config.architectures or ()) or "nothing in particular"
            raise CheckpointError(
                f"{report.source} is only a backbone for this task: it was saved as {saved_as} and has no trained "
                f"{cls.model_class.__name__} head. Fine-tune it first"
            )
        return model

    def with_confidence(self, folder_or_name: str | Path, **open_options: Any) -> Self:
        """This task, reading its scores as the checkpoint says.

        Raises:
            CheckpointError: no such checkpoint, or its `confidence.json` cannot be understood.
        """
        self.confidence = Confidence.load(open_checkpoint(folder_or_name, **open_options).folder)
        return self

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


def require_classes(config: Data2VecConfig, source: str) -> None:
    """Refuse a model whose scores are no classes.

    Raises:
        CheckpointError: it was trained for regression.
    """
    if config.problem_type == "regression":
        raise CheckpointError(f"{source} was trained for regression and has no classes")


def class_probabilities(logits: Tensor, config: Data2VecConfig) -> Tensor:
    """(..., classes) scores to probabilities: each class by itself where several may hold, else summing to 1."""
    scores = logits.float()
    return scores.sigmoid() if config.problem_type == "multi_label_classification" else scores.softmax(dim=-1)


def ranked(probabilities: Tensor, labels: Sequence[str]) -> tuple[LabelScore, ...]:
    """(classes,) probabilities as labelled scores, best first."""
    pairs = sorted(zip(labels, probabilities.tolist(), strict=True), key=lambda pair: -pair[1])
    return tuple(LabelScore(label=label, score=score) for label, score in pairs)
