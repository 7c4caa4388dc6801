"""A guided tour across the tabs: what to look at, a question for the class, and its answer behind a click.

It stands above the tabs and stays there while they change. Its steps are data: a new part of the page adds its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import gradio as gr

from ui.words import say

SCRIPT = (Path(__file__).parent / "views" / "tour.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Step:
    """One stop. All but the link are keys of texts."""

    title: str
    task: str
    """What to look at and to do there."""
    link: str
    """Where that is, with the example and the settings to see it with: the query of an address (`ui/links.py`)."""
    question: str
    answer: str


STEPS: tuple[Step, ...] = (
    Step(
        "tour.method_title",
        "tour.method_task",
        "?tab=start",
        "tour.method_question",
        "tour.method_answer",
    ),
    Step(
        "tour.speech_title",
        "tour.speech_task",
        "?tab=speech&tool=transcribe&example=0",
        "tour.speech_question",
        "tour.speech_answer",
    ),
    Step(
        "tour.voice_title",
        "tour.voice_task",
        "?tab=speech&tool=compare_speakers&example=0",
        "tour.voice_question",
        "tour.voice_answer",
    ),
    Step(
        "tour.mask_title",
        "tour.mask_task",
        "?tab=text&tool=fill_mask&example=1",
        "tour.mask_question",
        "tour.mask_answer",
    ),
    Step(
        "tour.outside_title",
        "tour.outside_task",
        "?tab=text&tool=classify_text&text=Who+wrote+Hamlet%3F",
        "tour.outside_question",
        "tour.outside_answer",
    ),
    Step(
        "tour.answer_title",
        "tour.answer_task",
        "?tab=text&tool=answer_question&example=0&question=who+is+the+president%3F",
        "tour.answer_question",
        "tour.answer_answer",
    ),
    Step(
        "tour.write_title",
        "tour.write_task",
        "?tab=text&tool=continue_text&example=0&temperature=0",
        "tour.write_question",
        "tour.write_answer",
    ),
    Step(
        "tour.picture_title",
        "tour.picture_task",
        "?tab=vision&tool=classify_image&example=0",
        "tour.picture_question",
        "tour.picture_answer",
    ),
    Step(
        "tour.parts_title",
        "tour.parts_task",
        "?tab=vision&tool=segment_image&example=0",
        "tour.parts_question",
        "tour.parts_answer",
    ),
    Step(
        "tour.models_title",
        "tour.models_task",
        "?tab=models",
        "tour.models_question",
        "tour.models_answer",
    ),
)


def build(steps: Sequence[Step] = STEPS) -> None:
    """Lay out the tour, which shows when the address says so (`?tour=3`) or somebody asks for it."""
    stops = "".join(
        f'<li><button type="button" data-tour="{number}" aria-label="{escape(_of(number, steps, step))}">'
        f"{number}</button></li>"
        for number, step in enumerate(steps, 1)
    )
    gr.HTML(
        f'<section class="tour" aria-label="{escape(say("tour.name"))}" hidden>'
        f'<div class="head"><ol class="stops">{stops}</ol>'
        f'<button type="button" class="close" data-tour="close">{escape(say("tour.close"))}</button></div>'
        f"{''.join(_stop(number, steps, step) for number, step in enumerate(steps, 1))}</section>",
        js_on_load=SCRIPT,
        elem_id="tour",
        elem_classes="html-plain",
    )


def _stop(number: int, steps: Sequence[Step], step: Step) -> str:
    back = f'<button type="button" data-tour="{number - 1}">{escape(say("tour.back"))}</button>' if number > 1 else ""
    is_last = number == len(steps)
    onward = "close" if is_last else str(number + 1)
    return (
        f'<div class="stop" data-stop="{number}" hidden><div class="task">'
        f'<h2 tabindex="-1"><span class="count">{escape(say("tour.count", number=number, count=len(steps)))}</span> '
        f"{escape(say(step.title))}</h2><p>{escape(say(step.task))}</p>"
        f'<p class="moves"><a class="there" href="{escape(step.link)}" data-link>{escape(say("tour.there"))}</a>'
        f'{back}<button type="button" data-tour="{onward}">'
        f"{escape(say('tour.end') if is_last else say('tour.next'))}</button></p></div>"
        f'<div class="ask"><p class="question">{escape(say(step.question))}</p>'
        f"<details><summary>{escape(say('tour.reveal'))}</summary><p>{escape(say(step.answer))}</p></details></div></div>"
    )


def _of(number: int, steps: Sequence[Step], step: Step) -> str:
    return f"{say('tour.count', number=number, count=len(steps))} {say(step.title)}"
