"""The tasks by name, and which of them a checkpoint was made for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.source import open_checkpoint
from data2vec_core.tasks.audio_classification import AudioClassifier
from data2vec_core.tasks.choosing import Chooser
from data2vec_core.tasks.continuation import TextContinuer
from data2vec_core.tasks.image_classification import ImageClassifier
from data2vec_core.tasks.image_segmentation import ImageSegmenter
from data2vec_core.tasks.mask_filling import MaskFiller
from data2vec_core.tasks.question_answering import QuestionAnswerer
from data2vec_core.tasks.speaker_activity import SpeakerActivity
from data2vec_core.tasks.speaker_verification import SpeakerVerifier
from data2vec_core.tasks.text_classification import TextClassifier
from data2vec_core.tasks.token_tagging import TokenTagger
from data2vec_core.tasks.transcription import Transcriber

TaskClass = (
    type[Transcriber]
    | type[AudioClassifier]
    | type[SpeakerVerifier]
    | type[SpeakerActivity]
    | type[TextClassifier]
    | type[TokenTagger]
    | type[QuestionAnswerer]
    | type[Chooser]
    | type[MaskFiller]
    | type[TextContinuer]
    | type[ImageClassifier]
    | type[ImageSegmenter]
)
_CLASSES: tuple[TaskClass, ...] = (
    Transcriber,
    AudioClassifier,
    SpeakerVerifier,
    SpeakerActivity,
    TextClassifier,
    TokenTagger,
    QuestionAnswerer,
    Chooser,
    MaskFiller,
    TextContinuer,
    ImageClassifier,
    ImageSegmenter,
)

TASKS: dict[str, TaskClass] = {task.name: task for task in _CLASSES}
"""By the name of the app's endpoint."""


def task_of(folder_or_name: str | Path, **open_options: Any) -> TaskClass:
    """The task that a checkpoint was saved for, from the `architectures` of its `config.json`.

    Args:
        folder_or_name: a local folder, the name of a bundled model, or a hub id.
        **open_options: `revision`, `cache_dir`, `token` and `local_files_only`, for hub ids.

    Raises:
        CheckpointError: no such checkpoint, or one for no task here, such as a backbone.
    """
    checkpoint = open_checkpoint(folder_or_name, **open_options)
    architectures = checkpoint.read_config().get("architectures") or []
    for task in TASKS.values():
        if task.model_class.__name__ in architectures:
            return task
    named = ", ".join(map(str, architectures)) or "no architecture"
    raise CheckpointError(f"{checkpoint.source} names {named}, which is none of the tasks: {', '.join(TASKS)}")
