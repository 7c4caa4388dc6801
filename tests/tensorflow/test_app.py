"""The app where TensorFlow is installed: it offers it, and imports it for nobody who does not ask for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from data2vec_core.tensorflow.runtime import TensorFlowRuntime
from ui.service import Answer, Service
from ui.settings import Settings
from ui.steps import Step
from ui.views.repeat import lines_of
from ui.vision import Relevance
from ui.words import say

ROOT = Path(__file__).resolve().parents[2]
PICTURE = str(ROOT / "assets/examples/flamingo.jpg")


@pytest.fixture(scope="module")
def service() -> Service:
    return Service(Settings(threads=1))


def test_classes_by_name(service: Service) -> None:
    """Of the same model in both, which are in memory beside each other; the one without the other's int8."""
    ours, expected = (
        service.ask("classify_image", {"image": PICTURE, "runtime": runtime}) for runtime in ("tensorflow", "pytorch")
    )
    assert (ours.runtime, expected.runtime) == ("tensorflow", "pytorch")
    assert ours.result.labels[0].label == expected.result.labels[0].label
    assert ours.linear == "plain"
    assert {(one.model, one.runtime, one.linear) for one in service.loaded()} >= {("objects", "tensorflow", "plain")}
    with service.using("classify_image") as task:
        assert not isinstance(task.model, TensorFlowRuntime)  # type: ignore[attr-defined]


def test_the_lines_below_an_answer_give_it_again(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    answer = service.ask("classify_image", {"image": PICTURE, "runtime": "tensorflow"})
    lines = lines_of("classify_image", "objects", answer.inputs, answer.linear).python or ""
    assert 'runtime="tensorflow"' in lines
    exec(lines.replace("your-picture.jpg", PICTURE), {})
    assert answer.result.labels[0].label in capsys.readouterr().out


def test_why_a_class_is_found_in_pytorch_only(service: Service) -> None:
    inputs = {"image": PICTURE, "runtime": "tensorflow"}
    answers = [one for one in service.stream("explain_image", inputs) if not isinstance(one, Step)]
    assert [answer.result.relevance for answer in answers] == [None]
    [html, column, *_] = Relevance(service).show(answers[-1])
    assert say("relevance.in_pytorch") in html
    assert column.visible is False


def test_many_pictures_and_a_map(service: Service) -> None:
    found: Any = service.ask("classify_images", {"images": [PICTURE, PICTURE], "runtime": "tensorflow"})
    assert [one.classification.labels[0].label for one in found.result.pictures] == ["flamingo"] * 2
    segmented: Answer = service.ask("segment_image", {"image": PICTURE, "runtime": "tensorflow"})
    assert segmented.result.mask.ndim == 2


def test_nobody_imports_tensorflow_without_asking_for_it() -> None:
    code = (
        "import sys, app\n"
        "from ui.service import Service\n"
        "from ui.settings import Settings\n"
        "service = Service(Settings(threads=1))\n"
        f"service.ask('classify_image', {{'image': {PICTURE!r}}})\n"
        "print('torch' in sys.modules, 'tensorflow' in sys.modules, 'keras' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False", "False"]
