"""Choices: probabilities over the options, in the order given, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from data2vec_core.tasks import Chooser

PROMPT = "a dull plot"
OPTIONS = ["it moves you", "a weak end", "wise and warm and wise and warm"]


@pytest.fixture
def chooser(checkpoints: dict[str, Path]) -> Chooser:
    return Chooser.from_pretrained(checkpoints["choose"])


def test_scores_are_the_models_probabilities(chooser: Chooser) -> None:
    with torch.no_grad():
        alone = [chooser.model(chooser.tokenizer(PROMPT, option)["input_ids"][None]).logits[0, 0] for option in OPTIONS]
    expected = torch.stack(alone).softmax(0).tolist()
    result = chooser(PROMPT, OPTIONS)
    assert list(result.scores) == pytest.approx(expected, abs=1e-5)
    assert result.choice == expected.index(max(expected))
    assert result.to_json() == {"choice": result.choice, "scores": list(result.scores), "model": result.model}
    assert json.loads(json.dumps(result.to_json())) == result.to_json()


def test_the_order_of_the_options_changes_nothing(chooser: Chooser) -> None:
    result, turned = chooser(PROMPT, OPTIONS), chooser(PROMPT, OPTIONS[::-1])
    assert list(turned.scores) == pytest.approx(list(result.scores)[::-1], abs=1e-5)
    assert turned.choice == len(OPTIONS) - 1 - result.choice


def test_there_may_be_many_options(chooser: Chooser) -> None:
    result = chooser(PROMPT, tuple(OPTIONS * 7))
    assert len(result.scores) == 21
    assert sum(result.scores) == pytest.approx(1)


@pytest.mark.parametrize(
    ("prompt", "choices", "message"),
    [
        (" ", OPTIONS, "The prompt is empty"),
        (PROMPT, ["a", "\t"], "The option 2 is empty"),
        (PROMPT, ["a"], "at least 2 options, got 1"),
        (PROMPT, [], "at least 2 options, got 0"),
        (PROMPT, "ab", "choices: expected a list of strings, got str"),
        (PROMPT, None, "choices: expected a list of strings, got NoneType"),
        (PROMPT, ["a", 2], "option 2: expected a string, got int"),
        (5, OPTIONS, "prompt: expected a string, got int"),
        (PROMPT, ["a", "warm and wise " * 60], r"prompt and option 2 are too long: \d+ tokens"),
    ],
)
def test_what_cannot_be_chosen_among_is_refused(chooser: Chooser, prompt: Any, choices: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        chooser(prompt, choices)


def test_max_characters_is_an_argument(checkpoints: dict[str, Path]) -> None:
    strict = Chooser.from_pretrained(checkpoints["choose"], max_characters=5)
    with pytest.raises(ValueError, match="option 1 is too long: 6 characters"):
        strict("12345", ["123456", "1"])
