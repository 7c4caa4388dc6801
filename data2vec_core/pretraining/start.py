"""Going on from a checkpoint: its encoder as a student that can learn, and its teacher, where it has one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from data2vec_core.audio.model import Data2VecAudioModel
from data2vec_core.checkpoints.card import Modality
from data2vec_core.checkpoints.errors import CheckpointError, NoTeacherError
from data2vec_core.checkpoints.files import TEACHER_FILE, Role
from data2vec_core.checkpoints.reading import read_tensor_file
from data2vec_core.checkpoints.source import open_checkpoint
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.pretraining.method import Method
from data2vec_core.pretraining.modalities import build_pretraining
from data2vec_core.pretraining.model import Data2VecPretraining
from data2vec_core.pretraining.saved import PREDICTOR_FILE, load_method
from data2vec_core.processing.any import modality_of
from data2vec_core.text.model import Data2VecTextModel
from data2vec_core.vision.model import Data2VecVisionModel

ENCODERS: dict[str, type[PretrainedModel]] = {
    model.config_class.model_type: model for model in (Data2VecAudioModel, Data2VecTextModel, Data2VecVisionModel)
}
"""Encoder without a head, by model type."""


def encoder_class(modality: Modality) -> tuple[type[PretrainedModel], dict[str, Any]]:
    """The encoder of a modality, and the options of its constructor that leave the pooler away."""
    return ENCODERS[f"data2vec-{modality}"], {} if modality == "audio" else {"add_pooling_layer": False}


def load_encoder(folder_or_name: str | Path, role: Role | None = "student", **open_options: Any) -> PretrainedModel:
    """The encoder of any checkpoint, with a head or without, as it is but for the pooler, in eval mode.

    Args:
        folder_or_name: a local folder, the name of a bundled model, or a hub id.
        role: whose weights; None: untrained ones (seed 0) in the same shape.
        **open_options: `revision`, `cache_dir`, `token` and `local_files_only`, for hub ids.

    Raises:
        CheckpointError: nothing there, unreadable or incomplete.
        ValueError: it is no data2vec.
    """
    encoder, options = encoder_class(modality_of(folder_or_name, **open_options))
    if role is not None:
        return encoder.from_pretrained(folder_or_name, role=role, **open_options, **options)
    config = encoder.config_class.from_dict(open_checkpoint(folder_or_name, **open_options).read_config())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return encoder(config, **options).eval()


_OPEN_OPTIONS = ("revision", "cache_dir", "token", "local_files_only")


def load_student(folder_or_name: str | Path, *, role: Role = "student", **options: Any) -> PretrainedModel:
    """The encoder of any checkpoint, with a head or without, as pre-training takes it: with a mask embedding, which
    starts afresh where the checkpoint has none, without pooler, adapter and causal mask.

    Args:
        folder_or_name: a local folder, the name of a bundled model, or a hub id.
        role: whose weights.
        **options: as `from_pretrained` takes them: configuration fields to change (dropout, say), and `revision`,
            `cache_dir`, `token` and `local_files_only`, for hub ids.

    Raises:
        CheckpointError: nothing there, unreadable, or incomplete.
    """
    open_options = {name: options[name] for name in _OPEN_OPTIONS if name in options}
    source = open_checkpoint(folder_or_name, **open_options)
    values = source.read_config()
    model_type = str(values.get("model_type"))
    if model_type not in ENCODERS:
        raise CheckpointError(f"{source.source} is none of {', '.join(ENCODERS)}: its model_type is {model_type!r}")
    encoder = ENCODERS[model_type]
    needed = _needed(encoder.config_class.from_dict(values))
    return encoder.from_pretrained(folder_or_name, role=role, **(needed | options))


def _needed(config: Any) -> dict[str, Any]:
    """What has to change in a configuration for pre-training; options of the model's constructor among it."""
    match config.model_type:
        case "data2vec-audio":
            # Hidden channels would come on top of the spans that the method hides.
            wanted = {"apply_spec_augment": True, "add_adapter": False, "mask_feature_prob": 0.0}
            if not config.mask_time_prob:
                wanted["mask_time_prob"] = type(config)().mask_time_prob
        case "data2vec-text":
            wanted = {"is_decoder": False, "add_cross_attention": False}
        case _:
            wanted = {"use_mask_token": True, "use_mean_pooling": False}
    # Only what differs: a part that an override asks for may be missing from the file.
    changes = {name: value for name, value in wanted.items() if getattr(config, name) != value}
    return changes if config.model_type == "data2vec-audio" else changes | {"add_pooling_layer": False}


def load_teacher(model: Data2VecPretraining, folder_or_name: str | Path, **open_options: Any) -> bool:
    """Give a teacher the weights of a checkpoint's; what it shares with the student stays the student's.

    Args:
        model: its student is of the same shape, as one from `load_student` is.
        folder_or_name: as `load_student` takes it.
        **open_options: for hub ids.

    Returns:
        False where the checkpoint has no teacher; the model's stays what it was, a copy of the student at the start.

    Raises:
        CheckpointError: unreadable, incomplete, or of another shape.
    """
    try:
        # With a decoder, vision has no mask token.
        config: Any = model.student.config
        same: dict[str, Any] = {} if model.decoder_class is None else {"use_mask_token": config.use_mask_token}
        teacher = load_student(folder_or_name, role="teacher", **open_options, **same)
    except NoTeacherError:
        return False
    part = teacher.get_submodule(model.teacher.scope.part)
    try:
        model.teacher.model.load_state_dict(part.state_dict())
    except RuntimeError as error:
        raise CheckpointError(f"the teacher of {folder_or_name} has another shape than the student: {error}") from None
    return True


def load_pretraining(folder: str | Path, *, method: Method | None = None) -> Data2VecPretraining:
    """Student, teacher and predictor as `Data2VecPretraining.save_pretrained` wrote them, in eval mode: to ask what the
    student predicts, or to go on.

    Args:
        folder: a local folder, or the name of a bundled encoder.
        method: to go on with, instead of the saved one; its predictor has the same shape.

    Raises:
        CheckpointError: nothing there, or a file is missing or of another model.
    """
    place = open_checkpoint(folder).folder
    method = method or load_method(place)
    with_decoder: dict[str, Any] = {} if method.decoder is None else {"use_mask_token": False}
    model = build_pretraining(load_student(place, **with_decoder), method)
    if not load_teacher(model, place):
        raise NoTeacherError(f"{place} has no {TEACHER_FILE}")
    load_predictor(model, place)
    return model.eval()


def load_predictor(model: Data2VecPretraining, folder: Path) -> None:
    """Give a model the regression head, and decoder, of a checkpoint.

    Raises:
        CheckpointError: the file is missing, unreadable, or of another model.
    """
    if not (folder / PREDICTOR_FILE).is_file():
        raise CheckpointError(f"{folder} has no {PREDICTOR_FILE}")
    predictor = read_tensor_file(folder / PREDICTOR_FILE)
    if other := predictor.keys() ^ model.predictor_tensors().keys():
        raise CheckpointError(f"{folder / PREDICTOR_FILE} is of another method: {', '.join(sorted(other))}")
    try:
        model.load_state_dict(predictor, strict=False)  # strictly by the names above
    except RuntimeError as error:
        raise CheckpointError(f"{folder / PREDICTOR_FILE} has other shapes than the model: {error}") from None
