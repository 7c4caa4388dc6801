"""Learning classes and tags of texts, on a few sentences and a tiny encoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from data2vec_core import Data2VecTextConfig, Data2VecTextModel
from data2vec_core.checkpoints.card import Card
from data2vec_core.presets import PRESETS
from data2vec_core.pretraining.schedule import WarmupCosine
from data2vec_core.processing.tags import Span
from data2vec_core.processing.text import TextTokenizer, train_tokenizer
from data2vec_core.tasks.text_classification import TextClassifier
from data2vec_core.tasks.token_tagging import TokenTagger
from recipes.bundled import bundled_model
from recipes.finetuning.learning import learn
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.finetuning.tags import Tagged, Tags, f1_of, sentence, true_spans
from recipes.finetuning.text_classes import Text, TextClasses
from recipes.finetuning.token_rows import TokenRows

PLAN = FinePlan(schedule=WarmupCosine(peak=5e-3, total=40, warmup=4), score_every=20, fixed=("backbone.embeddings.",))
CITIES, ARTISTS = ("rome", "new york", "ulm"), ("adele", "nina simone", "bach")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny encoder with random weights."""
    folder = tmp_path_factory.mktemp("encoder")
    tokenizer = train_tokenizer([f"play {name} in the city" for name in CITIES + ARTISTS] * 3, 320, max_length=30)
    torch.manual_seed(0)
    config = PRESETS["text-tiny"].replace(vocab_size=len(tokenizer), initializer_range=0.2)
    assert isinstance(config, Data2VecTextConfig)
    Data2VecTextModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def requests() -> list[Tagged]:
    """`play ARTIST in CITY.`, each name tagged."""
    made = []
    for artist in ARTISTS:
        for city in CITIES:
            words = ["play", *artist.split(), "in", *city.split(), "."]
            tags = ["O", *_bio("artist", artist), "O", *_bio("city", city), "O"]
            made.append(Tagged(words, tags))
    return made


def _bio(kind: str, name: str) -> list[str]:
    return [f"{'I' if index else 'B'}-{kind}" for index in range(len(name.split()))]


def test_classes_are_learnt(encoder: Path, tmp_path: Path) -> None:
    texts = [Text(f"in {city}", "place") for city in CITIES] + [Text(f"in {name}", "person") for name in ARTISTS]
    tuning = TextClasses(Start(encoder), PLAN, texts, texts, labels=("place", "person"), tokens=100, hidden=0.1)
    *_, last = learn(tuning, tmp_path)
    assert last.best == 1
    assert last.loss < 0.5 * math.log(2)
    classify = TextClassifier.from_pretrained(tmp_path)
    assert [classify(text.content).labels[0].label for text in texts] == [text.target for text in texts]
    assert list(classify.model.config.labels) == ["place", "person"]


def test_what_is_fixed_stays(encoder: Path, tmp_path: Path) -> None:
    texts = [Text("in rome", "place"), Text("bach", "person")]
    tuning = TextClasses(Start(encoder), PLAN, texts, texts, labels=("place", "person"))
    before = {name: tensor.clone() for name, tensor in tuning.build_model().state_dict().items()}
    list(learn(tuning, tmp_path))
    after = TextClassifier.from_pretrained(tmp_path).model.state_dict()
    is_same = {name: torch.equal(tensor, after[name]) for name, tensor in before.items()}
    assert all(same for name, same in is_same.items() if name.startswith("backbone.embeddings."))
    assert not any(same for name, same in is_same.items() if name.endswith("query.weight"))


def test_tags_are_learnt(encoder: Path, tmp_path: Path) -> None:
    labels = ("O", "B-artist", "B-city", "I-artist", "I-city")
    plan = PLAN.replace(schedule=WarmupCosine(peak=5e-3, total=60, warmup=6))
    tuning = Tags(Start(encoder), plan, requests(), requests(), labels=labels, tokens=100)
    *_, last = learn(tuning, tmp_path)
    assert last.best == 1
    tag = TokenTagger.from_pretrained(tmp_path)
    assert f1_of(tag, requests()) == 1
    found = tag("play nina simone in rome").entities  # without its full stop
    assert [(entity.text, entity.label, entity.start) for entity in found] == [
        ("nina simone", "artist", 5),
        ("rome", "city", 20),
    ]


def test_a_word_of_several_tokens_has_one_tag(encoder: Path) -> None:
    tokenizer = TextTokenizer.from_pretrained(encoder)
    example = Tagged(["feb.", "zyx", "in", "ulm", "."], ["B-month", "O", "O", "B-city", "O"])
    labels = ("O", "B-city", "B-month", "I-city", "I-month")
    tuning = Tags(Start(encoder), PLAN, [example], [example], labels=labels)
    row, ids = tuning.rows.rows[0], tuning.ids[0]
    tagged = [
        (token.strip("Ġ"), labels[index])
        for token, index in zip(tokenizer.tokens(row.tolist()), ids, strict=True)
        if index >= 0
    ]
    assert tagged[:2] == [("f", "B-month"), (".", "I-month")]
    assert [tag for _, tag in tagged[2:]] == ["O", "O", "B-city", "O"]


def test_sentences_are_written_out_as_people_write() -> None:
    words = ["what", "'s", "on", ",", "at", "7", "p.m.", "?"]
    text, places = sentence(words)
    assert text == "what's on, at 7 p.m.?"
    assert [text[start:end] for start, end in places] == words
    example = Tagged(words, ["O", "O", "O", "O", "O", "B-time", "I-time", "O"])
    assert true_spans(example) == {Span(14, 20, "time")}


def test_hidden_tokens_are_as_many_as_wanted_and_never_special(encoder: Path) -> None:
    tokenizer = TextTokenizer.from_pretrained(encoder)
    texts = [f"play {name} " * length for name in ARTISTS for length in range(1, 6)]
    rows = TokenRows(tokenizer, [tokenizer(text)["input_ids"][0].numpy() for text in texts], tokens=80, hidden=0.3)
    hidden = real = 0
    for indices in rows.in_order():
        whole, part = rows.batch(indices), rows.batch(indices, np.random.default_rng(len(indices)))
        assert torch.equal(whole["attention_mask"], part["attention_mask"])
        is_changed = whole["input_ids"] != part["input_ids"]
        assert (part["input_ids"][is_changed] == tokenizer.mask_id).all()
        assert not torch.isin(whole["input_ids"][is_changed], torch.tensor(sorted(tokenizer.special_ids))).any()
        hidden += int(is_changed.sum())
        real += int(whole["attention_mask"].sum()) - 2 * len(indices)
    assert 0.2 < hidden / real < 0.4


def test_an_epoch_has_every_row_once(encoder: Path) -> None:
    tokenizer = TextTokenizer.from_pretrained(encoder)
    rows = TokenRows(tokenizer, [tokenizer("ulm " * length)["input_ids"][0].numpy() for length in range(1, 20)])
    assert sorted(index for indices in rows.in_order() for index in indices) == list(range(19))


@pytest.mark.parametrize("name", ["sst2", "trec", "snips-intent", "snips-slots"])
def test_the_bundled_ones_say_what_they_are(name: str) -> None:
    model = bundled_model(name)
    assert isinstance(model.card, Card)
    assert model.card.name == name
    assert model.card.parent in ("text", "mlm", "snips-slots")
    told: Sequence[object] = (model.card.training_items, model.card.baseline, model.card.advice, model.card.licence)
    assert all(told)
