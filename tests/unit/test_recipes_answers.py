"""Questions and choices: made from slots and descriptions, learnt in windows and options, scored as SQuAD does."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch

from data2vec_core import Data2VecTextModel
from data2vec_core.pretraining.schedule import WarmupCosine
from data2vec_core.processing.text import train_tokenizer
from recipes.baselines.lexicon import Lexicon
from recipes.bundled.choice import DESCRIPTIONS
from recipes.bundled.qa import slots_of
from recipes.bundled.slot_questions import SLOT_QUESTIONS
from recipes.finetuning.answers import Answered, Answers, Question, Span, normalised, windows_of, word_overlap
from recipes.finetuning.choices import Choices, Chosen, Options
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from tests.text_samples import TINY

QUERY = "play the song red moon by ana lee on zvooq"
LINES = [QUERY, "which artist?", "which song?", "play some music", "book a table", "rate a book"] * 3
PLAN = FinePlan(schedule=WarmupCosine(peak=1e-2, total=10, warmup=0))


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Start:
    folder = tmp_path_factory.mktemp("text")
    tokenizer = train_tokenizer(LINES, 300, max_length=38)
    torch.manual_seed(0)
    Data2VecTextModel(TINY.replace(vocab_size=len(tokenizer))).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Start(folder)


def asked(wording: str, passage: str, answer: str) -> Answered:
    start = passage.index(answer)
    return Answered(Question(wording, passage), Span(start, start + len(answer)))


def test_slots_are_spans_of_the_joined_tokens() -> None:
    tokens = ["Play", "Red", "Moon", "by", "Ana", "Lee", "or", "Bo"]
    tags = ["O", "B-track", "I-track", "O", "B-artist", "I-artist", "O", "B-album"]
    text = " ".join(tokens)
    slots = {slot: text[span.start : span.end] for slot, span in slots_of(tokens, tags).items()}
    assert slots == {"track": "Red Moon", "artist": "Ana Lee", "album": "Bo"}


def test_a_slot_that_occurs_twice_is_not_asked_for() -> None:
    assert set(slots_of(["a", "b", "c", "d"], ["B-city", "I-city", "B-city", "B-year"])) == {"year"}


def test_every_wording_asks_for_one_slot_only() -> None:
    wordings = [wording for of_slot in SLOT_QUESTIONS.values() for wording in of_slot]
    assert len(set(wordings)) == len(wordings)
    assert all(len(of_slot) >= 3 for of_slot in SLOT_QUESTIONS.values())
    assert all(wording == wording.lower() for wording in wordings)


def test_every_description_stands_for_one_intent_only() -> None:
    wordings = [wording for of_intent in DESCRIPTIONS.values() for wording in of_intent]
    assert len(set(wordings)) == len(wordings)
    assert len(DESCRIPTIONS) == 7


@pytest.mark.parametrize(
    ("answer", "plain"),
    [("The  Red Moon!", "red moon"), ("a-ha", "aha"), ("An apple, a day", "apple day"), ("...", "")],
)
def test_answers_are_compared_without_trimmings(answer: str, plain: str) -> None:
    assert normalised(answer) == plain


@pytest.mark.parametrize(
    ("given", "true", "f1"),
    [("red moon", "the red moon", 1), ("red", "red moon", 2 / 3), ("x", "y", 0), ("the", "", 1), ("", "y", 0)],
)
def test_overlap_is_the_f1_of_words(given: str, true: str, f1: float) -> None:
    assert word_overlap(given, true) == pytest.approx(f1)


def test_windows_point_at_the_answer_or_at_their_first_token(start: Start) -> None:
    passage = " ".join([QUERY] * 8).replace("ana lee", "bo", 7).replace("bo", "somebody else", 3)
    example = asked("which artist?", passage, "ana lee")
    tuning = Answers(start, PLAN, [example], [example])
    windows = windows_of(tuning.tokenizer, example)
    assert len(windows) > 3
    found = [window for window in windows if window.start]
    assert found
    assert len(found) < len(windows)
    for window in windows:
        words = tuning.tokenizer.decode(window.input_ids[window.start : window.end + 1]).strip()
        assert words == ("ana lee" if window.start else "")


def test_questions_are_learnt(start: Start) -> None:
    examples = [asked("which artist?", QUERY, "ana lee"), asked("which song?", QUERY, "red moon")]
    tuning = Answers(start, PLAN, examples, examples)
    model = tuning.build_model().eval()
    optimiser = PLAN.optimiser(model)
    losses = []
    for step in range(30):
        loss = tuning.loss(model, step)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    assert losses[0] > 2
    assert tuning.score(model) == 1


def test_options_that_are_not_there_do_not_count(start: Start) -> None:
    two = Chosen(Options(QUERY, ("play some music", "book a table")), 0)
    tuning = Choices(start, PLAN, [two], [two], shown=4)
    model = tuning.build_model().eval()
    with torch.no_grad():
        alone = tuning.tokenizer([QUERY] * 2, two.content.choices)
        logits = model(alone["input_ids"][None], alone["attention_mask"][None]).logits[0]
    assert tuning.loss(model, 0).item() == pytest.approx(-logits.log_softmax(0)[0].item(), rel=1e-4)


def test_choices_are_learnt(start: Start) -> None:
    choices = ("play some music", "book a table", "rate a book")
    examples = [Chosen(Options(QUERY, choices), 0), Chosen(Options("a table by the song", choices), 1)]
    tuning = Choices(start, PLAN, examples, examples, shown=2)
    model = tuning.build_model().eval()
    before = tuning.loss(model, 0).item()
    assert before == pytest.approx(math.log(2), abs=0.3)
    assert tuning.loss(model, 0).item() == before
    assert len({tuning.loss(model, step).item() for step in range(6)}) > 1, "the wrong options are drawn anew"
    optimiser = PLAN.optimiser(model)
    for step in range(30):
        tuning.loss(model, step).backward()
        optimiser.step()
        optimiser.zero_grad()
    assert tuning.score(model) == 1


def test_the_lexicon_answers_with_the_longest_value_it_knows() -> None:
    lexicon = Lexicon()
    for words, start, end in ((["by", "Ana"], 1, 2), (["by", "ana", "lee"], 1, 3), (["by", "bo"], 1, 2)):
        lexicon.learn("artist", words, start, end)
    assert lexicon.answer("artist", ["songs", "of", "Ana", "Lee"]) == "Ana Lee"
    assert lexicon.answer("artist", ["ana", "and", "bo", "x"]) in ("ana", "bo")
    assert lexicon.answer("artist", ["play", "something", "by", "nobody", "known"]) == "nobody"


def test_spans_do_not_overlap() -> None:
    spans = slots_of(["a"] * 4, ["B-city", "I-city", "B-year", "B-state"])
    ordered = sorted(spans.values(), key=lambda span: span.start)
    assert all(first.end < second.start for first, second in pairwise(ordered))
