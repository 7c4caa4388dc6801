"""`commands`: the twelve classes of Speech Commands, from the encoder that `an4` learnt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from data2vec_core import Data2VecAudioForSequenceClassification
from data2vec_core.checkpoints.card import Card
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.audio_io import MODEL_RATE
from recipes.packs import read_clips
from recipes.sound import add_noise, change_speed, fit_length, shift
from recipes.training import Plan

#: In the order of the data pack's description.
LABELS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go", "_unknown_", "_silence_")
SECOND = MODEL_RATE
"""In samples: how long every clip of the pack is."""


class Commands:
    """The recipe: one-second clips, moved in time, played at other speeds, mixed with background noise."""

    card = Card(
        name="commands",
        modality="audio",
        task="classification",
        title="Ten spoken command words",
        description=(
            "Tells yes, no, up, down, left, right, on, off, stop and go from other words (_unknown_) and from "
            "background noise (_silence_), in clips of about one second with one word."
        ),
        trained_on="Speech Commands v0.02, canonical test files split anew by speaker: 3,017 clips of 141 speakers",
        licence="CC-BY-4.0",
        parent="an4",
    )
    model_class = Data2VecAudioForSequenceClassification
    plan = Plan(steps=1200, learning_rate=4e-4, warmup=0.1, hold=0.2, weight_decay=0.02, average=0.995, score_every=100)
    batch_size = 32
    silences = 0.08
    """Share of a batch drawn from the background noise, which the pack has little of."""

    def __init__(self, data: Path, parent: str | Path = "an4") -> None:
        self.parent = parent
        self.extract = SpeechFeatureExtractor()
        self.processors = (self.extract,)
        self.train = read_clips(data, "speech_commands", "train")
        self.valid = read_clips(data, "speech_commands", "valid")
        self.noises = [clip for clip in self.train if clip.record["label"] == "_silence_"]

    def build_model(self) -> PretrainedModel:
        return Data2VecAudioForSequenceClassification.from_pretrained(
            self.parent,
            id2label=dict(enumerate(LABELS)),
            mask_time_prob=0.1,
            mask_time_length=4,
            mask_feature_prob=0.1,
            mask_feature_length=16,
        )

    def loss(self, model: PretrainedModel, step: int) -> Tensor:
        random = np.random.default_rng((self.plan.seed, step))
        clips, labels = [], []
        for index in random.integers(len(self.train), size=self.batch_size):
            clip = self.train[index]
            if random.random() < self.silences:
                clip = self.noises[random.integers(len(self.noises))]
            samples = shift(change_speed(clip.samples, random.uniform(0.85, 1.18)), SECOND // 10, random)
            if random.random() < 0.5:
                noise = self.noises[random.integers(len(self.noises))].samples
                samples = fit_length(samples, SECOND) + random.uniform(0, 0.3) * np.roll(noise, random.integers(SECOND))
            if random.random() < 0.3:
                samples = add_noise(samples, random.uniform(10, 40), random)
            clips.append(fit_length(samples, SECOND))
            labels.append(LABELS.index(clip.record["label"]))
        return model(self.extract(clips)["input_values"], labels=torch.tensor(labels)).loss

    def score(self, model: PretrainedModel) -> float:
        """Accuracy."""
        right = 0
        for start in range(0, len(self.valid), 32):
            clips = self.valid[start : start + 32]
            logits = model(self.extract([clip.samples for clip in clips])["input_values"]).logits
            predicted = logits.argmax(dim=-1).tolist()
            right += sum(LABELS[i] == clip.record["label"] for i, clip in zip(predicted, clips, strict=True))
        return right / len(self.valid)
