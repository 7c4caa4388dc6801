"""`snips-slots`: what a request to a voice assistant names, such as the artist, the city or the time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data2vec_core.checkpoints.card import Card, Metric
from data2vec_core.pretraining.schedule import WarmupCosine
from data2vec_core.processing.tags import spans_of
from data2vec_core.tasks.token_tagging import TokenTagger
from recipes.bundled.model import BundledModel
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
    parent="mlm",  # which knows the words around a hidden one
)
PLAN = FinePlan(
    schedule=WarmupCosine(peak=8e-4, total=900, warmup=80),
    weight_decay=0.02,
    layer_decay=0.9,
    average=0.99,
    score_every=150,
    fixed=("backbone.embeddings.word_embeddings.",),
    bf16=("cpu", "cuda"),
)
"""91.1 % on valid. From `text`, two blocks and words learning, it was 89.5 %, and 90.7 % after a second sitting."""


def examples(data: Path, split: Split) -> list[Tagged]:
    """Requests as words with their tags."""
    return [Tagged(record["tokens"], record["tags"]) for record in read_records(data, "snips_nlu", split)]


def tuning(start: Start, plan: FinePlan, train: Sequence[Tagged], valid: Sequence[Tagged]) -> Tags:
    """Some tokens are hidden, so that the words around a name say what it is."""
    return Tags(start, plan, train, valid, labels=LABELS, hidden=0.12)


def evaluate(model: str | Path, data: Path, split: Split) -> list[Metric]:
    """F1 of exact spans."""
    return [Metric("F1 of spans", f1_of(TokenTagger.from_pretrained(model), examples(data, split)), split)]


def _first_type(example: Tagged) -> str:
    return next((span.label for span in spans_of(example.target)), "")


MODEL = BundledModel(card=CARD, plan=PLAN, examples=examples, tuning=tuning, evaluate=evaluate, stratum=_first_type)
