"""An encoder without a head and its processor, from any checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from data2vec_core.checkpoints.card import MODALITIES, Modality
from data2vec_core.checkpoints.files import Role
from data2vec_core.checkpoints.source import open_checkpoint
from data2vec_core.config import Data2VecVisionConfig
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.pretraining.start import ENCODERS
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.image import ImageProcessor
from data2vec_core.processing.processor import PREPROCESSOR_FILE
from data2vec_core.processing.text import TextTokenizer


def modality_of(checkpoint: str | Path) -> Modality:
    """`audio`, `text` or `vision`, by the `model_type` of a checkpoint.

    Raises:
        CheckpointError: no such checkpoint.
        ValueError: it is none of the three.
    """
    model_type = str(open_checkpoint(checkpoint).read_config().get("model_type"))
    for modality in MODALITIES:
        if model_type == f"data2vec-{modality}":
            return modality
    raise ValueError(f"{checkpoint}: expected a data2vec checkpoint, its model_type is {model_type!r}")


def encoder_class(modality: Modality) -> tuple[type[PretrainedModel], dict[str, Any]]:
    """The encoder of a modality, and the options of its constructor that leave the pooler away."""
    return ENCODERS[f"data2vec-{modality}"], {} if modality == "audio" else {"add_pooling_layer": False}


def load_encoder(checkpoint: str | Path, role: Role | None) -> PretrainedModel:
    """The encoder of a checkpoint in eval mode.

    Args:
        role: whose weights; None: untrained ones (seed 0) in the same shape.
    """
    model_class, options = encoder_class(modality_of(checkpoint))
    if role is not None:
        return model_class.from_pretrained(checkpoint, role=role, **options)
    config = model_class.config_class.from_dict(open_checkpoint(checkpoint).read_config())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return model_class(config, **options).eval()


def load_processor(checkpoint: str | Path) -> Any:
    """The processor of a checkpoint: `SpeechFeatureExtractor`, `TextTokenizer` or `ImageProcessor`. A training run of
    speech or vision may lack its file, which then says what the defaults do for the model's picture size.

    Raises:
        CheckpointError: no such checkpoint, or one of text without a tokenizer.
    """
    found = open_checkpoint(checkpoint)
    has_settings = (found.processor_folder() / PREPROCESSOR_FILE).is_file()
    match modality_of(checkpoint):
        case "audio":
            return SpeechFeatureExtractor.from_pretrained(checkpoint) if has_settings else SpeechFeatureExtractor()
        case "text":
            return TextTokenizer.from_pretrained(checkpoint)
        case "vision":
            size = Data2VecVisionConfig.from_dict(found.read_config()).image_size_pair
            return ImageProcessor.from_pretrained(checkpoint) if has_settings else ImageProcessor(size=size)
