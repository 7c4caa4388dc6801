"""What a visitor reads when something fails."""

from __future__ import annotations

import logging

import gradio as gr
import pytest

from data2vec_core.checkpoints.errors import CheckpointError
from ui.errors import explained
from ui.words import say


def failing(error: Exception) -> object:
    @explained
    def handler() -> None:
        raise error

    with pytest.raises(gr.Error) as caught:
        handler()
    assert not caught.value.print_exception
    return caught.value.message


@pytest.mark.parametrize("kind", [ValueError, CheckpointError])
def test_errors_that_the_visitor_can_mend_arrive_as_they_are(kind: type[Exception]) -> None:
    assert failing(kind("there is no model 'x' & no network")) == "there is no model 'x' &amp; no network"


def test_markup_in_a_message_is_escaped() -> None:
    assert failing(ValueError("no <img src=x onerror=alert(1)>")) == "no &lt;img src=x onerror=alert(1)&gt;"


def test_anything_else_is_logged_and_told_in_general(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        message = failing(RuntimeError("/secret/path"))
    assert message == say("error.unexpected")
    assert "/secret/path" in caplog.text


def test_a_result_passes_through() -> None:
    assert explained(lambda a, b: a + b)(1, b=2) == 3
