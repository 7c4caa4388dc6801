"""Limits and permissions from the environment."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ui.service import Service
from ui.settings import Settings, SettingsError

ROOT = Path(__file__).resolve().parents[2]


def test_defaults_hold_where_the_environment_says_nothing() -> None:
    assert Settings.from_environment({}) == Settings()


def test_every_field_can_be_set(tmp_path: Path) -> None:
    values: dict[str, object] = {
        field.name: 7 for field in dataclasses.fields(Settings) if field.type in ("int", "float")
    }
    values |= dict.fromkeys(("public", "allow_hub", "allow_local_folders", "allow_unloading"), False)
    values |= {"bundled_folder": tmp_path, "embedders": "'none'", "language": "zh-CN", "models": ("an4", "sst2")}
    values["linear"] = "int8"
    assert values.keys() == {field.name for field in dataclasses.fields(Settings)}
    environment = {f"DATA2VEC_{name.upper()}": str(value) for name, value in values.items()}
    environment["DATA2VEC_MODELS"] = "an4, sst2,"
    assert dataclasses.asdict(Settings.from_environment(environment)) == values


@pytest.mark.parametrize(
    ("variable", "value", "rule"),
    [
        ("MAX_AUDIO_SECONDS", "half a minute", "a number, got 'half a minute'"),
        ("MAX_AUDIO_SECONDS", "nan", "above 0"),
        ("MAX_UPLOAD_MB", "2.5", "a whole number, got '2.5'"),
        ("MODEL_MEMORY_MB", "0", "above 0, got 0"),
        ("ALLOW_HUB", "perhaps", "true or false, got 'perhaps'"),
        ("BUNDLED_FOLDER", "/no/such/folder", "a folder"),
        ("LINEAR", "int4", "one of best, plain, packed, int8, got 'int4'"),
        ("LANGUAGE", "fr", "one of en, zh-CN, got 'fr'"),
    ],
)
def test_a_bad_value_names_its_variable_and_the_rule(variable: str, value: str, rule: str) -> None:
    with pytest.raises(ValueError, match=f"DATA2VEC_{variable} has to be {rule}"):
        Settings.from_environment({f"DATA2VEC_{variable}": value})


def test_an_empty_variable_counts_as_unset() -> None:
    assert Settings.from_environment({"DATA2VEC_THREADS": " "}) == Settings()


@pytest.mark.parametrize("environment", [{"SPACE_ID": "someone/lab"}, {"DATA2VEC_PUBLIC": "1"}])
def test_a_public_host_allows_strangers_nothing_unless_told_to(environment: dict[str, str]) -> None:
    def permissions(settings: Settings) -> tuple[bool, bool, bool]:
        return settings.allow_hub, settings.allow_local_folders, settings.allow_unloading

    assert permissions(Settings.from_environment({})) == (True, True, True)
    assert permissions(Settings.from_environment(environment)) == (False, False, False)
    told = environment | {"DATA2VEC_ALLOW_LOCAL_FOLDERS": "1"}
    assert permissions(Settings.from_environment(told)) == (False, True, False)


def test_a_space_of_ones_own_is_not_public() -> None:
    private = {"SPACE_ID": "someone/lab", "DATA2VEC_PUBLIC": "0"}
    assert Settings.from_environment(private).allow_hub


def test_a_variable_that_nothing_reads_is_a_mistake() -> None:
    with pytest.raises(SettingsError, match="no setting DATA2VEC_MAX_AUDIO_SECOND; DATA2VEC_MAX_AUDIO_SECONDS?"):
        Settings.from_environment({"DATA2VEC_MAX_AUDIO_SECOND": "7"})
    assert Settings.from_environment({"DATA2VEC_DATA": "/data"}) == Settings()  # of the recipes


def test_only_the_models_of_a_list_are_offered(settings: Settings) -> None:
    public = "facebook/data2vec-audio-base-960h"
    service = Service(dataclasses.replace(settings, models=("an4", public)))
    assert [entry.name for entry in service.models] == ["an4", public]
    with pytest.raises(ValueError, match="no model called sst2"):
        service.ask("classify_text", {"text": "fine"})
    with pytest.raises(SettingsError, match="DATA2VEC_MODELS names an5, sst3, which is no model here: .*an4"):
        Service(dataclasses.replace(settings, models=("an5", "an4", "sst3")))


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("DATA2VEC_THREADS", "two", "DATA2VEC_THREADS has to be a whole number, got 'two'"),
        ("DATA2VEC_MODELS", "sst2,sst3", "DATA2VEC_MODELS names sst3, which is no model here: "),
        ("GRADIO_TEMP_DIR", "/proc/no", "GRADIO_TEMP_DIR has to be a folder, got '/proc/no' "),
    ],
)
def test_a_wrong_start_ends_with_a_sentence(variable: str, value: str, sentence: str) -> None:
    run = subprocess.run(
        [sys.executable, "app.py"], env={**os.environ, variable: value}, capture_output=True, text=True, cwd=ROOT
    )
    assert run.returncode == 2
    assert run.stderr.startswith(f"data2vec lab: {sentence}")
    assert len(run.stderr.splitlines()) == 1
    assert run.stdout == ""
