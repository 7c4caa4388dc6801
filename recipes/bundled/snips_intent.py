"""`snips-intent`: what a request to a voice assistant wants done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data2vec_core.checkpoints.card import Card, Metric
from data2vec_core.pretraining.schedule import WarmupCosine
from data2vec_core.tasks.text_classification import TextClassifier
from recipes.bundled.model import BundledModel
from recipes.bundled.scores import accuracies
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.finetuning.tags import sentence
from recipes.finetuning.text_classes import Text, TextClasses
from recipes.packs import Split, read_records

LABELS = (
    "AddToPlaylist",
    "BookRestaurant",
    "GetWeather",
    "PlayMusic",
    "RateBook",
    "SearchCreativeWork",
    "SearchScreeningEvent",
)
CARD = Card(
    name="snips-intent",
    modality="text",
    task="classification",
    title="What a request wants (English)",
    description=(
        "Tells seven kinds of requests to a voice assistant apart: to add to a playlist, book a restaurant, tell the "
        "weather, play music, rate a book, find a creative work, or say where and when a film is shown."
    ),
    trained_on="Snips 2017 custom-intent benchmark, train split: 12,786 requests",
    training_items=12786,
    baseline="accuracy 98.0 % (tf-idf, logistic regression)",
    advice=(
        "Ask as one asks a voice assistant: “will it rain in Rome tomorrow”, “give this book four stars”. Any other "
        "request gets one of the seven kinds all the same."
    ),
    licence="CC0-1.0",
    parent="snips-slots",
)
PLAN = FinePlan(
    schedule=WarmupCosine(peak=2e-3, total=400, warmup=40),
    weight_decay=0.02,
    average=0.99,
    score_every=50,
    fixed=("backbone.",),
    bf16=("cpu", "cuda"),
)
"""The encoder of `snips-slots` stays as it is, and both share it: only the head is learnt."""


def examples(data: Path, split: Split) -> list[Text]:
    """Requests with what they want."""
    return [Text(sentence(record["tokens"])[0], record["intent"]) for record in read_records(data, "snips_nlu", split)]


def tuning(start: Start, plan: FinePlan, train: Sequence[Text], valid: Sequence[Text]) -> TextClasses:
    """A head on an encoder that has learnt what requests name."""
    return TextClasses(start, plan, train, valid, labels=LABELS)


def evaluate(model: str | Path, data: Path, split: Split) -> list[Metric]:
    """Accuracy; the classes are even."""
    classify = TextClassifier.from_pretrained(model)
    requests = examples(data, split)
    predicted = [classify(request.content).labels[0].label for request in requests]
    return accuracies(predicted, [request.target for request in requests], split)[:1]


MODEL = BundledModel(card=CARD, plan=PLAN, examples=examples, tuning=tuning, evaluate=evaluate)
