"""Nothing on the page is left in English: neither the app's own texts, nor what models and examples bring along, nor a
literal in the code."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from analysis.figures import statement
from analysis.item_sets import item_set, item_sets
from analysis.items.photographs import photographs
from analysis.recordings import bundled_recordings, load_recording
from data2vec_core.checkpoints.bundled import BundledModel, bundled_models
from ui.catalogue import TOOLS
from ui.examples import EXAMPLES_FOLDER, INPUTS_FILE
from ui.known_models import PUBLIC_MODELS
from ui.views.labels import display_name
from ui.words import LANGUAGES, LOCALES, STANDARD, load_data_words, load_words

UI = LOCALES.parent
OTHERS = [language for language in LANGUAGES if language != STANDARD]
NAMES = {
    "models.megabytes",
    "models.memory_mb",
    "panel.runtime_pytorch",
    "panel.runtime_tensorflow",
    "score_map.iou",
    "segment_image.palette_okabe_ito",
    "segment_image.palette_petroff",
    "stage.k",
}
"""Keys of texts that are a name or a unit, and so the same in every language."""
TYPED = {"main", "owner/name"}
"""Literals that show what to type, which is the same in every language."""
IDENTIFIER = re.compile(r"CC[\w.-]+")
"""A licence by its identifier alone, which is the same in every language."""
WORD = re.compile(r"[^\W\d_]")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
SHOWS_LABELS = {"classification", "tagging", "segmentation"}
"""Tasks whose classes are shown by their names."""


def words_of(text: str) -> str:
    """Without the names of placeholders."""
    return re.sub(r"{\w+}", "", text)


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated(language: str) -> None:
    english, other = load_words(STANDARD), load_words(language)
    assert {key for key in NAMES if key not in english or english[key] != other[key]} == set()
    wordy = [key for key, text in english.items() if WORD.search(words_of(text)) and key not in NAMES]
    assert [key for key in wordy if other[key] == english[key]] == []
    assert [key for key in wordy if language == "zh-CN" and not CHINESE.search(other[key])] == []


def faults(text: str) -> list[str]:
    """Places at which Chinese is not set as Chinese is: half-width marks, and Latin words without a space."""
    marks = re.findall(r"[\u4e00-\u9fff}][,;:!?](?!\S)|[\u4e00-\u9fff”）》][,;:!?.(]|[,;:!?)]\s?[\u4e00-\u9fff]", text)
    return marks + re.findall(r"[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9%][\u4e00-\u9fff]", text)


@pytest.mark.parametrize("words", [load_words("zh-CN"), load_data_words("zh-CN")], ids=["app", "data"])
def test_chinese_is_set_as_chinese_is(words: dict[str, str]) -> None:
    assert {key: found for key, text in words.items() if (found := faults(text))} == {}


def test_the_check_of_the_setting_finds_faults() -> None:
    assert faults("声音,文本") == ["音,"]
    assert faults("最大25 MB") == ["大2"]
    assert faults("使用 WAV文件。") == ["V文"]
    assert faults("最大 {megabytes} MB，共 3 个。") == []


def shown_labels(model: BundledModel) -> set[str]:
    """The classes of a model as `display_name` passes them on."""
    if model.card.task not in SHOWS_LABELS:
        return set()
    config = json.loads((model.folder / "config.json").read_text(encoding="utf-8"))
    labels = {re.sub("^[BI]-", "", label) for label in config["id2label"].values()} - {"O"}
    return {display_name(label) for label in labels}


def brought_along() -> set[str]:
    """Every text that comes with a model, an example or a recording, and is shown."""
    models = bundled_models()
    cards = [model.card for model in models] + [entry.card for entry in PUBLIC_MODELS]
    texts: set[str] = set().union(*map(shown_labels, models))
    for card in cards:
        texts |= {card.title, card.description, card.advice, card.trained_on, card.baseline, card.licence}
        texts |= {card.task, card.modality}
        texts |= {text for metric in card.metrics for text in (metric.name, metric.split)}
    examples = json.loads((EXAMPLES_FOLDER / INPUTS_FILE).read_text(encoding="utf-8"))
    texts |= {record["label"] for tool in TOOLS for record in examples.get(tool, ()) if "label" in record}
    texts |= {photograph.title for photograph in photographs()}
    for about in (load_recording(name).about for name in bundled_recordings()):
        texts |= {about.title, about.description, about.model, about.trained_on}
        texts |= {name.replace("_", " ") for name in about.classes}
    texts |= {*statement.MISLEADS.values(), *statement.ALTERNATIVES.values(), *statement.NAMES} - statement.SYMBOLS
    texts |= labels_of_items() | {"linear CKA, debiased", "linear CKA, biased", "mean cosine, each side centred"}
    return {text for text in texts if text and not IDENTIFIER.fullmatch(text)}


def labels_of_items() -> set[str]:
    """Kinds of labels of the items for the inside views, and the classes that are words."""
    found = {"folder"}
    for items in map(item_set, item_sets()):
        for kind, values in items.labels.items():
            found |= {kind} - {"length"}
            if kind in {"category", "kind", "label", "gender", "breed", "species"}:
                found |= {value.replace("_", " ").strip() for value in values}
    return found


@pytest.mark.parametrize("language", OTHERS)
def test_what_models_and_examples_bring_along_is_translated(language: str) -> None:
    words = load_data_words(language)
    assert brought_along() - words.keys() == set()
    assert words.keys() - brought_along() == set()
    assert [text for text, other in words.items() if not CHINESE.search(other)] == []


SHOWN_ARGUMENTS = {"label", "placeholder", "info", "title", "alt_text", "description", "submit_btn", "stop_btn"}
"""Of gradio's components: what is shown of them."""
SHOWN_FIRST = {"Button", "DownloadButton", "Tab", "Accordion", "Markdown", "HTML", "Error", "Info", "Warning"}
"""Components whose first argument, their value or label, is shown."""
FOR_THE_HOST = {"settings.py"}
"""Modules whose errors are read by whoever starts the app, not by visitors."""
TAG = re.compile(r"<script.*?</script>|<[a-z/][^<>]*>", re.DOTALL)
SPOKEN_ATTRIBUTE = re.compile(r"""\b(?:aria-label|title|alt|placeholder)=["'][^"'{]*[A-Za-z]""")
IN_SCRIPTS = re.compile(r"""\b(?:textContent|innerText|title|ariaLabel|alt|placeholder)\s*=\s*["'`]\s*[A-Za-z]{2}""")


class ShownTexts(ast.NodeVisitor):
    """Collects the literal texts of a module that a visitor would read: of components, of errors, and between or in the
    tags of HTML. What is filled in stands as `{}`."""

    def __init__(self, code: str, *, with_errors: bool = True) -> None:
        self.found: list[str] = []
        self._with_errors = with_errors
        self.visit(ast.parse(code))

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        is_gradio = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "gr"
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        shown: list[ast.expr] = []
        if is_gradio:
            names = SHOWN_ARGUMENTS | ({"value"} if name in SHOWN_FIRST else set())
            shown += [each.value for each in node.keywords if each.arg in names]
        if (is_gradio and name in SHOWN_FIRST) or (self._with_errors and name == "ValueError"):
            shown += node.args[:1]
        self._keep(text for each in shown if TAG.sub("", text := literal(each)) == text)
        self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self._look_into(literal(node))
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.visit(part.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        self._look_into(literal(node))

    def _look_into(self, text: str) -> None:
        bare = TAG.sub("", text)
        self._keep([bare] if bare != text else [])
        self.found += SPOKEN_ATTRIBUTE.findall(text)

    def _keep(self, texts: Iterable[str]) -> None:
        self.found += [text for text in texts if WORD.search(text) and text not in TYPED]


def literal(node: ast.expr) -> str:
    """A string as it is written; empty for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return ""


@pytest.mark.parametrize("path", sorted(UI.rglob("*.py")), ids=lambda path: path.relative_to(UI).as_posix())
def test_no_text_is_written_in_the_code(path: Path) -> None:
    code = path.read_text(encoding="utf-8")
    assert ShownTexts(code, with_errors=path.name not in FOR_THE_HOST).found == []


@pytest.mark.parametrize("path", sorted(UI.rglob("*.js")), ids=lambda path: path.relative_to(UI).as_posix())
def test_no_text_is_written_in_a_script(path: Path) -> None:
    assert IN_SCRIPTS.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('gr.Button("Run")', ["Run"]),
        ('gr.Textbox(label="Text", elem_id="a")', ["Text"]),
        ('gr.Textbox(label=say("a.b"), placeholder=f"as {x}")', ["as {}"]),
        ('raise ValueError(f"no {x} here")', ["no {} here"]),
        ("raise ValueError(say('a.b'))", []),
        ("""f'<p class="small">Done: {x}</p>'""", ["Done: {}"]),
        ("""f'<p class="small">{x}</p>'""", []),
        ("""x = '<img alt="A cat">'""", ['alt="A cat']),
        ("""f'<img alt="{x}">'""", []),
        ('def f():\n    """`<mask>` as it is."""', []),
    ],
)
def test_the_check_of_the_code_finds_texts(code: str, found: list[str]) -> None:
    assert ShownTexts(code).found == found
