"""`activity`: who speaks when, in conversations of two voices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import torch

from data2vec_core import Data2VecAudioForAudioFrameClassification
from data2vec_core.checkpoints.card import Card, Metric
from data2vec_core.pretraining.schedule import WarmupCosine
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.samples import MODEL_RATE
from data2vec_core.tasks.speaker_activity import SPEAKERS, Smoothing, SpeakerActivity
from recipes.bundled import speakers
from recipes.bundled.model import BundledModel
from recipes.finetuning.frames import SpeakerTurns, frame_probabilities
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.speakers import Utterance
from recipes.finetuning.start import Start
from recipes.mixtures import HOP, Mixture, Scenery, Speech, conversations, converse, find_speech, pair
from recipes.packs import Split
from recipes.voice_metrics import DiarisationErrors

SCENERY = Scenery()
FIRST_LESSONS = Scenery(seconds=5.0, speed=(0.88, 1.14), turn=(0.8, 2.2))
LESSONS = Scenery(speed=(0.88, 1.14), alone=0.05)
FIRST = 0.6
"""Share of training with the first lessons: in shorter conversations a step sees more pairs of voices."""
WINDOWS = (1, 5, 11, 21, 31, 41)
SHORTEST_TURNS = (0, 5, 10, 20)
LONGEST_GAPS = (0, 5, 10, 15)
"""What `finish` chooses from, in frames."""
ENCODER = "audio"
"""Whose second and third block go on top of the one of `speakers`."""
CONVERSATIONS = 100
"""Of valid and of test: fixed ones."""

CARD = Card(
    name="activity",
    modality="audio",
    task="speaker activity",
    title="Who speaks when, of two voices",
    description=(
        "Says for every 20 ms whether nobody speaks, the voice that was heard first, the second one, or both. The "
        "conversations that it learnt from, and is scored on, are made: single utterances of two voices of one corpus, "
        "laid out with pauses and overlaps over eight seconds."
    ),
    trained_on=(
        "conversations made of 4,151 clips of the train speakers of CMU AN4 (62), speechocean762 (95) and Speech "
        "Commands (141)"
    ),
    training_items=4151,
    baseline="diarisation error rate 22.3 % (energy, and k-means of cepstral coefficients within the clip)",
    advice=(
        "Try two people who take turns for about eight seconds, close to one microphone. It tells two voices apart, "
        "not three; music and noise count as voices, and in longer recordings it loses track of who was first."
    ),
    licence="CC-BY-4.0 (AN4: its BSD-style notice)",
    parent="speakers",
)
PLAN = FinePlan(
    schedule=WarmupCosine(peak=8e-4, total=1600, warmup=150),
    weight_decay=0.02,
    fixed=("backbone.feature_extractor.",),
    average=0.995,
    score_every=100,
    bf16=("cpu", "cuda"),
)


def by_speaker(utterances: Sequence[Utterance]) -> list[dict[str, list[Speech]]]:
    """Of each corpus, what every speaker has said."""
    corpora: dict[str, dict[str, list[Speech]]] = defaultdict(lambda: defaultdict(list))
    for utterance in utterances:
        voice = utterance.target
        corpora[voice.corpus][voice.speaker].append(find_speech(utterance.content))
    return [dict(speakers) for speakers in corpora.values()]


def manifest(utterances: Sequence[Utterance]) -> list[Mixture]:
    """The fixed conversations of a split, half of them of either corpus."""
    return conversations(by_speaker(utterances), CONVERSATIONS, seed=2022, scenery=SCENERY)


def tuning(start: Start, plan: FinePlan, train: Sequence[Utterance], valid: Sequence[Utterance]) -> SpeakerTurns:
    """Conversations between train speakers of one corpus, each of whom is played at a speed of their own.

    Args:
        start: `speakers`, or another encoder of one block.
    """
    corpora = by_speaker(train)

    def draw(random: np.random.Generator, progress: float) -> Mixture:
        corpus = corpora[random.integers(len(corpora))]
        return converse(pair(corpus, random), random, FIRST_LESSONS if progress < FIRST else LESSONS)

    return SpeakerTurns(
        Start(ENCODER, is_trained=start.is_trained),
        plan,
        draw,
        manifest(valid),
        batch=10,
        affinity=1.0,
        ears=start.checkpoint,
        num_hidden_layers=3,
        mask_time_prob=0.0,
        mask_feature_prob=0.0,
    )


def finish(folder: Path, data: Path) -> None:
    """How frames become turns is what errs least on the valid conversations."""
    model = Data2VecAudioForAudioFrameClassification.from_pretrained(folder).eval()
    extract = SpeechFeatureExtractor.from_pretrained(folder)
    mixtures = manifest(MODEL.examples(data, "valid"))
    with torch.inference_mode():
        frames = [(frame_probabilities(model, extract, mixture), mixture.is_speaking) for mixture in mixtures]

    def errors(smoothing: Smoothing) -> float:
        return total([DiarisationErrors.count(smoothing.speaking(found), true) for found, true in frames]).rate

    choices = product(WINDOWS, SHORTEST_TURNS, LONGEST_GAPS)
    smoothings = (Smoothing(window=w, shortest_turn=turn, longest_gap=gap) for w, turn, gap in choices)
    min(smoothings, key=errors).save(folder)


def evaluate(model: str | Path, data: Path, split: Split) -> list[Metric]:
    """Diarisation error rate without a collar, overlaps scored, the two speakers assigned as fits best; and in how many
    conversations the first and the second are those that are so called."""
    find = SpeakerActivity.from_pretrained(model)
    best, in_order = [], []
    for mixture in manifest(MODEL.examples(data, split)):
        found = np.zeros_like(mixture.is_speaking)
        for turn in find(mixture.samples, sampling_rate=MODEL_RATE).segments:
            found[
                round(turn.start * MODEL_RATE / HOP) : round(turn.end * MODEL_RATE / HOP), SPEAKERS.index(turn.speaker)
            ] = True
        best.append(DiarisationErrors.count(found, mixture.is_speaking))
        in_order.append(DiarisationErrors.count_in_order(found, mixture.is_speaking))
    kept = sum(one == other for one, other in zip(best, in_order, strict=True)) / len(best)
    return [
        Metric("diarisation error rate", total(best).rate, split),
        Metric("missed speech", total(best).missed / total(best).speech, split),
        Metric("false alarms", total(best).false_alarm / total(best).speech, split),
        Metric("speaker confusion", total(best).confused / total(best).speech, split),
        Metric("conversations with the first speaker first", kept, split),
    ]


def total(errors: Sequence[DiarisationErrors]) -> DiarisationErrors:
    """Of several conversations."""
    return sum(errors, DiarisationErrors())


MODEL = BundledModel(card=CARD, plan=PLAN, examples=speakers.examples, tuning=tuning, evaluate=evaluate, finish=finish)
