"""`sst2`: sentiment of film-review sentences."""

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
from recipes.finetuning.text_classes import Text, TextClasses
from recipes.packs import Split, read_records

LABELS = ("negative", "positive")
CARD = Card(
    name="sst2",
    modality="text",
    task="classification",
    title="Sentiment of a sentence (English)",
    description=(
        "Says whether a sentence of a film review is negative or positive. It knows no other subject and no neutral "
        "answer, and it misses irony."
    ),
    trained_on="Stanford Sentiment Treebank (SST-2), whole sentences, train split: 6,516 sentences",
    training_items=6516,
    baseline="accuracy 80.9 % (tf-idf, logistic regression)",
    advice=(
        "Write a sentence about a film, such as “a warm and funny film”. It has no neutral answer, misses irony, and "
        "guesses about anything but films."
    ),
    licence="CC-BY-4.0 (sentences of Pang and Lee's sentence polarity data set)",
    parent="text",
)
PLAN = FinePlan(
    schedule=WarmupCosine(peak=1e-3, total=500, warmup=50),
    weight_decay=0.05,
    layer_decay=0.95,
    average=0.99,
    score_every=50,
    fixed=("backbone.embeddings.position_embeddings.",),
    bf16=("cpu", "cuda"),
)
"""Word embeddings learn with the rest. A run with the encoder's as they are, four blocks and less hidden reached 77 %
on valid, this one 80 %."""


def examples(data: Path, split: Split) -> list[Text]:
    """Sentences with their sentiment."""
    return [Text(record["text"], record["label"]) for record in read_records(data, "sst2", split)]


def tuning(start: Start, plan: FinePlan, train: Sequence[Text], valid: Sequence[Text]) -> TextClasses:
    """Two of the encoder's blocks are taken, and many tokens are hidden, since sentences are few and most show their
    sentiment in more than one word."""
    return TextClasses(
        start, plan, train, valid, labels=LABELS, hidden=0.3, hidden_dropout_prob=0.3, num_hidden_layers=2
    )


def evaluate(model: str | Path, data: Path, split: Split) -> list[Metric]:
    """Accuracy; the classes are even."""
    classify = TextClassifier.from_pretrained(model)
    sentences = examples(data, split)
    predicted = [classify(sentence.content).labels[0].label for sentence in sentences]
    return accuracies(predicted, [sentence.target for sentence in sentences], split)[:1]


MODEL = BundledModel(card=CARD, plan=PLAN, examples=examples, tuning=tuning, evaluate=evaluate)
