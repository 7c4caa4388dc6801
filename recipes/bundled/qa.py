"""`qa`: questions about SNIPS queries, made from their slots, and the few of XQuAD."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data2vec_core.checkpoints.card import Card, Metric
from data2vec_core.pretraining.schedule import WarmupCosine
from data2vec_core.tasks.question_answering import QuestionAnswerer
from recipes.bundled.model import BundledModel, Sitting
from recipes.bundled.slot_questions import SLOT_QUESTIONS
from recipes.finetuning.answers import Answered, Answers, Question, Span, exact_and_overlap
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.packs import Split, read_records

CARD = Card(
    name="qa",
    modality="text",
    task="question answering",
    title="Answers from a request (English)",
    description=(
        "Finds the words of a short request that answer a question about it: which artist, how many people, when. The "
        "questions were made from the slots of SNIPS queries in a few wordings each. It was also shown 770 questions "
        "on Wikipedia paragraphs (XQuAD), which are far too few to learn from: its scores there are weak."
    ),
    trained_on="12,786 SNIPS queries with questions made from their slots, and 770 questions of XQuAD (English)",
    training_items=13_556,
    baseline="exact match 79.9 %, F1 88.5 % of the slot questions (longest slot value seen in training)",
    advice=(
        "Ask what a request says: which artist, which city, when, how many people. Questions about other passages it "
        "answers badly."
    ),
    licence="CC-BY-SA-4.0 (XQuAD's; SNIPS is CC0-1.0)",
    parent="text",
)
PLAN = FinePlan(
    schedule=WarmupCosine(peak=6e-4, total=1500, warmup=100),
    fixed=("backbone.embeddings.word_embeddings.", "backbone.embeddings.position_embeddings."),
    score_every=500,
    bf16=("cpu", "cuda"),
)
"""Of a first sitting, which was ended at step 1,446: 74.5 % of the slot questions of valid answered exactly."""
FURTHER = PLAN.replace(fixed=("backbone.embeddings.word_embeddings.",))
"""Of a second one, in which places are learnt, too: the encoder's are faint. 80.9 %."""
TOKENS = 1024
"""In a batch."""
WORDINGS = 2
"""Questions that are made of a slot of a train query, drawn from its wordings."""


def slots_of(tokens: Sequence[str], tags: Sequence[str]) -> dict[str, Span]:
    """The slots of a query that occur in it once, and where they stand in its tokens joined by spaces."""
    found: list[tuple[str, int, int]] = []
    place = 0
    for token, tag in zip(tokens, tags, strict=True):
        if tag.startswith("I-") and found and found[-1][2] == place - 1:
            found[-1] = (*found[-1][:2], place + len(token))
        elif tag != "O":
            found.append((tag[2:], place, place + len(token)))
        place += len(token) + 1
    counts = Counter(slot for slot, *_ in found)
    return {slot: Span(start, end) for slot, start, end in found if counts[slot] == 1}


def slot_examples(data: Path, split: Split, *, new_wordings: bool = False) -> list[Answered]:
    """Questions made from slots: of the train split in `WORDINGS` random wordings each, of the others in one, by turns.

    Args:
        new_wordings: ask in the one wording of every slot that is never trained on.
    """
    random = np.random.default_rng(0)

    def wordings(slot: str, turn: int) -> Sequence[str]:
        *known, new = SLOT_QUESTIONS[slot]
        if new_wordings:
            return [new]
        if split == "train":
            return [known[index] for index in random.permutation(len(known))[:WORDINGS]]
        return [known[turn % len(known)]]

    return [
        Answered(Question(wording, " ".join(record["tokens"])), span)
        for turn, record in enumerate(read_records(data, "snips_nlu", split))
        for slot, span in slots_of(record["tokens"], record["tags"]).items()
        for wording in wordings(slot, turn)
    ]


def paragraph_examples(data: Path, split: Split) -> list[Answered]:
    """Questions of XQuAD."""

    def read(record: dict[str, Any]) -> Answered:
        start = record["answer_start"]
        span = Span(start, start + len(record["answer"]))
        return Answered(Question(record["question"], record["context"]), span)

    return [read(record) for record in read_records(data, "xquad_en", split)]


def examples(data: Path, split: Split) -> list[Answered]:
    """To learn from: both kinds. To choose by: those made from slots, which is what the model is for."""
    return slot_examples(data, split) + (paragraph_examples(data, split) if split == "train" else [])


def tuning(start: Start, plan: FinePlan, train: Sequence[Answered], valid: Sequence[Answered]) -> Answers:
    """All blocks are trained."""
    return Answers(start, plan, train, valid, tokens=TOKENS)


def evaluate(model: str | Path, data: Path, split: Split) -> list[Metric]:
    """Exact answers and F1: of slot questions, of those in wordings that were never trained on, and of XQuAD."""
    answer = QuestionAnswerer.from_pretrained(model)
    asked = {
        "slot questions": slot_examples(data, split),
        "slot questions in new wordings": slot_examples(data, split, new_wordings=True),
        "xquad": paragraph_examples(data, split),
    }
    metrics = []
    for name, of in asked.items():
        exact, overlap = exact_and_overlap(answer, of)
        metrics += [Metric(f"exact match, {name}", exact, split), Metric(f"F1, {name}", overlap, split)]
    return metrics


MODEL = BundledModel(
    card=CARD,
    plan=PLAN,
    until=1446,
    examples=examples,
    tuning=tuning,
    further=(Sitting(plan=FURTHER, tuning=tuning),),
    evaluate=evaluate,
    stratum=lambda example: example.content.wording if len(example.content.passage) < 200 else "paragraph",
)
