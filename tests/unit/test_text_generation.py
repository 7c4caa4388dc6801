"""Writing: filters, draws, ends, beams on a distribution made by hand, streaming."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from data2vec_core import Data2VecTextForCausalLM
from data2vec_core.text.beam_search import beam_search
from data2vec_core.text.sampling import keep_top_k, keep_top_p, sample
from tests.text_samples import DECODER, TINY


def kept(logits: Tensor) -> list[list[bool]]:
    return logits.isfinite().tolist()


def test_top_k_keeps_the_likeliest_and_ties() -> None:
    logits = torch.tensor([[1.0, 3.0, 2.0, 0.0], [5.0, 5.0, 5.0, 1.0]])
    assert kept(keep_top_k(logits, 2)) == [[False, True, True, False], [True, True, True, False]]
    assert torch.equal(keep_top_k(logits, 9), logits)


def test_top_p_keeps_the_smallest_set_that_is_likely_enough() -> None:
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    assert kept(keep_top_p(logits, 0.6)) == [[True, True, False, False]]
    assert kept(keep_top_p(logits, 0.9)) == [[True, True, True, False]]
    assert kept(keep_top_p(logits, 0.4)) == [[True, False, False, False]]
    assert kept(keep_top_p(logits, 0.0)) == [[True, False, False, False]]
    shuffled = logits[:, [2, 0, 3, 1]]
    assert kept(keep_top_p(shuffled, 0.6)) == [[False, True, False, True]]


def test_draws_follow_the_distribution() -> None:
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log().expand(20000, -1)
    generator = torch.Generator().manual_seed(1)
    share = torch.bincount(sample(logits, generator=generator), minlength=4) / len(logits)
    torch.testing.assert_close(share, torch.tensor([0.5, 0.3, 0.15, 0.05]), rtol=0, atol=0.02)
    sharpened = torch.bincount(sample(logits, temperature=0.5, generator=generator), minlength=4) / len(logits)
    squares = torch.tensor([0.5, 0.3, 0.15, 0.05]).square()
    torch.testing.assert_close(sharpened, squares / squares.sum(), rtol=0, atol=0.02)
    assert sample(logits, top_k=2, generator=generator).max() == 1
    assert sample(logits, top_k=None, top_p=0.4, generator=generator).max() == 0


# -- beams -----------------------------------------------------------------------------------------------------------

START, END, PAD = 0, 1, 9

# A grammar in which the greedy choice is a trap: after START, "2" is likelier than "3" but leads to an even spread,
# while "3" leads surely to "4" and the end.
GRAMMAR: dict[int, dict[int, float]] = {
    0: {2: 0.6, 3: 0.4},
    2: {5: 0.26, 6: 0.25, 7: 0.25, 8: 0.24},
    3: {4: 0.99, 5: 0.01},
    4: {1: 0.98, 5: 0.02},
    5: {1: 0.9, 6: 0.1},
    6: {1: 0.7, 7: 0.3},
    7: {1: 0.5, 8: 0.5},
    8: {1: 0.8, 5: 0.2},
}


def next_logits(texts: Tensor) -> Tensor:
    logits = torch.full((len(texts), 10), -100.0)
    for row, text in enumerate(texts.tolist()):
        for token, probability in GRAMMAR.get(text[-1], {PAD: 1.0}).items():
            logits[row, token] = math.log(probability)
    return logits


def search(**options: Any) -> list[list[int]]:
    defaults: dict[str, Any] = {"beams": 2, "max_length": 6, "eos_token_ids": torch.tensor([END]), "pad_token_id": PAD}
    options = defaults | options
    found: Tensor = beam_search(next_logits, lambda _: None, torch.tensor([[START]]), **options)
    return found.tolist()


def every_text(max_length: int) -> dict[tuple[int, ...], float]:
    """Log-probability of every text of the grammar that ends, or reaches the length."""
    texts: dict[tuple[int, ...], float] = {}
    running: dict[tuple[int, ...], float] = {(START,): 0.0}
    while running:
        grown = {
            (*text, token): score + math.log(probability)
            for text, score in running.items()
            for token, probability in GRAMMAR[text[-1]].items()
        }
        done = {text for text in grown if text[-1] == END or len(text) == max_length}
        texts |= {text: grown[text] for text in done}
        running = {text: score for text, score in grown.items() if text not in done}
    return texts


def test_one_beam_falls_into_the_trap_and_two_do_not() -> None:
    assert search(beams=1) == [[0, 2, 5, 1]]
    assert search(beams=2) == [[0, 3, 4, 1]]


@pytest.mark.parametrize("penalty", [0.0, 1.0, -0.5, 2.0])
def test_wide_beams_find_the_best_texts_of_all(penalty: float) -> None:
    """With enough beams and no early stop the search is exhaustive: the ranking is that of all texts."""
    found = search(beams=12, length_penalty=penalty, early_stopping="never", texts_per_prompt=5)
    texts = every_text(max_length=6)
    ranked = sorted(texts, key=lambda text: texts[text] / (len(text) - 1) ** penalty, reverse=True)
    assert [tuple(token for token in text if token != PAD) for text in found] == ranked[:5]


def test_early_stopping_takes_the_first_that_end() -> None:
    """A long penalty favours texts that have yet to be written; stopping early does not wait for them."""
    waits = search(beams=2, length_penalty=8.0, early_stopping="never")
    stops = search(beams=2, length_penalty=8.0, early_stopping=True)
    assert len(stops[0]) < len(waits[0])


def test_unfinished_texts_count_at_the_longest_length() -> None:
    assert search(max_length=3) == [[0, 3, 4]]


def test_without_an_end_every_text_is_of_full_length() -> None:
    found = search(eos_token_ids=torch.tensor([], dtype=torch.long), max_length=5, texts_per_prompt=2)
    assert [len(text) for text in found] == [5, 5]


def test_the_cache_is_told_where_texts_came_from() -> None:
    """Replaying the reported rows must give the texts that are asked about."""
    asked: list[Tensor] = []
    rows: list[Tensor] = []

    def remember(texts: Tensor) -> Tensor:
        asked.append(texts)
        return next_logits(texts)

    beam_search(
        remember, rows.append, torch.tensor([[START], [3]]),
        beams=3, max_length=6, eos_token_ids=torch.tensor([END]), pad_token_id=PAD, early_stopping="never",
    )  # fmt: skip
    assert len(asked) > 2
    for (before, after), row in zip(itertools.pairwise(asked), rows, strict=False):
        assert torch.equal(after[:, :-1], before[row])


@pytest.fixture
def model() -> Data2VecTextForCausalLM:
    model = Data2VecTextForCausalLM(DECODER.replace(initializer_range=0.1)).eval()
    with torch.no_grad():
        model.lm_head.bias[2] += 3.0
    return model


PROMPTS = torch.tensor([[5, 6, 7], [1, 8, 9], [1, 1, 40]])


def test_a_stream_is_what_generate_writes(model: Data2VecTextForCausalLM) -> None:
    options: dict[str, Any] = {"max_new_tokens": 15, "do_sample": True}
    written = model.generate(PROMPTS, **options, generator=torch.Generator().manual_seed(2))
    tokens = list(model.stream(PROMPTS, **options, generator=torch.Generator().manual_seed(2)))
    assert torch.equal(torch.stack(tokens, dim=1), written[:, 3:])
    assert all(token.shape == (3,) for token in tokens)


def test_a_stream_can_be_closed(model: Data2VecTextForCausalLM) -> None:
    stream = model.stream(PROMPTS, max_new_tokens=30, eos_token_id=())
    first = next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert torch.equal(first, model.generate(PROMPTS, max_new_tokens=1, eos_token_id=())[:, -1])
    with pytest.raises(StopIteration):
        next(stream)


def test_streaming_does_not_switch_gradients_off_for_the_caller(model: Data2VecTextForCausalLM) -> None:
    stream = model.stream(PROMPTS, max_new_tokens=3)
    assert not next(stream).requires_grad
    assert torch.is_grad_enabled()


def test_texts_are_padding_after_their_end(model: Data2VecTextForCausalLM) -> None:
    written = model.generate(PROMPTS, max_new_tokens=30, do_sample=True, generator=torch.Generator().manual_seed(0))
    ends = {}
    for row, text in enumerate(written[:, 3:].tolist()):
        if 2 in text:
            ends[row] = text.index(2)
            assert set(text[ends[row] + 1 :]) <= {DECODER.pad_token_id}
    assert len(set(ends.values())) > 1, "ends at different places are what this is about"


def test_writing_stops_when_all_texts_have_ended(model: Data2VecTextForCausalLM) -> None:
    with torch.no_grad():
        model.lm_head.bias[2] = 100.0
    assert model.generate(PROMPTS, max_new_tokens=30)[:, 3:].tolist() == [[2]] * 3
    assert model.generate(PROMPTS, max_new_tokens=4, eos_token_id=()).shape == (3, 7)
    assert model.generate(PROMPTS, max_new_tokens=30, eos_token_id=[40, 2]).shape == (3, 4)


def test_several_draws_a_prompt_stand_together(model: Data2VecTextForCausalLM) -> None:
    written = model.generate(PROMPTS, max_new_tokens=5, do_sample=True, num_return_sequences=2)
    assert torch.equal(written[:, :3], PROMPTS.repeat_interleave(2, 0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.0}, "temperature=0.0: must be above 0"),
        ({"top_k": -1}, "top_k=-1"),
        ({"top_p": 1.2}, "top_p=1.2"),
        ({"num_beams": 0}, "num_beams=0"),
        ({"num_beams": 2, "do_sample": True}, "beam search does not sample"),
        ({"num_return_sequences": 2}, "at most num_beams"),
        ({"early_stopping": "later"}, "early_stopping='later'"),
        ({"max_new_tokens": 0}, "max_new_tokens=0"),
        ({"max_length": 3}, "max_length=3 leaves no room after prompts of 3 tokens"),
        ({"max_new_tokens": 38}, "may grow to 41 tokens, the model reads at most 40"),
        ({"max_new_tokens": 36, "zero_based_positions": False}, "may grow to 39 tokens, the model reads at most 38"),
    ],
)
def test_options_that_break_a_rule(options: dict[str, Any], message: str, model: Data2VecTextForCausalLM) -> None:
    with pytest.raises(ValueError, match=message):
        model.generate(PROMPTS, **options)


def test_the_longest_text_that_fits_can_be_written(model: Data2VecTextForCausalLM) -> None:
    for length, zero_based in ((40, True), (38, False)):
        written = model.generate(PROMPTS, eos_token_id=(), max_length=length, zero_based_positions=zero_based)
        assert written.shape[1] == length


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda model: model.generate(torch.tensor([[5, 6, 1]])), "padded on the left"),
        (lambda model: model.generate(PROMPTS, torch.ones(3, 2)), r"attention_mask has shape \(3, 2\)"),
        (lambda model: model.generate(torch.empty(2, 0, dtype=torch.long)), "at least one token"),
        (lambda model: model.stream(PROMPTS, num_beams=2), "without beams"),
        (lambda model: model.stream(PROMPTS, top_p=3.0), "top_p=3.0"),
    ],
)
def test_prompts_that_cannot_be_continued(
    write: Callable[[Any], Any], message: str, model: Data2VecTextForCausalLM
) -> None:
    with pytest.raises(ValueError, match=message):
        write(model)


@pytest.mark.filterwarnings("ignore:without is_decoder")
def test_a_model_that_sees_the_future_does_not_write() -> None:
    with pytest.raises(ValueError, match="needs a model with is_decoder=True"):
        Data2VecTextForCausalLM(TINY).generate(PROMPTS)


def test_an_unknown_option_is_a_type_error(model: Data2VecTextForCausalLM) -> None:
    with pytest.raises(TypeError, match="repetition_penalty"):
        model.generate(PROMPTS, repetition_penalty=2.0)
