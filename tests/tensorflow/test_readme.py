"""What the README prints about TensorFlow runs, and is the same in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tensorflow as tf

from data2vec_core import Data2VecVisionForImageClassification

ROOT = Path(__file__).resolve().parents[2]


def example(name: str) -> str:
    """The first Python of the section."""
    section = (ROOT / name).read_text(encoding="utf-8").partition("## TensorFlow")[2]
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert code is not None
    return code[1]


def test_the_example_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    tf.config.run_functions_eagerly(True)  # a graph for one step of `fit` would take most of the time
    try:
        exec(compile(example("README.md").replace('"runs/', f'"{tmp_path}/'), "README.md", "exec"), {})
    finally:
        tf.config.run_functions_eagerly(False)
    assert capsys.readouterr().out.splitlines()[0] == "flamingo"
    assert Data2VecVisionForImageClassification.from_pretrained(tmp_path / "taught").config.class_count == 29
    assert (tmp_path / "served" / "saved_model.pb").is_file()


def test_the_chinese_one_differs_in_its_comments_only() -> None:
    ours, other = (re.sub(r"  #.*", "", example(name)) for name in ("README.md", "README.zh-CN.md"))
    assert ours == other
