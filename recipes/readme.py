"""Write the tables of README, in both languages, and of RESULTS from the models' cards, their health, the list of
examples and the recordings: `python -m recipes.readme`.

A table stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->`. With `--check` nothing is written, and the command
fails when a table is not what the cards say.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

from analysis.items.manifest import ITEMS_FOLDER, MANIFEST_FILE, Manifest
from analysis.recordings import bundled_recordings, load_recording
from data2vec_core.checkpoints.bundled import BUNDLED_FOLDER, BundledModel, bundled_models
from data2vec_core.checkpoints.card import Metric
from recipes.confidence import CALIBRATION, FOREIGN, OWN, UNSCALED, is_confidence
from recipes.health.report import HEALTH_FILE, Answers, Health, Source
from recipes.health.results import bundled_encoders, results, table
from recipes.study.report import study_table

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES_FILE = ROOT / "assets" / "examples" / "examples.json"
CARDS_IN_CHINESE = ROOT / "ui" / "locales" / "data" / "zh-CN.json"
"""English text of a card -> Chinese, as the app shows it."""

Words = Callable[[str], str]
"""From an English text to what the language of a README says for it."""
IN_CHINESE = {
    "name": "名称",
    "task": "任务",
    "input": "输入",
    "trained on": "训练数据",
    "items": "条数",
    "parameters": "参数量",
    "licence": "许可",
    "measured on test": "测试集得分",
    "classical model, same test": "经典模型，同一测试集",
    "calibration error, points": "校准误差（百分点）",
    "without temperature": "不调温度",
    "own items taken as foreign": "同类数据被判为超出范围",
    "foreign ones": "外来数据被判为超出范围",
    "linear probe (kNN) of student / untrained / raw": "线性探针（kNN）：学生模型 / 未训练 / 原始特征",
    "noise": "噪声",
    "tones": "纯音",
    "silence": "静音",
    "one colour": "单色图",
    "letters": "随机字母",
    "speaker": "说话人",
    "command": "口令词",
    "question type": "问题类型",
    "sentiment": "情感倾向",
    "object": "物体",
    "; ": "；",
    ", ": "、",
}
"""Heads and other words of the tables that no card says."""


def in_english(text: str) -> str:
    """As it is."""
    return text


def in_chinese(text: str) -> str:
    """As it is, too, where it is a name and so has no other form: of a data set, or of a licence."""
    return IN_CHINESE.get(text) or _cards_in_chinese().get(text, text)


@cache
def _cards_in_chinese() -> dict[str, str]:
    words: dict[str, str] = json.loads(CARDS_IN_CHINESE.read_text(encoding="utf-8"))
    return words


def models_table(words: Words = in_english) -> str:
    """What each bundled model with a task does, what it learnt from, and how well, beside a classical model."""

    def row(model: BundledModel) -> Sequence[str]:
        card = model.card
        metrics = (metric for metric in card.metrics if metric.split == "test" and not is_confidence(metric))
        items = f"{card.training_items:,}" if card.training_items else ""
        size = f"{card.parameters / 1e6:.1f} M" if card.parameters else ""
        scores = words("; ").join(shown(metric, words) for metric in metrics)
        return f"`{model.name}`", words(card.task), words(card.trained_on), items, size, scores, words(card.baseline)

    models = (model for model in bundled_models() if not model.card.is_encoder)
    head = ("name", "task", "trained on", "items", "parameters", "measured on test", "classical model, same test")
    return table(list(map(words, head)), map(row, models))


def confidence_table(words: Words = in_english) -> str:
    """How far each classifier's confidence can be believed, and what it takes for foreign."""

    def row(model: BundledModel) -> Sequence[str]:
        scores = {metric.name: metric.value for metric in model.card.metrics if is_confidence(metric)}
        foreign = {name: value for name, value in scores.items() if name.endswith(FOREIGN) and name != OWN}
        kinds = words(", ").join(f"{words(name.removesuffix(FOREIGN))} {value:.0%}" for name, value in foreign.items())
        errors = (scores[name] for name in (CALIBRATION, UNSCALED))
        return f"`{model.name}`", *(f"{100 * error:.1f}" for error in errors), f"{scores[OWN]:.0%}", kinds

    models = (model for model in bundled_models() if any(map(is_confidence, model.card.metrics)))
    head = (
        "name",
        "calibration error, points",
        "without temperature",
        "own items taken as foreign",
        "foreign ones",
    )
    return table(list(map(words, head)), map(row, models))


def shown(metric: Metric, words: Words = in_english) -> str:
    """A score with its name; shares in per cent, perplexities and the like as numbers."""
    name = words(metric.name)
    space = "" if name.endswith("）") else " "  # a full-width bracket brings its own
    return f"{name}{space}{metric.value:{'.1%' if metric.value <= 1 else '.1f'}}"


def encoders_table(words: Words = in_english) -> str:
    """What each bundled encoder has learnt: the student's scores on test beside those of no learning at all."""

    def row(model: BundledModel) -> Sequence[str]:
        card, health = model.card, Health.load(model.folder / HEALTH_FILE)
        sources: tuple[Source, ...] = ("student", "untrained", "raw")
        scores = words("; ").join(
            f"{words(answers.question)} {' / '.join(_share(answers, source) for source in sources)}"
            for answers in health.answers
        )
        size = f"{card.parameters / 1e6:.1f} M" if card.parameters else ""
        return f"`{model.name}`", words(card.modality), words(card.trained_on), size, scores, words(card.licence)

    head = ("name", "input", "trained on", "parameters", "linear probe (kNN) of student / untrained / raw", "licence")
    return table(list(map(words, head)), map(row, bundled_encoders()))


def _share(answers: Answers, source: Source) -> str:
    probe, knn = (answers.best(source, measure).of(measure)["test"] for measure in ("probe", "knn"))
    return f"{probe:.1%} ({knn:.1%})"


def weights_table() -> str:
    """Where each bundled model's weights come from and under which licence."""

    def row(model: BundledModel) -> Sequence[str]:
        folder = model.folder.relative_to(BUNDLED_FOLDER.parent).as_posix()
        return f"`{folder}`", model.card.trained_on, model.card.parent or "trained from scratch", model.card.licence

    return table(("folder", "trained on", "started from", "licence"), map(row, bundled_models()))


def examples_table() -> str:
    """Where each example input comes from and under which licence."""
    records = json.loads(EXAMPLES_FILE.read_text(encoding="utf-8"))
    return table(
        ("file", "source", "changes", "licence"),
        ((f"`examples/{r['file']}`", r["source"], r["changes"], r["licence"]) for r in records),
    )


def items_table() -> str:
    """Where each file of the sets of items comes from and under which licence."""
    sets = (Manifest.read(path.parent) for path in sorted(ITEMS_FOLDER.glob(f"*/{MANIFEST_FILE}")))
    rows = (
        (f"`examples/{one.folder.name}/{origin.file}`", origin.source, origin.changes, origin.licence)
        for one in sets
        for origin in one.files
    )
    return table(("file", "source", "changes", "licence"), rows)


def recordings_table() -> str:
    """What each recorded run was, what it learnt from, and under which licence that is."""

    def row(name: str) -> Sequence[str]:
        about, steps = load_recording(name).about, load_recording(name).steps
        moments = f"{len(steps)} over {steps[-1]:,} steps"
        return f"`recordings/{name}.npz`", about.title, moments, about.trained_on, about.licence

    return table(("file", "way of training", "moments", "trained on", "licence"), map(row, bundled_recordings()))


#: File -> name of a table in it -> what writes that table.
TABLES: dict[Path, dict[str, Callable[[], str]]] = {
    ROOT / "README.md": {
        "models": models_table,
        "confidence": confidence_table,
        "encoders": encoders_table,
    },
    ROOT / "README.zh-CN.md": {
        "models": partial(models_table, in_chinese),
        "confidence": partial(confidence_table, in_chinese),
        "encoders": partial(encoders_table, in_chinese),
    },
    ROOT / "assets" / "README.md": {
        "weights": weights_table,
        "examples": examples_table,
        "items": items_table,
        "recordings": recordings_table,
    },
    ROOT / "recipes" / "RESULTS.md": {"results": results, "study": study_table},
}


def render(text: str, tables: dict[str, Callable[[], str]]) -> str:
    """`text` with each named table written anew.

    Raises:
        ValueError: the markers of a table are missing.
    """
    for name, write in tables.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        before, has_begin, rest = text.partition(f"{begin}\n")
        _, has_end, after = rest.partition(end)
        if not (has_begin and has_end):
            raise ValueError(f"no table between {begin} and {end}")
        text = f"{before}{begin}\n{write()}{end}{after}"
    return text


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.readme", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a table is out of date")
    check = parser.parse_args(arguments).check
    stale = []
    for path, tables in TABLES.items():
        old = path.read_text(encoding="utf-8")
        new = render(old, tables)
        if new != old:
            stale.append(path.relative_to(ROOT).as_posix())
            if not check:
                path.write_text(new, encoding="utf-8")
    if stale:
        print(("out of date, run `make readme`: " if check else "written: ") + ", ".join(stale))
    if stale and check:
        sys.exit(1)


if __name__ == "__main__":
    main()
