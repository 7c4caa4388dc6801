"""The choice of the framework for pictures: offered where TensorFlow is installed, explained where it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
import pytest

import ui.fields
import ui.options
from data2vec_core.runtime_choice import TENSORFLOW_INSTALL
from ui.catalogue import INSIDE, TOOLS, ToolName
from ui.fields import Field
from ui.memory import Loaded
from ui.options import RuntimeInput
from ui.service import Service
from ui.settings import Settings
from ui.views.models import memory
from ui.views.notice import made_by
from ui.views.repeat import lines_of
from ui.words import LANGUAGES, say, speaking

SETTINGS = Settings()
Files = Callable[[str], str]
ON_PICTURES: list[ToolName] = ["classify_image", "classify_images", "explain_image", "segment_image"]


@pytest.fixture
def is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ui.options, "has_tensorflow", lambda: True)


@pytest.fixture
def is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ui.options, "has_tensorflow", lambda: False)


@pytest.fixture
def is_lent(monkeypatch: pytest.MonkeyPatch, is_installed: None) -> None:  # noqa: ARG001
    for module in (ui.options, ui.fields):
        monkeypatch.setattr(module, "is_lent", lambda: True)


def chooser() -> gr.Radio:
    with gr.Blocks():
        [radio] = Field(RuntimeInput("runtime"), "segment_image", "pytorch").inputs
    assert isinstance(radio, gr.Radio)
    return radio


def test_the_tools_on_pictures_have_the_choice_and_no_others() -> None:
    having = [name for name, tool in TOOLS.items() if any(isinstance(one, RuntimeInput) for one in tool.inputs)]
    assert sorted(having) == sorted(ON_PICTURES)


@pytest.mark.usefixtures("is_installed")
def test_where_it_is_installed() -> None:
    radio = chooser()
    assert radio.choices == [("PyTorch", "pytorch"), ("TensorFlow", "tensorflow")]
    assert (radio.value, radio.info) == ("pytorch", say("panel.runtime_hint"))
    assert RuntimeInput("runtime").read("tensorflow", SETTINGS) == "tensorflow"


@pytest.mark.usefixtures("is_missing")
@pytest.mark.parametrize("language", LANGUAGES)
def test_where_it_is_not_installed(language: str) -> None:
    with speaking(language):
        radio = chooser()
        with pytest.raises(ValueError, match=f"{TENSORFLOW_INSTALL}$"):
            RuntimeInput("runtime").read("tensorflow", SETTINGS)
        assert radio.info == say("panel.runtime_missing", command=TENSORFLOW_INSTALL)
    assert radio.choices == [("PyTorch", "pytorch")]
    assert str(radio.info).endswith(TENSORFLOW_INSTALL)
    assert RuntimeInput("runtime").read("pytorch", SETTINGS) == "pytorch"


@pytest.mark.usefixtures("is_lent")
def test_a_lent_gpu_is_lent_to_pytorch() -> None:
    assert chooser().info == say("panel.runtime_lent")
    with pytest.raises(ValueError, match=say("runtime.lent")):
        RuntimeInput("runtime").read("tensorflow", SETTINGS)


@pytest.mark.parametrize("wrong", ["jax", "", None, 3, ["pytorch"]])
def test_a_framework_that_there_is_not(wrong: Any) -> None:
    with pytest.raises(ValueError, match="pytorch, tensorflow"):
        RuntimeInput("runtime").read(wrong, SETTINGS)


@pytest.mark.usefixtures("is_installed")
def test_each_framework_has_a_model_of_its_own(files: Files) -> None:
    """Loaded for the tool as it was asked, and kept apart."""
    asked: list[Any] = []

    def load(tool: Any, place: str) -> Any:
        asked.append((tool.name, tool.runtime, place))
        return lambda image: image  # an answer that nobody looks at

    service = Service(SETTINGS, load=load)
    for runtime in ("pytorch", "tensorflow", "tensorflow"):
        inputs = {"image": files("picture.png"), "runtime": runtime}
        tool = TOOLS["classify_image"]
        checked = tool.read(inputs, SETTINGS)
        with service._held(tool.as_asked(checked), "objects", "somewhere") as slot:
            assert list(tool.answers(slot.task, checked)) == [checked["image"]]
    assert asked == [("classify_image", runtime, "somewhere") for runtime in ("pytorch", "tensorflow")]
    assert [(one.model, one.runtime) for one in service.loaded()] == [("objects", "pytorch"), ("objects", "tensorflow")]
    service.unload("objects")
    assert service.loaded() == []
    assert INSIDE.runtime == "pytorch"


def test_it_is_said_and_repeated() -> None:
    assert say("made.tensorflow") in made_by("objects", None, runtime="tensorflow")
    assert say("made.tensorflow") not in made_by("objects", None)
    loaded = [Loaded("classify_image", "objects", 8_000_000, False, runtime="tensorflow")]
    assert say("models.in_tensorflow") in memory(loaded, 8_000_000, 10_000_000)
    given = {"image": object(), "runtime": "tensorflow"}
    lines = lines_of("classify_image", "objects", given)
    assert 'ImageClassifier.from_pretrained("objects", runtime="tensorflow")' in (lines.python or "")
    assert 'print(task("your-picture.jpg").to_json())' in (lines.python or "")
    assert 'runtime="tensorflow"' in (lines.client or "")
    assert '"runtime": "tensorflow"' in (lines.http or "")
    usual = lines_of("classify_image", "objects", {**given, "runtime": "pytorch"})
    assert "runtime" not in f"{usual.python}{usual.client}{usual.http}"
