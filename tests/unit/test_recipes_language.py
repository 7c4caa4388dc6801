"""Language models: what is hidden, what comes next, and what their perplexities count."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from data2vec_core import Data2VecTextForCausalLM, Data2VecTextForMaskedLM, Data2VecTextModel
from data2vec_core.pretraining.schedule import WarmupCosine
from data2vec_core.processing.text import TextTokenizer, train_tokenizer
from recipes.baselines.ngrams import KneserNey, ids_of, unigram_cross_entropy
from recipes.finetuning.language import (
    CausalLanguage,
    CrossEntropy,
    MaskedLanguage,
    Text,
    causal_cross_entropy,
    hidden_tokens,
    masked_cross_entropy,
    pieces_of,
)
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from tests.text_samples import TINY

SENTENCES = ["a film that is warm and wise", "a dull plot with a weak end", "it moves you and it is warm"] * 3
LONG = " ".join(SENTENCES)
PLAN = FinePlan(schedule=WarmupCosine(peak=1e-2, total=10, warmup=0))


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Start:
    folder = tmp_path_factory.mktemp("text")
    tokenizer = train_tokenizer(SENTENCES, 300, max_length=38)
    torch.manual_seed(0)
    Data2VecTextModel(TINY.replace(vocab_size=len(tokenizer))).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Start(folder)


@pytest.fixture(scope="module")
def tokenizer(start: Start) -> TextTokenizer:
    return TextTokenizer.from_pretrained(start.checkpoint)


def texts(*contents: str) -> list[Text]:
    return [Text(content, None) for content in contents]


def test_only_the_last_piece_of_a_text_has_its_end(tokenizer: TextTokenizer) -> None:
    long, short = pieces_of(tokenizer, [LONG, SENTENCES[0]], length=20)
    bos, eos = tokenizer("")["input_ids"][0].tolist()
    assert len(long) > 2
    assert len(short) == 1
    for piece in [*long, *short]:
        assert piece[0] == bos
        assert (piece[1:] == bos).sum() == 0
    assert [int(piece[-1]) == eos for piece in [*long, *short]] == [False] * (len(long) - 1) + [True, True]
    assert tokenizer.decode(torch.cat(long)) == LONG


def test_a_perplexity_is_the_exponential_of_the_mean() -> None:
    assert CrossEntropy(6 * math.log(5), 6).perplexity == pytest.approx(5)


def test_hidden_tokens_are_a_fixed_share(tokenizer: TextTokenizer) -> None:
    windows = hidden_tokens(tokenizer, [LONG, SENTENCES[1]], share=0.25)
    again = hidden_tokens(tokenizer, [LONG, SENTENCES[1]], share=0.25)
    for (ids, is_hidden), (_, same) in zip(windows, again, strict=True):
        ordinary = ~torch.isin(ids, torch.tensor(sorted(tokenizer.special_ids)))
        assert int(is_hidden.sum()) == max(1, round(0.25 * int(ordinary.sum())))
        assert not bool((is_hidden & ~ordinary).any())
        assert torch.equal(is_hidden, same)
    others = hidden_tokens(tokenizer, [LONG, SENTENCES[1]], share=0.25, seed=1)
    assert any(not torch.equal(a, b) for (_, a), (_, b) in zip(windows, others, strict=True))


def test_the_masked_cross_entropy_is_that_of_the_hidden_tokens(start: Start, tokenizer: TextTokenizer) -> None:
    model = start.build(Data2VecTextForMaskedLM).eval()
    total, tokens = 0.0, 0
    for ids, is_hidden in hidden_tokens(tokenizer, [LONG, SENTENCES[0]]):
        with torch.no_grad():
            logits = model(ids.masked_fill(is_hidden, tokenizer.mask_id)[None]).logits[0]
        total += F.cross_entropy(logits[is_hidden], ids[is_hidden], reduction="sum").item()
        tokens += int(is_hidden.sum())
    measured = masked_cross_entropy(model, tokenizer, [LONG, SENTENCES[0]])
    assert measured.tokens == tokens
    assert measured.total == pytest.approx(total, rel=1e-5)


def test_the_causal_cross_entropy_counts_every_token_once(start: Start, tokenizer: TextTokenizer) -> None:
    model = start.build(Data2VecTextForCausalLM, is_decoder=True).eval()
    measured = causal_cross_entropy(model, tokenizer, [LONG, SENTENCES[0]])
    assert measured.tokens == sum(len(row) - 1 for row in ids_of(tokenizer, [LONG, SENTENCES[0]]))
    ids = tokenizer(SENTENCES[0])["input_ids"]
    with torch.no_grad():
        short = model(ids, labels=ids.masked_fill(ids == 2, -100)).loss.item()
    assert causal_cross_entropy(model, tokenizer, [SENTENCES[0]]).mean == pytest.approx(short, rel=1e-5)


def test_a_causal_model_learns_every_next_token(start: Start) -> None:
    tuning = CausalLanguage(start, PLAN, texts(*SENTENCES[:3]), texts(SENTENCES[0]), tokens=10_000)
    model = tuning.build_model().eval()
    assert model.config.is_decoder
    loss = tuning.loss(model, 0)
    batch = tuning.rows(0)
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    assert loss.item() == pytest.approx(
        model(batch["input_ids"], batch["attention_mask"], labels=labels).loss.item(), rel=1e-5
    )
    assert tuning.loss(model, 0).item() == loss.item()
    assert tuning.score(model) == pytest.approx(-tuning.cross_entropy(model).mean)


def test_a_masked_model_learns_what_is_hidden(start: Start) -> None:
    tuning = MaskedLanguage(start, PLAN, texts(*SENTENCES[:3]), texts(SENTENCES[0]), hidden=0.3)
    model = tuning.build_model().eval()
    with torch.no_grad():
        frequencies = model.lm_head.bias.softmax(0)
    counts = torch.bincount(torch.cat([torch.from_numpy(row) for row in tuning.rows.rows]), minlength=len(frequencies))
    assert torch.equal(
        frequencies.argsort(descending=True, stable=True)[:3].sort().values, counts.topk(3).indices.sort().values
    )
    optimiser = PLAN.optimiser(model)
    before = tuning.loss(model, 0).item()
    for step in range(10):
        tuning.loss(model, step).backward()
        optimiser.step()
        optimiser.zero_grad()
    assert tuning.loss(model, 0).item() < before - 0.3


def test_a_trained_head_keeps_its_bias(start: Start, tmp_path: Path) -> None:
    tuning = CausalLanguage(start, PLAN, texts(*SENTENCES[:3]), texts(SENTENCES[0]))
    model = tuning.build_model()
    with torch.no_grad():
        model.lm_head.bias.fill_(0.5)
    model.save_pretrained(tmp_path)
    tuning.tokenizer.save_pretrained(tmp_path)
    taken = MaskedLanguage(Start(tmp_path), PLAN, texts(*SENTENCES[:3]), texts(SENTENCES[0])).build_model()
    assert not taken.config.is_decoder
    assert bool((taken.lm_head.bias == 0.5).all())


def test_smoothed_ngrams_are_probabilities() -> None:
    model = KneserNey([[0, 1, 2, 1, 2, 3], [0, 1, 3]], 6)
    for before in ([], [0], [0, 1], [5, 4], [1, 2], [9, 9, 1, 2]):
        assert sum(model.probability(token, before) for token in range(6)) == pytest.approx(1)
    # only the last two count, and 1 follows them, 0 does not
    assert model.probability(1, [1, 2]) == model.probability(1, [7, 7, 1, 2]) > model.probability(0, [1, 2])


def test_bigrams_by_hand() -> None:
    model = KneserNey([[0, 1, 0, 1, 0, 2]], 4, order=2, discount=0.5)
    # kinds of tokens before each: 0 after 1; 1 after 0; 2 after 0; so three pairs in all
    unigram = (1 - 0.5 + 0.5 * 3 / 4) / 3
    assert model.probability(1, []) == pytest.approx(unigram)
    # 0 is followed by 1 twice and by 2 once
    assert model.probability(1, [0]) == pytest.approx((2 - 0.5 + 0.5 * 2 * unigram) / 3)
    assert model.cross_entropy([[0, 1]], special=frozenset({0})).mean == pytest.approx(
        -math.log(model.probability(1, [0]))
    )


def test_the_frequencies_are_scored_on_the_hidden_tokens(tokenizer: TextTokenizer) -> None:
    measured = unigram_cross_entropy(tokenizer, ids_of(tokenizer, SENTENCES), [LONG])
    assert measured.tokens == sum(int(is_hidden.sum()) for _, is_hidden in hidden_tokens(tokenizer, [LONG]))
    assert 1 < measured.perplexity < len(tokenizer)
