"""`an4`: transcription of the CMU AN4 corpus (spelled names, numbers, dates) by CTC, from scratch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from data2vec_core import Data2VecAudioForCTC
from data2vec_core.checkpoints.card import Card
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.audio_io import MODEL_RATE
from data2vec_core.processing.ctc import CTCTokenizer
from recipes.batching import LengthBatches
from recipes.metrics import word_errors
from recipes.packs import read_clips
from recipes.sound import add_noise, change_speed, small_encoder
from recipes.training import Plan

BATCH_SAMPLES = 12 * MODEL_RATE
"""Padding included."""


class An4:
    """The recipe. Trained on whole sentences from the start, CTC stays long on a plateau of blanks; so it begins with
    short clips and the single words of another corpus, and hides nothing (SpecAugment) until it hears letters."""

    card = Card(
        name="an4",
        modality="audio",
        task="transcription",
        title="Spelled names, numbers and dates (English)",
        description=(
            "Knows spelled letters, numbers, dates and about a hundred words of one old corpus of read speech. "
            "Try spelling a name or saying a date. Free speech needs the public checkpoint."
        ),
        trained_on=(
            "CMU AN4, train split: 794 utterances of 62 speakers, 35 minutes; at first also single words of Speech "
            "Commands, train split"
        ),
        licence="BSD-style, Carnegie Mellon University (notice in assets/README.md)",
    )
    model_class = Data2VecAudioForCTC
    plan = Plan(
        steps=9000, learning_rate=5e-4, warmup=0.2, hold=0.35, weight_decay=0.02, average=0.998, score_every=250
    )
    short_until, words_until, masked_from = 0.06, 0.45, 0.6
    """Shares of the steps up to which clips are short, up to which words of Speech Commands are among them, and from
    which on SpecAugment hides spans."""
    short = 40_000
    """Samples of the longest clip at first."""

    def __init__(self, data: Path) -> None:
        self.tokenizer = CTCTokenizer.of_characters()
        self.extract = SpeechFeatureExtractor()
        self.processors = (self.extract, self.tokenizer)
        sentences = [(clip.samples, clip.record["text"]) for clip in read_clips(data, "an4", "train")]
        words = [
            (clip.samples, clip.record["word"].upper())
            for clip in read_clips(data, "speech_commands", "train")
            if clip.record["word"]
        ]
        self.valid = read_clips(data, "an4", "valid")
        first = [item for item in sentences + words if len(item[0]) <= self.short]
        self.stages = [
            (until, items, LengthBatches([len(samples) for samples, _ in items], BATCH_SAMPLES, self.plan.seed))
            for until, items in ((self.short_until, first), (self.words_until, sentences + words), (1.0, sentences))
        ]

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
        done = step / self.plan.steps
        backbone = model.base_model  # its configuration alone changes: the saved one is the head's
        is_masked = done > self.masked_from
        if backbone.config.apply_spec_augment != is_masked:
            backbone.config = backbone.config.replace(apply_spec_augment=is_masked)
        items, batches = next((items, batches) for until, items, batches in self.stages if done < until)
        random = np.random.default_rng((self.plan.seed, 1, step))
        clips, texts = [], []
        for index in batches.indices(step):
            samples, text = items[index]
            samples = change_speed(samples, random.uniform(0.88, 1.14))
            if random.random() < 0.5:
                samples = add_noise(samples, random.uniform(15, 40), random)
            clips.append(samples)
            texts.append(self.tokenizer.encode(text))
        return model(**self.extract(clips), labels=self.tokenizer.pad(texts)).loss

    def score(self, model: PretrainedModel) -> float:
        """1 - word error rate, greedy."""
        errors = words = 0
        for clip in self.valid:
            logits = model(**self.extract(clip.samples)).logits
            heard = self.tokenizer.decode(logits[0].argmax(dim=-1)).text
            wrong, said = word_errors(heard, clip.record["text"])
            errors, words = errors + wrong, words + said
        return 1 - errors / words
