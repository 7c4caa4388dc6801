"""What the README prints about TensorFlow runs, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from data2vec_core import Data2VecVisionForImageClassification

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_example_runs(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    section = (ROOT / name).read_text(encoding="utf-8").partition("## TensorFlow")[2]
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert code is not None
    monkeypatch.chdir(ROOT)
    exec(compile(code[1].replace('"runs/', f'"{tmp_path}/'), name, "exec"), {})
    assert capsys.readouterr().out.splitlines()[0] == "flamingo"
    assert Data2VecVisionForImageClassification.from_pretrained(tmp_path / "taught").config.class_count == 29
    assert (tmp_path / "served" / "saved_model.pb").is_file()
