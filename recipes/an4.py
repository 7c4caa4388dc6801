"""`an4`: transcription of the CMU AN4 corpus (spelled names, numbers, dates) by CTC, from scratch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from data2vec_core import Data2VecAudioForCTC
from data2vec_core.checkpoints.card import Card
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.ctc import CTCTokenizer
from recipes.metrics import word_errors
from recipes.packs import read_clips
from recipes.sound import LengthBatches, add_noise, change_speed, small_encoder
from recipes.training import Plan


class An4:
    """The recipe. A trial showed an all-blank plateau first: masking waits until the model has left it."""

    card = Card(
        name="an4",
        modality="audio",
        task="transcription",
        title="Spelled names, numbers and dates (English)",
        description=(
            "Knows spelled letters, numbers, dates and about a hundred words of one old corpus of read speech. "
            "Try spelling a name or saying a date. Free speech needs the public checkpoint."
        ),
        trained_on="CMU AN4, train split: 794 utterances of 62 speakers, 35 minutes",
        licence="BSD-style, Carnegie Mellon University (assets/README.md)",
    )
    plan = Plan(steps=4800, learning_rate=5e-4, warmup=0.2, hold=0.2, weight_decay=0.02, average=0.998, score_every=250)
    masked_from = 0.2
    """Share of the steps after which SpecAugment starts."""

    def __init__(self, data: Path) -> None:
        self.tokenizer = CTCTokenizer.of_characters()
        self.processors = (SpeechFeatureExtractor(), self.tokenizer)
        self.train = read_clips(data, "an4", "train")
        self.valid = read_clips(data, "an4", "valid")
        self.batches = LengthBatches([len(clip.samples) for clip in self.train], 16_000 * 12, self.plan.seed)

    def build_model(self) -> PretrainedModel:
        return Data2VecAudioForCTC(
            small_encoder(
                vocab_size=len(self.tokenizer),
                mask_time_prob=0.3,
                mask_time_length=6,
                mask_feature_prob=0.15,
                mask_feature_length=16,
            )
        )

    def loss(self, model: PretrainedModel, step: int) -> Tensor:
        backbone = model.base_model
        is_masked = step > self.masked_from * self.plan.steps
        if backbone.config.apply_spec_augment != is_masked:
            backbone.config = backbone.config.replace(apply_spec_augment=is_masked)
        random = np.random.default_rng((self.plan.seed, 1, step))
        clips, texts = [], []
        for index in self.batches.indices(step):
            samples = change_speed(self.train[index].samples, random.uniform(0.88, 1.14))
            if random.random() < 0.5:
                samples = add_noise(samples, random.uniform(15, 40), random)
            clips.append(samples)
            texts.append(self.tokenizer.encode(self.train[index].record["text"]))
        labels = self.tokenizer.pad(texts)
        return model(**self.processors[0](clips), labels=labels).loss

    def score(self, model: PretrainedModel) -> float:
        """1 - word error rate, greedy."""
        errors = words = 0
        for clip in self.valid:
            logits = model(**self.processors[0](clip.samples)).logits
            heard = self.tokenizer.decode(logits[0].argmax(dim=-1)).text
            wrong, said = word_errors(heard, clip.record["text"])
            errors, words = errors + wrong, words + said
        return 1 - errors / words
