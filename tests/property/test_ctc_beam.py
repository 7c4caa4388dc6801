"""What holds of the search for the best text, for any scores: small ones are searched by hand, alignment by
alignment."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data2vec_core.processing.ctc import CTCTokenizer
from data2vec_core.processing.ctc_beam import BestPath, PrefixBeam, Words, prefix_beam_search
from data2vec_core.processing.lexicon import Lexicon

LETTERS = CTCTokenizer({"<pad>": 0, "|": 1, "A": 2, "B": 3})
BLANK, BOUNDARY, VOCAB = 0, 1, 4
ALL = VOCAB**5
"""Places for every beginning of a text of up to five frames."""

frames = st.integers(1, 5)
seeds = st.integers(0, 10_000)
words = st.lists(st.text("AB", min_size=1, max_size=3), min_size=1, max_size=4, unique=True)


def scores_of(count: int, seed: int) -> np.ndarray:
    """(frames, vocab) log probabilities, some of them sharp."""
    random = np.random.default_rng(seed)
    logits = random.standard_normal((count, VOCAB)) * random.choice([0.3, 1.0, 4.0])
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def collapse(path: tuple[int, ...] | list[int]) -> tuple[int, ...]:
    return tuple(index for index, _ in itertools.groupby(path) if index != BLANK)


def every_text(scores: np.ndarray) -> dict[tuple[int, ...], float]:
    """Log probability of every text, summed over all alignments one by one."""
    shares: dict[tuple[int, ...], float] = defaultdict(float)
    for path in itertools.product(range(VOCAB), repeat=len(scores)):
        shares[collapse(path)] += math.exp(sum(row[index] for row, index in zip(scores, path, strict=True)))
    return {ids: math.log(share) for ids, share in shares.items()}


def spelled(ids: tuple[int, ...]) -> list[str]:
    """The words of a text, an empty one where a boundary has nothing before or behind it."""
    text = "".join("?|AB"[index] for index in ids)
    return text.split("|") if text else []


@given(frames, seeds)
@settings(max_examples=60)
def test_a_wide_beam_finds_every_text_with_its_whole_probability(count: int, seed: int) -> None:
    scores = scores_of(count, seed)
    found = prefix_beam_search(scores, blank=BLANK, width=ALL)
    expected = every_text(scores)
    assert {hypothesis.ids for hypothesis in found} == expected.keys()
    for hypothesis in found:
        assert math.isclose(hypothesis.log_probability, expected[hypothesis.ids], abs_tol=1e-9)
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)


@given(frames, seeds, words, st.floats(0, 2), st.floats(-1, 3))
@settings(max_examples=60)
def test_with_words_it_finds_every_text_of_them_and_no_other(
    count: int, seed: int, vocabulary: list[str], unigram_weight: float, word_bonus: float
) -> None:
    lexicon = Lexicon(
        {word: index + 1 for index, word in enumerate(vocabulary)},
        unigram_weight=unigram_weight,
        word_bonus=word_bonus,
    )
    scores = scores_of(count, seed)
    allowed = Words(spellings=lexicon.tree(LETTERS), boundary=BOUNDARY)
    found = prefix_beam_search(scores, blank=BLANK, width=ALL, words=allowed)
    expected = {
        ids: (mass, mass + sum(map(lexicon.weight, spelled(ids))))
        for ids, mass in every_text(scores).items()
        if set(spelled(ids)) <= set(vocabulary)
    }
    assert {hypothesis.ids for hypothesis in found} == expected.keys()
    for hypothesis in found:
        mass, score = expected[hypothesis.ids]
        assert math.isclose(hypothesis.log_probability, mass, abs_tol=1e-9)
        assert math.isclose(hypothesis.score, score, abs_tol=1e-9)


@given(st.integers(1, 9), seeds, st.integers(1, 6), st.booleans())
@settings(max_examples=60)
def test_a_narrow_beam_underrates_and_never_finds_better(count: int, seed: int, width: int, has_words: bool) -> None:
    scores = scores_of(count, seed)
    tree = Lexicon({"AB": 2, "B": 1}, unigram_weight=0.5, word_bonus=0.2).tree(LETTERS)
    allowed = Words(spellings=tree, boundary=BOUNDARY) if has_words else None
    wide = prefix_beam_search(scores, blank=BLANK, width=500, words=allowed)
    narrow = prefix_beam_search(scores, blank=BLANK, width=width, words=allowed)
    masses = {hypothesis.ids: hypothesis.log_probability for hypothesis in wide}
    assert 1 <= len(narrow) <= width
    assert narrow[0].score <= wide[0].score + 1e-9
    for hypothesis in narrow:
        assert hypothesis.log_probability <= masses.get(hypothesis.ids, 0.0) + 1e-9
    assert sum(math.exp(hypothesis.log_probability) for hypothesis in wide) <= 1 + 1e-9


@given(st.integers(2, 8), seeds, st.lists(st.integers(1, 3), max_size=4))
@settings(max_examples=60)
def test_the_probability_is_that_of_the_ctc_loss(count: int, seed: int, ids: list[int]) -> None:
    scores = scores_of(count, seed)
    found = prefix_beam_search(scores, blank=BLANK, width=ALL)
    mass = next((h.log_probability for h in found if h.ids == tuple(ids)), None)
    loss = torch.nn.functional.ctc_loss(
        torch.tensor(scores)[:, None],
        torch.tensor([ids]),
        torch.tensor([count]),
        torch.tensor([len(ids)]),
        blank=BLANK,
        reduction="sum",
    ).item()
    if math.isinf(loss):
        assert mass is None
    elif mass is not None:
        assert mass <= -loss + 1e-6
        if count <= 5:
            assert math.isclose(mass, -loss, abs_tol=1e-6)


@given(st.integers(1, 140), seeds, st.integers(1, 6), st.booleans(), st.lists(st.integers(1, 139), max_size=4))
@settings(max_examples=60)
def test_going_on_in_pieces_changes_nothing(
    count: int, seed: int, width: int, has_words: bool, cuts: list[int]
) -> None:
    scores = scores_of(count, seed)
    tree = Lexicon({"AB": 2, "B": 1}, unigram_weight=0.5, word_bonus=0.2).tree(LETTERS)
    allowed = Words(spellings=tree, boundary=BOUNDARY) if has_words else None
    beam = PrefixBeam(blank=BLANK, width=width, words=allowed)
    settled: list[int] = []
    for piece in np.split(scores, sorted({cut for cut in cuts if cut < count})):
        beam.advance(piece)
        assert beam.settled[: len(settled)] == settled, "what is settled stays"
        settled = beam.settled.copy()
        fork = beam.fork()
        fork.advance(scores[:1])
        assert beam.settled == settled
    found = [((*beam.settled, *hypothesis.ids), hypothesis.score) for hypothesis in beam.hypotheses()]
    whole = prefix_beam_search(scores, blank=BLANK, width=width, words=allowed)
    assert [ids for ids, _ in found] == [hypothesis.ids for hypothesis in whole]
    assert np.allclose([score for _, score in found], [hypothesis.score for hypothesis in whole])


@given(st.integers(1, 200), seeds, st.integers(1, 8), st.integers(1, 12), st.booleans())
@settings(max_examples=30)
def test_with_a_reach_little_stays_open(count: int, seed: int, width: int, reach: int, has_words: bool) -> None:
    scores = scores_of(count, seed)
    tree = Lexicon({"AB": 2, "B": 1}, unigram_weight=0.5, word_bonus=0.2).tree(LETTERS)
    allowed = Words(spellings=tree, boundary=BOUNDARY) if has_words else None
    beam = PrefixBeam(blank=BLANK, width=width, words=allowed, reach=reach)
    beam.advance(scores)
    found = beam.hypotheses()
    assert found
    text = (*beam.settled, *found[0].ids)
    assert not has_words or set(spelled(text)) <= {"AB", "B"}
    masses = {h.ids: h.log_probability for h in prefix_beam_search(scores, blank=BLANK, width=200, words=allowed)}
    assert found[0].log_probability <= masses.get(text, 0.0) + 1e-9
    if not has_words:  # at most the reach, and what 50 frames may write, between two looks
        assert all(len(hypothesis.ids) <= reach + 2 * 50 for hypothesis in found)


def test_a_reach_that_is_long_enough_changes_nothing() -> None:
    scores = scores_of(400, seed=3)
    beam = PrefixBeam(blank=BLANK, width=8, reach=400)
    beam.advance(scores)
    [best, *_] = prefix_beam_search(scores, blank=BLANK, width=8)
    assert (*beam.settled, *beam.hypotheses()[0].ids) == best.ids


@given(frames, seeds, st.integers(0, 5), st.sets(st.integers(1, 3), max_size=2))
def test_the_best_path_in_pieces_is_the_best_path(count: int, seed: int, cut: int, forbidden: set[int]) -> None:
    scores = scores_of(count, seed)
    search = BestPath(blank=BLANK, forbidden=forbidden)
    search.advance(scores[:cut])
    ahead = search.fork()
    ahead.advance(scores[cut:])
    text = collapse([index for index in scores.argmax(axis=1).tolist() if index not in forbidden])
    assert (*search.settled, *ahead.settled) == text
    search.advance(scores[cut:])
    assert tuple(search.settled) == text
