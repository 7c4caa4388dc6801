"""One's own texts: what class they are of, what their words name, how they go on, what answers a question."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from data2vec_core.processing.tags import OUTSIDE
from recipes.finetuning.answers import Answered, Answers, Question, Span
from recipes.finetuning.choices import Choices, Chosen, Options
from recipes.finetuning.examples import Example
from recipes.finetuning.language import CausalLanguage, LanguageModelling, MaskedLanguage
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.finetuning.tags import Tagged, Tags
from recipes.finetuning.text_classes import Text, TextClasses
from recipes.own.folders import Account, scan
from recipes.own.labelled import PARTS, SPLIT_COLUMN, FolderReader, check_labels
from recipes.own.tables import Row, WrongRowError
from recipes.own.tasks.task import OwnTask, rows_by_class
from recipes.own.text_files import holds_paragraphs, read_document, read_paragraphs

_FILE = "text file"
FIXED = ("backbone.embeddings.",)
"""Few texts leave most words out: moving those that they have, they would tear them from the others."""


class OwnTexts(OwnTask):
    """Base of the tasks on texts."""

    modality = "text"
    batch, unit = 1024, "tokens"


class OwnTextClasses(OwnTexts):
    """A class for a whole text."""

    name = "text-classification"
    answerer = "TextClassifier"
    columns = ("text", "label")
    formats = "a table with the columns text and label, or a folder of text files for each class"
    fixed = FIXED
    has_labels = True

    @property
    def read_folder(self) -> FolderReader:
        return partial(rows_by_class, modality="text", column=_FILE)

    def example(self, row: Row) -> Text:
        text = read_document(row.file(_FILE)) if _FILE in row.values else row.text("text")
        return Text(text, row.text("label"))

    def tuning(
        self, start: Start, plan: FinePlan, train: Sequence[Text], valid: Sequence[Text], batch: int
    ) -> TextClasses:
        labels = check_labels([example.target for example in train], [example.target for example in valid])
        return TextClasses(start, plan, train, valid, labels=labels, tokens=batch, hidden=0.15)


class OwnTags(OwnTexts):
    """What words of a text name."""

    name = "token-classification"
    answerer = "TokenTagger"
    columns = ("tokens", "tags")
    formats = (
        "a table with the columns tokens and tags, each a JSON list or words with spaces between, or a CoNLL file; "
        "tags are O, B-name and I-name"
    )
    fixed = FIXED

    def example(self, row: Row) -> Tagged:
        tokens, tags = row.list_of("tokens"), row.list_of("tags")
        if len(tokens) != len(tags):
            raise WrongRowError(f"{len(tokens)} tokens and {len(tags)} tags")
        if unknown := [tag for tag in tags if tag != OUTSIDE and (tag[:2] not in ("B-", "I-") or len(tag) < 3)]:
            raise WrongRowError(f"the tag {unknown[0]!r} is neither O nor begins with B- or I-")
        return Tagged(tokens, tags)

    def check(self, train: Sequence[Example[Any, Any]], valid: Sequence[Example[Any, Any]]) -> None:
        learnt, asked = _names(train), _names(valid)
        if not learnt:
            raise ValueError("no word has a tag but O; there is nothing to learn")
        if unknown := sorted(asked - learnt):
            raise ValueError(
                f"no example to learn from of {', '.join(unknown[:8])}; move some of its examples to train"
            )

    def tuning(
        self, start: Start, plan: FinePlan, train: Sequence[Tagged], valid: Sequence[Tagged], batch: int
    ) -> Tags:
        names = sorted(_names(train))
        labels = [OUTSIDE, *(f"{prefix}-{name}" for name in names for prefix in "BI")]
        return Tags(start, plan, train, valid, labels=labels, tokens=batch, hidden=0.15)


def _names(examples: Sequence[Example[Any, Any]]) -> set[str]:
    """What the tags of examples name."""
    return {tag[2:] for example in examples for tag in example.target if tag != OUTSIDE}


class OwnLanguage(OwnTexts):
    """Base of the language models."""

    columns = ("text",)
    formats = "a text file or a folder of them (.txt; .txt.gz with a paragraph a line), or a table with the column text"
    single = (".txt", ".txt.gz")
    batch = 2048
    language: type[LanguageModelling[Any]]

    @property
    def read_folder(self) -> FolderReader:
        return _rows_of_texts

    def example(self, row: Row) -> Example[str, None]:
        return Example(read_document(row.file(_FILE)) if _FILE in row.values else row.text("text"), None)

    def tuning(
        self,
        start: Start,
        plan: FinePlan,
        train: Sequence[Example[str, None]],
        valid: Sequence[Example[str, None]],
        batch: int,
    ) -> LanguageModelling[Any]:
        return self.language(start, plan, train, valid, tokens=batch)


class OwnMaskedLanguage(OwnLanguage):
    """Words that are hidden."""

    name = "masked-language"
    answerer = "MaskFiller"
    language = MaskedLanguage


class OwnCausalLanguage(OwnLanguage):
    """How a text goes on."""

    name = "causal-language"
    answerer = "TextContinuer"
    language = CausalLanguage


PASSAGE = 4000
"""Characters of a long text, about, that are an example where files are too few."""


def _rows_of_texts(data: Path, skipped: Account) -> list[Row]:
    """A row a document or paragraph; of a file alone, or of files called train and valid, a row a passage."""
    if data.is_file():
        return _paragraphs(data, data.name) if holds_paragraphs(data) else _passages(data)
    found = scan(data, "text")
    skipped.include(found.skipped)
    stems = [Path(entry.name).name.partition(".")[0] for entry in found.entries]
    are_parts = "train" in stems and all(stem in PARTS for stem in stems)
    rows: list[Row] = []
    for entry, stem in zip(found.entries, stems, strict=True):
        path = data / entry.name
        if holds_paragraphs(path):
            rows += _paragraphs(path, entry.name)
        elif are_parts or len(stems) == 1:
            rows += _passages(path)
        else:
            rows.append(Row({_FILE: str(path)}, entry.name))
        if are_parts:
            for row in rows:
                row.values.setdefault(SPLIT_COLUMN, stem)
    return rows


def _paragraphs(path: Path, name: str) -> list[Row]:
    return [Row({"text": text}, f"{name}, line {number}") for number, text in read_paragraphs(path)]


def _passages(path: Path) -> list[Row]:
    """A document cut at empty lines."""
    passages: list[str] = []
    length = PASSAGE
    for paragraph in re.split(r"\n\s*\n", read_document(path).replace("\r\n", "\n")):
        if length >= PASSAGE:
            passages.append("")
            length = 0
        passages[-1] += f"\n\n{paragraph}" if passages[-1] else paragraph
        length += len(paragraph)
    return [
        Row({"text": text}, f"{path.name}, passage {index}") for index, text in enumerate(passages, 1) if text.strip()
    ]


class OwnAnswers(OwnTexts):
    """What words of a passage answer a question."""

    name = "question-answering"
    answerer = "QuestionAnswerer"
    columns = ("question", "context", "answer")
    formats = (
        "a table with the columns question, context, answer and, where the answer stands more than once, answer_start "
        "(in characters from 0)"
    )
    batch = 2048

    def example(self, row: Row) -> Answered:
        context, answer = str(row.values.get("context", "")), row.text("answer")
        if "answer_start" in row.values:
            stated = row.text("answer_start")
            if not stated.isdecimal() or not context.startswith(answer, int(stated)):
                raise WrongRowError(f"the answer does not stand at answer_start={stated} of its context")
            start = int(stated)
        elif (start := context.find(answer)) < 0:
            raise WrongRowError("the answer does not stand in its context, letter by letter")
        return Answered(Question(row.text("question"), context), Span(start, start + len(answer)))

    def tuning(
        self, start: Start, plan: FinePlan, train: Sequence[Answered], valid: Sequence[Answered], batch: int
    ) -> Answers:
        return Answers(start, plan, train, valid, tokens=batch)


class OwnChoices(OwnTexts):
    """Which of several texts fits another."""

    name = "multiple-choice"
    answerer = "Chooser"
    columns = ("prompt", "choices", "label")
    formats = (
        "a table with the columns prompt, choices (a JSON list, or texts with | between) and label (the number of the "
        "right one, from 0, or its text)"
    )
    batch = 2048

    def example(self, row: Row) -> Chosen:
        choices, label = row.list_of("choices", "|"), row.text("label")
        if len(choices) < 2:
            raise WrongRowError("one choice only; two at least are needed")
        if label in choices:
            right = choices.index(label)
        elif label.isdecimal() and int(label) < len(choices):
            right = int(label)
        else:
            raise WrongRowError(
                f"label {label!r} is none of the {len(choices)} choices, nor a number below {len(choices)}"
            )
        return Chosen(Options(row.text("prompt"), tuple(choices)), right)

    def tuning(
        self, start: Start, plan: FinePlan, train: Sequence[Chosen], valid: Sequence[Chosen], batch: int
    ) -> Choices:
        return Choices(start, plan, train, valid, tokens=batch)
