"""The README says what is so: its example runs, its tables are those of the cards, its front matter fits the pins."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from data2vec_core.checkpoints.bundled import bundled_models
from recipes import readme
from ui.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CHINESE_README = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")


def _pins() -> dict[str, str]:
    return dict(
        re.findall(r"^([\w-]+)==([\w.]+)", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    )


def test_python_example_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    missing = {"an4", "objects", "sst2"} - {model.name for model in bundled_models()}
    if missing:
        pytest.skip(f"the example needs bundled models that are not here: {sorted(missing)}")
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert code is not None
    monkeypatch.chdir(ROOT)
    exec(compile(code[1], "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_tables_are_those_of_the_cards_and_the_list_of_examples() -> None:
    readme.main(["--check"])


@pytest.mark.parametrize("write", [readme.models_table, readme.confidence_table, readme.encoders_table])
def test_tables_leave_no_english_in_the_chinese_readme(write: Callable[[readme.Words], str]) -> None:
    asked: set[str] = set()

    def listen(text: str) -> str:
        asked.add(text)
        return text

    write(listen)
    left = {text for text in asked if readme.in_chinese(text) == text}
    names = {
        "an4",
        "esc10",
        "speechocean",
        "speech_commands",
        "pets3",
        "camvid",
        "sst2",
        "trec",
        "snips_nlu",
        "wnut17_ner",
    }
    assert {text for text in left - names if not re.fullmatch(r"CC[\w.-]+", text)} == set()


def _outline(text: str) -> list[str]:
    """What both languages have in common: levels of headings, code without comments, first cells and defaults of
    tables of names."""
    body = re.sub(r"^---\n.*?\n---\n", "", text, flags=re.DOTALL)
    blocks = [re.sub(r"\s*#.*", "", block) for block in re.findall(r"```\w+\n(.*?)```", body, re.DOTALL)]
    headings = re.findall(r"^#+(?= )", re.sub(r"```.*?```", "", body, flags=re.DOTALL), re.MULTILINE)
    names = re.findall(r"^\| (`[\w.-]+`)", body, re.MULTILINE)
    return [*headings, *blocks, *names]


def test_the_chinese_readme_says_the_same() -> None:
    assert _outline(CHINESE_README) == _outline(README)
    assert "](README.zh-CN.md)" in README
    assert "](README.md)" in CHINESE_README
    settings = re.compile(rf"^\| `{PREFIX}\w+` \|.*\| `?([\w/]+)", re.MULTILINE)
    assert settings.findall(CHINESE_README) == settings.findall(README)


def test_render_replaces_one_table_and_needs_its_markers() -> None:
    text = "a\n<!-- t:begin -->\nold\n<!-- t:end -->\nb\n"
    assert readme.render(text, {"t": lambda: "new\n"}) == text.replace("old", "new")
    with pytest.raises(ValueError, match="no table between"):
        readme.render(text, {"u": str})


def test_front_matter_fits_the_pins() -> None:
    front = dict(re.findall(r"^(\w+): (.+)$", README.split("---\n")[1], re.MULTILINE))
    assert (front["sdk"], front["sdk_version"]) == ("gradio", _pins()["gradio"])
    assert (ROOT / front["app_file"]).is_file()
    assert len(front["short_description"]) <= 60  # longer ones are refused by the host
    assert front["license"] == "apache-2.0"
    assert (
        front["python_version"] == '"3.12"'
    )  # the newest that the project takes, and the one that lent GPUs come with


def test_the_container_has_what_the_app_needs() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").split() if line[0] == "!"}
    copied = {name for line in re.findall(r"^COPY (.+) \S+$", lines, re.MULTILINE) for name in line.split()}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"recipes", "benchmarks", "tests"}
    assert copied == let_in == {"app.py", "LICENSE", "requirements.txt", "assets"} | packages
    assert set((ROOT / "packages.txt").read_text(encoding="utf-8").split()) <= set(lines.split())


def test_every_setting_is_in_the_table_with_its_default() -> None:
    rows = dict(re.findall(rf"^\| `({PREFIX}\w+)` \|.*\| (.+?) \|$", README, re.MULTILINE))
    assert set(rows) == {PREFIX + field.name.upper() for field in dataclasses.fields(Settings)}
    for field in dataclasses.fields(Settings):
        if field.default is not None:
            stated = rows[PREFIX + field.name.upper()].partition(";")[0]
            assert stated == _in_words(field.default)


def _in_words(default: object) -> str:
    if isinstance(default, (bool, str)):
        return str(default).lower() if isinstance(default, bool) else f"`{default}`"
    return f"{default:g}" if isinstance(default, (int, float)) else "all"
