"""`commands`: the twelve classes of Speech Commands."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from data2vec_core.checkpoints.card import Card, Metric
from data2vec_core.pretraining.schedule import WarmupCosine
from data2vec_core.processing.samples import MODEL_RATE
from data2vec_core.tasks.audio_classification import AudioClassifier
from recipes.bundled.model import BundledModel, Sitting
from recipes.bundled.scores import accuracies
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.sound_classes import Sound, SoundClasses
from recipes.finetuning.start import Start
from recipes.packs import Split, read_clips
from recipes.sound import Samples, add_noise, change_speed, colour, fit_length, mix_in, shift
from recipes.speech_synthesis import read_aloud

#: In the order of the data pack's description.
LABELS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go", "_unknown_", "_silence_")
#: Some of those that are to be `_unknown_`: of the corpus, and others that sound like a command.
OTHER_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "bed", "bird", "cat", "dog",
    "happy", "house", "marvin", "sheila", "tree", "wow", "backward", "forward", "follow", "learn", "visual", "boat",
    "know", "toe", "low", "show", "dawn", "done", "town", "gown", "cup", "of", "cough", "top", "step", "live",
    "write", "less", "yet", "chess", "own", "and", "gun", "goat", "node", "shut", "apple", "water", "music",
)  # fmt: skip
READ_ALOUD = 50
"""Clips of synthetic voices for every command, and a fifth of the commands' sum of other words."""
SECOND = MODEL_RATE
"""In samples: how long every clip of the pack is."""

CARD = Card(
    name="commands",
    modality="audio",
    task="classification",
    title="Ten spoken command words",
    description=(
        "Tells yes, no, up, down, left, right, on, off, stop and go from other words (_unknown_) and from background "
        "noise (_silence_), in clips of about one second with one word."
    ),
    trained_on=(
        "Speech Commands v0.02, canonical test files split anew by speaker: 3,017 clips of 141 speakers; 600 words of "
        "synthetic voices (espeak-ng)"
    ),
    training_items=3017,
    baseline="accuracy 56.9 % (MFCC, support vector machine)",
    advice=(
        "Say one of the ten words, alone, within a second. It takes any other word for _unknown_, and of a sentence it "
        "makes nothing: a longer recording gets one answer for all of it."
    ),
    licence="CC-BY-4.0",
    parent="audio",
)
PLAN = FinePlan(
    schedule=WarmupCosine(peak=6e-4, total=2200, warmup=150),
    weight_decay=0.02,
    layer_decay=0.8,
    fixed=("backbone.feature_extractor.", "backbone.encoder.pos_conv_embed."),
    average=0.995,
    score_every=200,
    bf16=("cpu", "cuda"),
)
"""Of a first sitting with the pack alone and every class drawn equally often, which was ended at step 1,600 and came to
82.5 % on valid."""
FURTHER = PLAN.replace(
    schedule=WarmupCosine(peak=3e-4, total=1000, warmup=60),
    fixed=("backbone.encoder.pos_conv_embed.",),
    score_every=125,
)
"""Of a second one, with synthetic voices and the classes as often as they are: 85.0 % on valid."""


def examples(data: Path, split: Split) -> list[Sound]:
    """Clips of one second with their class."""
    return [Sound(clip.samples, clip.record["label"]) for clip in read_clips(data, "speech_commands", split)]


def synthetic(seed: int) -> list[Sound]:
    """The words in synthetic voices, each somewhere in a second of silence."""
    commands = LABELS[:10]
    words = [*commands] * READ_ALOUD
    random = np.random.default_rng(seed)
    others = [str(word) for word in random.choice(OTHER_WORDS, len(words) // 5)]
    labels = [*words, *("_unknown_" for _ in others)]
    spoken = [samples[:SECOND] for samples in read_aloud([*words, *others], seed=seed)]
    places = [int(random.integers(SECOND - len(samples) + 1)) for samples in spoken]
    return [
        Sound(np.pad(samples, (place, SECOND - place - len(samples))), label)
        for samples, place, label in zip(spoken, places, labels, strict=True)
    ]


def tuning(
    start: Start, plan: FinePlan, train: Sequence[Sound], valid: Sequence[Sound], *, is_further: bool = False
) -> SoundClasses:
    """Clips are moved in time, played at other speeds, coloured, and mixed with the pack's background noise; in the
    further sitting less of it, and a fifth of the clips are of synthetic voices."""
    loudest = 3 if is_further else 0  # decibels below the clip
    noises = [example.content for example in train if example.target == "_silence_"]

    def change(samples: Samples, random: np.random.Generator) -> Samples:
        samples = fit_length(change_speed(samples, random.uniform(0.85, 1.18)), SECOND)
        samples = shift(samples, SECOND // 8, random)
        if random.random() < 0.5:
            samples = colour(samples, 8, random)
        if random.random() < 0.5:
            samples = mix_in(samples, noises[random.integers(len(noises))], random.uniform(loudest, 25), random)
        return add_noise(samples, random.uniform(10, 40), random) if random.random() < 0.2 else samples

    return SoundClasses(
        start,
        plan,
        [*train, *synthetic(plan.seed)] if is_further else train,
        valid,
        labels=LABELS,
        length=SECOND,
        batch=32,
        is_balanced=not is_further,
        change=change,
        mixup=0.2,
        mask_time_prob=0.1,
        mask_time_length=4,
        mask_feature_prob=0.1,
        mask_feature_length=16,
    )


def evaluate(model: str | Path, data: Path, split: Split) -> list[Metric]:
    """Accuracy over the twelve classes."""
    classify = AudioClassifier.from_pretrained(model)
    clips = examples(data, split)
    predicted = [classify(clip.content, sampling_rate=MODEL_RATE).labels[0].label for clip in clips]
    return accuracies(predicted, [clip.target for clip in clips], split)


MODEL = BundledModel(
    card=CARD,
    plan=PLAN,
    until=1600,
    examples=examples,
    tuning=tuning,
    further=(Sitting(plan=FURTHER, tuning=partial(tuning, is_further=True)),),
    evaluate=evaluate,
)
