"""Who speaks in every frame, learnt from conversations that are made anew for each step."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from data2vec_core import Data2VecAudioForAudioFrameClassification, Data2VecAudioModel
from data2vec_core.checkpoints.loading import CheckpointWarning
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.tasks.speaker_activity import CLASSES, Smoothing
from recipes.finetuning.learning import FineTuning
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.mixtures import Mixture
from recipes.voice_metrics import DiarisationErrors

Draw = Callable[[np.random.Generator, float], Mixture]
"""Makes a conversation; the number says how far training is, 0 to 1."""
SCORED_WITH = Smoothing(window=11)
"""A plain median filter."""


class SpeakerTurns(FineTuning[Data2VecAudioForAudioFrameClassification]):
    """Conversations of two voices, as many in a step as said, all of one length.

    Args:
        draw: of the conversations to learn from.
        valid: those to choose by.
        batch: conversations in a step.
        affinity: weight of `affinity_loss` of what the last block is given, beside the loss of the classes.
        ears: a checkpoint whose encoder takes the place of the start's, as far up as it goes: one that knows voices.
        **configuration: fields of the model's configuration to change.
    """

    model_class = Data2VecAudioForAudioFrameClassification

    def __init__(
        self,
        start: Start,
        plan: FinePlan,
        draw: Draw,
        valid: Sequence[Mixture],
        *,
        batch: int = 8,
        affinity: float = 0.0,
        ears: str | Path | None = None,
        **configuration: Any,
    ) -> None:
        self.extract = SpeechFeatureExtractor()
        super().__init__(start, plan, (self.extract,))
        self.draw = draw
        self.valid = valid
        self.batch = batch
        self.affinity = affinity
        self.ears = ears
        self.configuration = configuration

    def build_model(self) -> Data2VecAudioForAudioFrameClassification:
        model = self.start.build(self.model_class, id2label=dict(enumerate(CLASSES)), **self.configuration)
        if self.ears is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", CheckpointWarning)  # its head is not wanted
                ears = Data2VecAudioModel.from_pretrained(self.ears).state_dict()
            own = model.backbone.state_dict()
            model.backbone.load_state_dict({name: ears.get(name, tensor) for name, tensor in own.items()})
        return model

    def loss(self, model: Data2VecAudioForAudioFrameClassification, step: int) -> Tensor:
        random = np.random.default_rng((self.plan.seed, step))
        mixtures = [self.draw(random, step / self.plan.steps) for _ in range(self.batch)]
        classes = torch.from_numpy(np.stack([mixture.classes for mixture in mixtures]))  # (batch, frames)
        values = self.extract([mixture.samples for mixture in mixtures])["input_values"]
        output = model(values, labels=classes, output_hidden_states=self.affinity > 0)
        loss: Tensor = output.loss
        if self.affinity:
            loss = loss + self.affinity * affinity_loss(output.hidden_states[-2].float(), classes)
        return loss

    def score(self, model: Data2VecAudioForAudioFrameClassification) -> float:
        """What the diarisation error rate leaves of 1, with a plain median filter."""
        errors = DiarisationErrors()
        for mixture in self.valid:
            errors += DiarisationErrors.count(
                SCORED_WITH.speaking(frame_probabilities(model, self.extract, mixture)), mixture.is_speaking
            )
        return 1 - errors.rate


def affinity_loss(hidden: Tensor, classes: Tensor, *, step: int = 4) -> Tensor:
    """How far frames of one voice are from pointing the same way, and frames of two voices from being orthogonal: the
    idea of deep clustering (Hershey et al., arXiv 1508.04306), in half of the channels, so that the others are free.

    Args:
        hidden: (batch, frames, dim).
        classes: (batch, frames) ids; only frames of one speaker count.
        step: every so manieth frame is looked at.

    Returns:
        the mean squared distance of the cosines from 1 and 0, both kinds of pair alike.
    """
    vectors = F.normalize(hidden[:, ::step, : hidden.shape[-1] // 2], dim=-1)
    classes = classes[:, ::step]
    cosines = vectors @ vectors.transpose(1, 2)  # (batch, frames, frames)
    is_single = (classes == 1) | (classes == 2)
    is_pair = is_single.unsqueeze(1) & is_single.unsqueeze(2)
    is_same = classes.unsqueeze(1) == classes.unsqueeze(2)
    same, different = cosines[is_pair & is_same], cosines[is_pair & ~is_same]
    return ((1 - same) ** 2).mean() + (different**2).sum() / max(1, different.numel())


def frame_probabilities(
    model: Data2VecAudioForAudioFrameClassification, extract: SpeechFeatureExtractor, mixture: Mixture
) -> NDArray[np.float32]:
    """(frames, classes)"""
    logits: Tensor = model(extract(mixture.samples)["input_values"]).logits[0]
    probabilities: NDArray[np.float32] = logits.float().softmax(dim=-1).numpy()
    return probabilities
