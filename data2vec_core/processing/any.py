"""The processor of a checkpoint, whatever its modality."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data2vec_core.checkpoints.card import MODALITIES, Modality
from data2vec_core.checkpoints.source import open_checkpoint
from data2vec_core.config import Data2VecVisionConfig
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.image import ImageProcessor
from data2vec_core.processing.processor import PREPROCESSOR_FILE
from data2vec_core.processing.text import TextTokenizer

AnyProcessor = SpeechFeatureExtractor | TextTokenizer | ImageProcessor


def modality_of(checkpoint: str | Path, **open_options: Any) -> Modality:
    """`audio`, `text` or `vision`, by the `model_type` of a checkpoint.

    Args:
        **open_options: `revision`, `cache_dir`, `token` and `local_files_only`, for hub ids.

    Raises:
        CheckpointError: no such checkpoint.
        ValueError: it is none of the three.
    """
    model_type = str(open_checkpoint(checkpoint, **open_options).read_config().get("model_type"))
    for modality in MODALITIES:
        if model_type == f"data2vec-{modality}":
            return modality
    raise ValueError(f"{checkpoint}: expected a data2vec checkpoint, its model_type is {model_type!r}")


def load_processor(checkpoint: str | Path, **open_options: Any) -> Any:
    """The processor of a checkpoint, an `AnyProcessor`.

    One of speech or vision may lack its file, as a training run does, and then gets what the defaults do for the
    model's picture size.

    Args:
        **open_options: as `modality_of` takes them.

    Raises:
        CheckpointError: no such checkpoint, or one of text without a tokenizer.
        ValueError: it is none of the three.
    """
    found = open_checkpoint(checkpoint, **open_options)
    has_settings = (found.processor_folder() / PREPROCESSOR_FILE).is_file()
    match modality_of(checkpoint, **open_options):
        case "audio":
            return (
                SpeechFeatureExtractor.from_pretrained(checkpoint, **open_options)
                if has_settings
                else SpeechFeatureExtractor()
            )
        case "text":
            return TextTokenizer.from_pretrained(checkpoint, **open_options)
        case "vision":
            size = Data2VecVisionConfig.from_dict(found.read_config()).image_size_pair
            return (
                ImageProcessor.from_pretrained(checkpoint, **open_options)
                if has_settings
                else ImageProcessor(size=size)
            )
