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
from data2vec_core.pretraining.modalities import build_pretraining
from data2vec_core.pretraining.model import Data2VecPretraining
from data2vec_core.pretraining.start import load_pretraining
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

    model: Data2VecPretraining
    batches: Batches
    processor: Processor
    """What turns raw input into the model's; saved beside the weights."""


def begin(modality: Modality, data: Path, *, earlier: str | None = None, is_resumed: bool = False) -> Beginning:
    """A fresh student with its head start, or that of an earlier run; and its batches.

    Args:
        data: folder of the packs.
        earlier: the checkpoint that the first run left, to begin the second run from; None: begin the first.
        is_resumed: whether a saved state will replace the weights, so that a start that takes minutes is not made.
    """
    backbone = BACKBONES[modality]
    plan = backbone.plan if earlier is None else backbone.further
    torch.manual_seed(plan.seed)
    batches, processor = batches_of_packs(modality, data, seed=plan.seed)
    if earlier is not None:
        return Beginning(load_pretraining(earlier, method=backbone.further_method), batches, processor)
    student: PretrainedModel
    match batches:
        case audio.Crops():
            student = Data2VecAudioModel(audio.BACKBONE.student)
            if not is_resumed:
                start_from_spectra(student, batches)
        case text.Rows():
            student = Data2VecTextModel(text.BACKBONE.student, add_pooling_layer=False)
            if not is_resumed:
                start_from_neighbours(student, batches.rows)
        case _:
            student = start_from_places(Data2VecVisionModel(vision.BACKBONE.student, add_pooling_layer=False))
    return Beginning(build_pretraining(student, backbone.method), batches, processor)


def batches_of_packs(
    modality: Modality, data: Path, *, seed: int
) -> tuple[audio.Crops | text.Rows | vision.Views, Processor]:
    """The batches of a run, and what made the model's input of the packs'."""
    match modality:
        case "audio":
            return audio.crops_of_packs(data, seed=seed), SpeechFeatureExtractor()
        case "text":
            return text.rows_of_packs(data, seed=seed)
        case _:
            size = vision.BACKBONE.student.image_size_pair
            return vision.views_of_packs(data, seed=seed), ImageProcessor(size=size)
