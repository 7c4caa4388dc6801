"""`snips-slots`: what a request to a voice assistant names, such as the artist, the city or the time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from data2vec_core.checkpoints.card import Card, Metric
from data2vec_core.pretraining.schedule import WarmupCosine
from data2vec_core.processing.tags import spans_of
from data2vec_core.tasks.token_tagging import TokenTagger
from recipes.bundled.model import BundledModel, Sitting
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.finetuning.tags import Tagged, Tags, f1_of
from recipes.packs import Split, read_records

_ONE_WORD = (
    "best_rating", "condition_description", "condition_temperature", "party_size_number", "rating_unit",
    "rating_value", "year",
)  # fmt: skip
"""Types that the pack never gives to more than one word, and has no `I-` tag for."""
_TYPES = (
    "album", "artist", "city", "country", "cuisine", "current_location", "entity_name", "facility", "genre",
    "geographic_poi", "location_name", "movie_name", "movie_type", "music_item", "object_location_type", "object_name",
    "object_part_of_series_type", "object_select", "object_type", "party_size_description", "playlist",
    "playlist_owner", "poi", "restaurant_name", "restaurant_type", "served_dish", "service", "sort",
    "spatial_relation", "state", "timeRange", "track",
)  # fmt: skip
LABELS = ("O", *(f"B-{kind}" for kind in sorted(_TYPES + _ONE_WORD)), *(f"I-{kind}" for kind in _TYPES))

CARD = Card(
    name="snips-slots",
    modality="text",
    task="tagging",
    title="What a request names (English)",
    description=(
        "Finds 39 types of slots in a request to a voice assistant: artist, album, playlist, city, time, restaurant, "
        "rating, film, ... It knows seven kinds of requests, and nothing of other texts."
    ),
    trained_on="Snips 2017 custom-intent benchmark, train split: 12,786 requests",
    training_items=12786,
    baseline="F1 of spans 88.8 % (published: slot-gated network, Goo et al. 2018)",
    advice=(
        "Ask as one asks a voice assistant: “play Hello by Adele”, “book a table for four in Rome at 7 pm”. Names in "
        "other texts it does not find, and capitals it does not see."
    ),
    licence="CC0-1.0",
    parent="text",
)
PLAN = FinePlan(
    schedule=WarmupCosine(peak=1e-3, total=1200, warmup=120),
    weight_decay=0.02,
    layer_decay=0.95,
    average=0.99,
    score_every=200,
    bf16=("cpu", "cuda"),
)
"""Of a first sitting. It began from `text` with its faint table of positions exchanged for sinusoids of standard
deviation 0.04, which this does not repeat, and came to 89.5 % on valid."""
FURTHER = PLAN.replace(schedule=WarmupCosine(peak=8e-4, total=700, warmup=70))
"""Of a second one, with more tokens hidden: 90.7 % on valid."""


def examples(data: Path, split: Split) -> list[Tagged]:
    """Requests as words with their tags."""
    return [Tagged(record["tokens"], record["tags"]) for record in read_records(data, "snips_nlu", split)]


def tuning(
    start: Start, plan: FinePlan, train: Sequence[Tagged], valid: Sequence[Tagged], *, hidden: float = 0.1
) -> Tags:
    """Some tokens are hidden, so that the words around a name say what it is; two of the encoder's blocks do."""
    return Tags(start, plan, train, valid, labels=LABELS, hidden=hidden, num_hidden_layers=2)


def evaluate(model: str | Path, data: Path, split: Split) -> list[Metric]:
    """F1 of exact spans."""
    return [Metric("F1 of spans", f1_of(TokenTagger.from_pretrained(model), examples(data, split)), split)]


def _first_type(example: Tagged) -> str:
    return next((span.label for span in spans_of(example.target)), "")


MODEL = BundledModel(
    card=CARD,
    plan=PLAN,
    examples=examples,
    tuning=tuning,
    evaluate=evaluate,
    further=(Sitting(plan=FURTHER, tuning=partial(tuning, hidden=0.15)),),
    stratum=_first_type,
)
