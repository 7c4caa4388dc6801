"""What every task does: loading a model that has been trained for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from data2vec_core.checkpoints.errors import CheckpointError, NoHeadError
from data2vec_core.config_base import Data2VecConfig
from data2vec_core.pretrained import PretrainedModel

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
            NoHeadError: the checkpoint has no head for the task: an answer would come from random weights.
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
            raise NoHeadError(
                f"{report.source} is only a backbone for this task: it was saved as {saved_as} and has no trained "
                f"{cls.model_class.__name__} head. Fine-tune it first"
            )
        return model

    @classmethod
    def settings_beside(cls, folder: Path) -> dict[str, Any]:  # noqa: ARG003
        """Arguments of the task that small files of its own, beside the weights, give; `from_pretrained` hands them on.

        Raises:
            CheckpointError: a file is missing or cannot be understood.
        """
        return {}


def require_classes(config: Data2VecConfig, source: str) -> None:
    """Refuse a model whose scores are no classes.

    Raises:
        CheckpointError: it was trained for regression.
    """
    if config.problem_type == "regression":
        raise CheckpointError(f"{source} was trained for regression and has no classes")
