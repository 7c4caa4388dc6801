"""`speakers`: whether two clips are of one voice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data2vec_core import Data2VecAudioForXVector
from data2vec_core.checkpoints.card import Card, Metric
from data2vec_core.pretraining.schedule import WarmupCosine
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.samples import MODEL_RATE
from data2vec_core.tasks.speaker_verification import SpeakerVerifier, save_threshold
from recipes.bundled.model import BundledModel
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.speakers import SpeakerVectors, Utterance, Voice
from recipes.finetuning.start import Start
from recipes.finetuning.voice_start import CHANNELS
from recipes.packs import Split, read_clips, read_records
from recipes.sound import Samples, add_noise, colour, mix_in
from recipes.voice_metrics import OperatingPoint, equal_error

CORPORA = ("an4", "speechocean")
"""Those with trials."""
SPECTRA = 600
"""Steps of the head start."""

CARD = Card(
    name="speakers",
    modality="audio",
    task="speaker verification",
    title="The same voice or not",
    description=(
        "Makes a vector of a voice, and calls two clips the same speaker where their vectors point the same way. It "
        "judges by the sound of the voice, not by what is said."
    ),
    trained_on=("train speakers of CMU AN4 (62), speechocean762 (95) and Speech Commands (141): 4,151 clips"),
    training_items=4151,
    baseline="equal error rate, an4 10.3 %, speechocean 10.8 % (mel statistics, linear discriminant analysis)",
    advice=(
        "Compare clips of two seconds or more, best of one microphone: the microphone and the room are part of what it "
        "hears. It knows few voices and none in a noisy place, and nobody should be let in on its word."
    ),
    licence="CC-BY-4.0 (AN4: its BSD-style notice)",
    parent="audio",
)
PLAN = FinePlan(
    schedule=WarmupCosine(peak=3e-4, total=500, warmup=100),
    weight_decay=0.02,
    average=0.99,
    score_every=25,
    bf16=("cpu", "cuda"),
)


def examples(data: Path, split: Split) -> list[Utterance]:
    """Utterances with their speaker; train has the spoken words of Speech Commands, too."""
    packs = (*CORPORA, "speech_commands") if split == "train" else CORPORA
    return [
        Utterance(clip.samples, Voice(clip.record["speaker"], pack, clip.record.get("gender")))
        for pack in packs
        for clip in read_clips(data, pack, split)
        if clip.record["speaker"] is not None
    ]


def tuning(start: Start, plan: FinePlan, train: Sequence[Utterance], valid: Sequence[Utterance]) -> SpeakerVectors:
    """Crops of two seconds, some of them coloured, noisy or with others talking far behind."""

    def change(samples: Samples, random: np.random.Generator) -> Samples:
        if random.random() < 0.2:
            samples = colour(samples, 4, random)
        if random.random() < 0.1:
            samples = mix_in(samples, train[int(random.integers(len(train)))].content, random.uniform(12, 25), random)
        return add_noise(samples, random.uniform(15, 40), random) if random.random() < 0.2 else samples

    return SpeakerVectors(
        start,
        plan,
        train,
        valid,
        length=2 * MODEL_RATE,
        batch=32,
        change=change,
        spectra=SPECTRA,
        num_hidden_layers=1,
        use_weighted_layer_sum=True,
        tdnn_dim=(CHANNELS,),
        tdnn_kernel=(5,),
        tdnn_dilation=(1,),
        xvector_output_dim=48,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        mask_time_prob=0.0,
        mask_feature_prob=0.0,
    )


def operating_point(verify: SpeakerVerifier, data: Path, corpus: str, split: Split) -> OperatingPoint:
    """Of a verifier over the trials of a corpus."""
    vectors = {
        clip.record["id"]: verify.embed(clip.samples, sampling_rate=MODEL_RATE)
        for clip in read_clips(data, corpus, split)
    }
    trials = [trial for trial in read_records(data, "speaker_trials", split) if trial["set"] == corpus]
    similarities = np.array([vectors[trial["a"]] @ vectors[trial["b"]] for trial in trials])
    return equal_error(similarities, np.array([trial["same"] == 1 for trial in trials]))


def finish(folder: Path, data: Path) -> None:
    """The threshold is the mean of those at which the corpora's valid trials err as often either way."""
    model = Data2VecAudioForXVector.from_pretrained(folder)
    verify = SpeakerVerifier(model, SpeechFeatureExtractor.from_pretrained(folder), threshold=0.0)
    points = {corpus: operating_point(verify, data, corpus, "valid") for corpus in CORPORA}
    threshold = sum(point.threshold for point in points.values()) / len(points)
    save_threshold(folder, threshold, split="valid", by_corpus={name: p.threshold for name, p in points.items()})


def evaluate(model: str | Path, data: Path, split: Split) -> list[Metric]:
    """Equal error rate over the trials of each corpus."""
    verify = SpeakerVerifier.from_pretrained(model)
    return [
        Metric(f"equal error rate, {corpus}", operating_point(verify, data, corpus, split).rate, split)
        for corpus in CORPORA
    ]


MODEL = BundledModel(card=CARD, plan=PLAN, examples=examples, tuning=tuning, evaluate=evaluate, finish=finish)
