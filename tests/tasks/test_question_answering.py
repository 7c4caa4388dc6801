"""Answers in a passage: the best span, its place in characters, long passages, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from data2vec_core.processing.text_errors import TextTooLongError
from data2vec_core.tasks import QuestionAnswerer
from data2vec_core.tasks.question_answering import best_span, question_windows

QUESTION = "what is warm?"
PASSAGE = "A film that is warm and wise has a weak end, but it moves you."


@pytest.fixture
def answerer(checkpoints: dict[str, Path]) -> QuestionAnswerer:
    return QuestionAnswerer.from_pretrained(checkpoints["answer_question"])


def test_the_answer_is_the_passage_from_start_to_end(answerer: QuestionAnswerer) -> None:
    result = answerer(QUESTION, PASSAGE)
    assert result.answer == PASSAGE[result.start : result.end]
    assert result.answer
    assert 0 < result.score <= 1
    assert set(result.to_json()) == {"answer", "start", "end", "score", "model"}
    assert json.loads(json.dumps(result.to_json())) == result.to_json()


def test_the_best_span_is_the_likeliest_that_is_one() -> None:
    starts = torch.tensor([0.0, 9.0, 1.0, 2.0, 5.0])
    ends = torch.tensor([0.0, 9.0, 4.0, 3.0, 1.0])
    allowed = torch.tensor([False, False, True, True, True])
    of_start, of_end = (logits[[0, 2, 3, 4]].softmax(0) for logits in (starts, ends))  # the first stands for none
    assert best_span(starts, ends, allowed)[:2] == (4, 4), "a span may not end before it starts"
    ends[4] = -20
    first, last, score = best_span(starts, ends, allowed)
    of_end = ends[[0, 2, 3, 4]].softmax(0)
    assert (first, last) == (3, 3)
    assert score == pytest.approx(float(of_start[2] * of_end[2]))


def test_a_span_has_a_greatest_length() -> None:
    starts, ends = torch.tensor([0.0, 9.0, 0.0, 1.0, 2.0]), torch.tensor([0.0, 0.0, 1.0, 2.0, 9.0])
    allowed = torch.tensor([False, True, True, True, True])
    assert best_span(starts, ends, allowed, longest=4)[:2] == (1, 4)
    assert best_span(starts, ends, allowed, longest=3)[:2] == (1, 3)


def test_answers_are_whole_words(answerer: QuestionAnswerer) -> None:
    for passage in (PASSAGE, "filmwarm wise-plot it'smoves 12:30 weak", "dullplotweakend"):
        result = answerer(QUESTION, passage)
        around = passage[: result.start][-1:] + result.answer[:1], result.answer[-1:] + passage[result.end :][:1]
        assert not any(len(pair) == 2 and pair.isalnum() for pair in around), (passage, result.answer)


def test_of_a_word_without_end_a_part_may_be_the_answer(answerer: QuestionAnswerer) -> None:
    result = answerer(QUESTION, "xq" * 200)
    assert result.answer
    assert set(result.answer) <= set("xq")


def test_a_batch_answers_as_single_questions(answerer: QuestionAnswerer) -> None:
    pairs = [(QUESTION, PASSAGE), ("who?", "it moves you " * 20), ("a dull plot?", "x"), ("what?", "warm wise 😀 film")]
    for (question, passage), result in zip(pairs, answerer.batch(pairs), strict=True):
        alone = answerer(question, passage)
        assert (result.start, result.end) == (alone.start, alone.end)
        assert result.score == pytest.approx(alone.score, abs=1e-5)
    assert answerer.batch([]) == []


def test_every_part_of_a_long_passage_is_asked(answerer: QuestionAnswerer) -> None:
    passage = " ".join(f"film {number} is warm" for number in range(60))
    windows = question_windows(answerer.tokenizer, QUESTION, passage, answerer.window)
    covered = {int(end) for end in windows.offsets[windows.sequence == 1][:, 1]}
    assert len(windows) > 4
    assert max(covered) == len(passage)
    result = answerer(QUESTION, passage)
    assert result.answer == passage[result.start : result.end]
    scores = []
    for offsets, sequence in zip(windows.offsets, windows.sequence, strict=True):
        own = offsets[sequence == 1]
        scores.append(answerer(QUESTION, passage[int(own[0, 0]) : int(own[-1, 1])]).score)
    assert result.score == pytest.approx(max(scores), abs=1e-5)


@pytest.mark.parametrize(("question", "passage", "named"), [("", "x", "question"), ("x", " \n", "context")])
def test_white_space_is_refused(answerer: QuestionAnswerer, question: str, passage: str, named: str) -> None:
    with pytest.raises(ValueError, match=f"The {named} is empty"):
        answerer(question, passage)


def test_something_else_than_text_is_refused(answerer: QuestionAnswerer) -> None:
    with pytest.raises(ValueError, match="context: expected a string, got list"):
        answerer("who?", ["a film"])  # type: ignore[arg-type]


def test_a_question_leaves_room_for_the_passage(answerer: QuestionAnswerer) -> None:
    with pytest.raises(TextTooLongError, match="question is too long: .* tokens"):
        answerer("what is warm and wise " * 20, PASSAGE)


def test_max_characters_is_an_argument(checkpoints: dict[str, Path]) -> None:
    strict = QuestionAnswerer.from_pretrained(checkpoints["answer_question"], max_characters=5)
    with pytest.raises(ValueError, match="context is too long: 6 characters, and at most 5"):
        strict("who?", "123456")


@pytest.mark.parametrize("passage", ["😀👩‍👩‍👧", "a\x00b", "עברית", "\ud800 half", "<mask></s><s> x", "İstanbul İ"])
def test_odd_passages_are_read(answerer: QuestionAnswerer, passage: str) -> None:
    result = answerer("who?", passage)
    assert result.answer == passage[result.start : result.end] != ""
