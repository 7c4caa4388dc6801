"""The command lines of the recipes: what they refuse, and how."""

from __future__ import annotations

from pathlib import Path

import pytest

from recipes import evaluate, finetune


@pytest.mark.parametrize("main", [finetune.main, evaluate.main])
def test_a_missing_data_folder_is_a_sentence(main: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(main)
    with pytest.raises(SystemExit) as stop:
        main(["sst2", "--data", str(tmp_path / "nowhere")])
    assert stop.value.code == 2
    assert "no data folder at" in capsys.readouterr().err


def test_an_unknown_model_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        evaluate.main(["sst3", "--data", str(tmp_path)])
    assert "no evaluation named sst3" in capsys.readouterr().err


def test_a_model_that_is_not_bundled_fails_the_evaluation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "bundled_models", list)
    with pytest.raises(SystemExit) as stop:
        evaluate.main(["sst2", "--data", str(tmp_path)])
    assert stop.value.code == 1
    assert "sst2: no such bundled model" in capsys.readouterr().err
