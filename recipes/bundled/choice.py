"""`choice`: what a SNIPS query wants, among descriptions in plain words; and the few riddles of COPA."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data2vec_core.checkpoints.card import Card, Metric
from data2vec_core.pretraining.schedule import WarmupCosine
from data2vec_core.tasks.choosing import Chooser
from recipes.bundled.model import BundledModel
from recipes.finetuning.choices import Choices, Chosen, Options, share_right
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.packs import Split, read_records

DESCRIPTIONS: dict[str, tuple[str, ...]] = {
    "AddToPlaylist": (
        "add music to a playlist",
        "put a song, an album or an artist on a list of music",
        "save a tune in a playlist",
        "a playlist should get one more entry",
        "include this artist in a collection of songs",
    ),
    "BookRestaurant": (
        "book a table at a restaurant",
        "make a reservation for a meal",
        "find a place to eat and reserve seats",
        "a table for some guests is wanted",
        "arrange dinner at a restaurant for a party",
    ),
    "GetWeather": (
        "tell the weather forecast",
        "say how warm, cold, wet or windy it will be",
        "give the weather of a place and a time",
        "a question about rain, sun or temperature",
        "find out what the weather will be like",
    ),
    "PlayMusic": (
        "play some music",
        "start a song, an album or an artist on a music service",
        "let me listen to a tune",
        "music should be heard now",
        "put on a track by an artist",
    ),
    "RateBook": (
        "rate a book",
        "give a novel some stars or points",
        "set a score for something that was read",
        "a book gets a mark out of six",
        "grade a novel or an essay",
    ),
    "SearchCreativeWork": (
        "find a creative work by its title",
        "look up a film, a game, a book or a song by name",
        "show me a work with this title",
        "search for something that somebody has made",
        "where can i find a show or an album of this name",
    ),
    "SearchScreeningEvent": (
        "find out when a film is shown in a cinema",
        "look up the times of movies at a theatre",
        "which films are on nearby, and when",
        "a programme of a cinema is wanted",
        "check the movie schedule",
    ),
}
"""Intent -> wordings: the first is what tests ask with, the last is never trained on."""

CARD = Card(
    name="choice",
    modality="text",
    task="choice",
    title="What a request wants, among descriptions (English)",
    description=(
        "Chooses among options the one that fits a text. It was taught with requests to an assistant and descriptions "
        "of the seven things they may want; those it does well. The 310 riddles of COPA (which sentence is a cause or "
        "an effect of another) are far too few to learn from: there it guesses."
    ),
    trained_on="12,786 SNIPS queries with descriptions of their seven intents in our wording, and 310 items of COPA",
    training_items=13_096,
    baseline="accuracy 76.0 % among the seven intents (tf-idf similarity of query and description)",
    advice=(
        "Give it a request, such as to play a song or book a table, and two or more things that it might want. For "
        "anything else it guesses."
    ),
    licence="CC0-1.0 (SNIPS); COPA states none",
    parent="text",
)
PLAN = FinePlan(
    schedule=WarmupCosine(peak=6e-4, total=600, warmup=60),
    fixed=("backbone.embeddings.", "backbone.encoder.layers.0.", "backbone.encoder.layers.1."),
    score_every=300,
    bf16=("cpu", "cuda"),
)
TOKENS = 2048
"""In a batch."""
SHOWN = 4
"""Options of an example in training."""
COPA_TIMES = 4
"""How often an item of COPA stands among the train examples: they are so few."""


def intent_examples(data: Path, split: Split, *, wording: int | None = 0) -> list[Chosen]:
    """Queries with a description of every intent.

    Args:
        wording: index of that of every description; None: a random one of those to learn from.
    """
    random = np.random.default_rng(0)
    intents = list(DESCRIPTIONS)

    def described(wordings: Sequence[str]) -> str:
        return wordings[int(random.integers(len(wordings) - 1)) if wording is None else wording]

    return [
        Chosen(
            Options(" ".join(record["tokens"]), tuple(described(wordings) for wordings in DESCRIPTIONS.values())),
            intents.index(record["intent"]),
        )
        for record in read_records(data, "snips_nlu", split)
    ]


def riddle_examples(data: Path, split: Split) -> list[Chosen]:
    """Items of COPA: two options each."""
    return [
        Chosen(Options(record["premise"], tuple(record["choices"])), record["label"])
        for record in read_records(data, "copa", split)
    ]


def examples(data: Path, split: Split) -> list[Chosen]:
    """To learn from: both kinds, descriptions in several wordings. To choose by: the intents."""
    if split == "train":
        return intent_examples(data, split, wording=None) + riddle_examples(data, split) * COPA_TIMES
    return intent_examples(data, split)


def tuning(start: Start, plan: FinePlan, train: Sequence[Chosen], valid: Sequence[Chosen]) -> Choices:
    """The lower two blocks stay those of the encoder, which the files share."""
    return Choices(start, plan, train, valid, shown=SHOWN, tokens=TOKENS)


def evaluate(model: str | Path, data: Path, split: Split) -> list[Metric]:
    """Accuracy among all seven descriptions, the same in wordings that were never trained on, and COPA's of two."""
    choose = Chooser.from_pretrained(model)
    asked = {
        "intent among 7": intent_examples(data, split),
        "intent among 7 in new wordings": intent_examples(data, split, wording=-1),
        "copa": riddle_examples(data, split),
    }
    return [Metric(f"accuracy, {name}", share_right(choose, of), split) for name, of in asked.items()]


MODEL = BundledModel(card=CARD, plan=PLAN, examples=examples, tuning=tuning, evaluate=evaluate)
