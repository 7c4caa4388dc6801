"""Tags, against slow oracles: the best legal sequence, the spans of one, and where entities stand in the text."""

from __future__ import annotations

from functools import cache
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from data2vec_core import Data2VecTextConfig, Data2VecTextForTokenClassification
from data2vec_core.presets import PRESETS
from data2vec_core.processing.tags import Span, TagScheme, spans_of, words_of
from data2vec_core.processing.text import TextTokenizer, train_tokenizer
from data2vec_core.tasks.token_tagging import TokenTagger, places_once
from recipes.metrics import span_f1

LABELS = ("O", "B-city", "I-city", "B-year", "I-artist")  # no I-year, no B-artist
seeds = st.integers(0, 2**31)


def is_legal(tags: tuple[str, ...]) -> bool:
    return all(now != "I-city" or before in ("B-city", "I-city") for before, now in pairwise(("O", *tags)))


@given(st.integers(1, 4), seeds)
def test_the_best_legal_sequence_is_the_best_of_all_that_are_legal(words: int, seed: int) -> None:
    scores = np.random.default_rng(seed).normal(size=(words, len(LABELS)))
    total = {
        tags: sum(scores[word, LABELS.index(tag)] for word, tag in enumerate(tags))
        for tags in product(LABELS, repeat=words)
        if is_legal(tags)
    }
    best, _ = max(total.items(), key=lambda pair: pair[1])
    assert TagScheme(LABELS).best(scores) == list(best)


def test_no_words_no_tags() -> None:
    assert TagScheme(LABELS).best(np.zeros((0, len(LABELS)))) == []


def ends_or_begins(tags: list[str]) -> set[Span]:
    """Spans by the two questions of the CoNLL evaluation script: does one end here, does one begin here?"""
    parts = [("O", "") if tag == "O" else (tag[0], tag[2:]) for tag in [*tags, "O"]]
    spans, begin = set(), None
    before = ("O", "")
    for word, now in enumerate(parts):
        ends = before[0] != "O" and (now[0] in "OB" or now[1] != before[1])
        begins = now[0] == "B" or (now[0] == "I" and (before[0] == "O" or now[1] != before[1]))
        if ends:
            assert begin is not None
            spans.add(Span(begin, word, before[1]))
        if begins:
            begin = word
        before = now
    return spans


@given(st.lists(st.sampled_from(["O", "B-city", "I-city", "B-year", "I-year"]), max_size=12))
def test_spans_are_those_of_the_conll_evaluation(tags: list[str]) -> None:
    spans = spans_of(tags)
    assert set(spans) == ends_or_begins(tags)
    assert spans == sorted(spans)


some_tags = st.sampled_from(["O", "B-city", "I-city", "B-year", "I-year"])


@given(st.lists(st.lists(st.tuples(some_tags, some_tags), max_size=8), min_size=1, max_size=4))
def test_span_f1_is_that_of_precision_and_recall_counted_word_by_word(sentences: list[list[tuple[str, str]]]) -> None:
    found, true = ([ends_or_begins([pair[side] for pair in pairs]) for pairs in sentences] for side in (0, 1))
    right = [one for ours, theirs in zip(found, true, strict=True) for one in ours for other in theirs if one == other]
    precision = len(right) / (sum(map(len, found)) or 1)
    recall = len(right) / (sum(map(len, true)) or 1)
    expected = 2 * precision * recall / (precision + recall) if right else 0
    assert span_f1(found, true) == pytest.approx(expected)


def test_labels_without_prefix_mark_their_type() -> None:
    assert spans_of(["PER", "PER", "O", "LOC"]) == [Span(0, 2, "PER"), Span(3, 4, "LOC")]


@cache
def tokenizer() -> TextTokenizer:
    return train_tokenizer(["play hello by adele in rome", "it's 5pm. don't!", "über ça"] * 3, 300)


@cache
def tagger() -> TokenTagger:
    """Random weights with large scores: entities everywhere; 24 tokens a window."""
    torch.manual_seed(0)
    config = PRESETS["text-tiny"].replace(
        vocab_size=len(tokenizer()), id2label=dict(enumerate(LABELS)), max_position_embeddings=26
    )
    assert isinstance(config, Data2VecTextConfig)
    model = Data2VecTextForTokenClassification(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return TokenTagger(model, tokenizer())


texts = st.text(
    st.one_of(st.sampled_from("ab \t\n.,'5é\u0301İ😀\u200d\ud800京</s>"), st.characters()), min_size=1, max_size=90
).filter(lambda text: bool(text.strip()))


@given(texts)
@example("play hello. by  Adele")
@example("</s>play<mask>")
def test_entities_stand_where_they_say(text: str) -> None:
    entities = tagger()(text).entities
    for entity in entities:
        assert entity.text == text[entity.start : entity.end] == entity.text.strip()
        assert entity.text
        assert entity.label in {"city", "year", "artist"}
        assert 0 < entity.score <= 1
    assert all(one.end <= other.start for one, other in pairwise(entities))


@given(texts)
def test_words_cover_all_but_white_space(text: str) -> None:
    offsets = tokenizer().windows(text, max_length=2000).offsets[0].tolist()
    words = words_of(text, offsets)
    assert all(one.end <= other.start for one, other in pairwise(words))
    covered = {place for word in words for place in range(word.start, word.end)}
    assert {place for place, character in enumerate(text) if not character.isspace()} - covered == set()
    for one, other in pairwise(words):
        if one.end == other.start:  # no white space between: one of the two is no letter and no digit
            assert not (text[one.end - 1].isalnum() and text[other.start].isalnum())


@given(texts, st.integers(0, 9))
def test_every_token_of_a_long_text_is_judged_once(text: str, stride: int) -> None:
    whole = tokenizer().windows(text, max_length=2000)
    windows = tokenizer().windows(["another", text, "and one"], max_length=14, stride=stride)
    places = places_once(windows, 1, stride)
    assert windows.input_ids[places].tolist() == whole.input_ids[0, 1:-1].tolist()
    assert windows.offsets[places].tolist() == whole.offsets[0, 1:-1].tolist()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("movie schedules.", ["movie", "schedules", "."]),
        ("it's 5pm", ["it", "'s", "5pm"]),
        ("R&B", ["r", "&", "b"]),
        ("cafe\u0301 ", ["cafe\u0301"]),
        ("İt", ["i̇t"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    offsets = tokenizer().windows(text).offsets[0].tolist()
    assert [text[word.start : word.end].lower() for word in words_of(text, offsets)] == words
