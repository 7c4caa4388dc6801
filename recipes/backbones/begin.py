"""Everything a run of one of the three backbones begins with, read from the packs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from data2vec_core.audio.model import Data2VecAudioModel
from data2vec_core.checkpoints.card import Modality
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.pretraining.loop import Batches
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.image import ImageProcessor
from data2vec_core.processing.processor import Processor
from data2vec_core.text.model import Data2VecTextModel
from data2vec_core.vision.model import Data2VecVisionModel
from recipes.backbones import audio, text, vision
from recipes.backbones.backbone import Backbone
from recipes.backbones.starts import start_from_neighbours, start_from_places, start_from_spectra

BACKBONES: dict[Modality, Backbone[Any]] = {
    "audio": audio.BACKBONE,
    "text": text.BACKBONE,
    "vision": vision.BACKBONE,
}


@dataclass(frozen=True)
class Beginning:
    """What there is before the first step."""

    student: PretrainedModel
    batches: Batches
    processor: Processor
    """What turns raw input into the model's; saved beside the weights."""


def begin(modality: Modality, data: Path, *, is_resumed: bool = False) -> Beginning:
    """A fresh student, its head start, and its batches.

    Args:
        data: folder of the packs.
        is_resumed: whether a saved state will replace the weights, so that a start that takes minutes is not made.
    """
    seed = BACKBONES[modality].plan.seed
    torch.manual_seed(seed)
    match modality:
        case "audio":
            crops = audio.crops_of_packs(data, seed=seed)
            listener = Data2VecAudioModel(audio.BACKBONE.student)
            if not is_resumed:
                start_from_spectra(listener, crops)
            return Beginning(listener, crops, SpeechFeatureExtractor())
        case "text":
            rows, tokenizer = text.rows_of_packs(data, seed=seed)
            reader = Data2VecTextModel(text.BACKBONE.student, add_pooling_layer=False)
            if not is_resumed:
                start_from_neighbours(reader, rows.rows)
            return Beginning(reader, rows, tokenizer)
        case _:
            watcher = Data2VecVisionModel(vision.BACKBONE.student, add_pooling_layer=False)
            processor = ImageProcessor(size=watcher.config.image_size_pair)
            return Beginning(start_from_places(watcher), vision.views_of_packs(data, seed=seed), processor)
