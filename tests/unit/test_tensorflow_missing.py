"""What there is to say where TensorFlow is not installed, or Keras runs on something else."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType, SimpleNamespace

import pytest

import data2vec_core.runtime_choice
from data2vec_core.runtime_choice import RUNTIMES, TENSORFLOW_INSTALL, has_tensorflow
from data2vec_core.tasks import ImageClassifier


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """As before the first import, whatever other tests have imported."""
    for name in [name for name in sys.modules if name.startswith("data2vec_core.tensorflow")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("data2vec_core.tensorflow", raising=False)


def _module(name: str, **content: object) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(content)
    return module


@pytest.mark.parametrize("missing", ["tensorflow", "keras"])
def test_the_classes_say_how_to_install_it(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras", _module("keras"))
    monkeypatch.setitem(sys.modules, "tensorflow", _module("tensorflow"))
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match="optional extra: pip install -r requirements-tensorflow.txt"):
        importlib.import_module("data2vec_core.tensorflow")


def test_keras_on_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", _module("tensorflow"))
    monkeypatch.setitem(sys.modules, "keras", _module("keras", backend=SimpleNamespace(backend=lambda: "jax")))
    with pytest.raises(ImportError, match="here it runs on jax: set KERAS_BACKEND=tensorflow"):
        importlib.import_module("data2vec_core.tensorflow")


def test_a_task_says_so_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ImportError, match=TENSORFLOW_INSTALL):
        ImageClassifier.from_pretrained("objects", runtime="tensorflow")


def test_a_framework_that_nobody_knows() -> None:
    with pytest.raises(ValueError, match="runtime='jax': expected one of pytorch, tensorflow"):
        ImageClassifier.from_pretrained("objects", runtime="jax")  # type: ignore[arg-type]


@pytest.mark.parametrize("is_there", [False, True])
def test_whether_it_is_installed(is_there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    found = SimpleNamespace() if is_there else None
    monkeypatch.setattr(data2vec_core.runtime_choice, "find_spec", lambda name: found if name == "tensorflow" else None)
    assert has_tensorflow() is is_there
    assert RUNTIMES == ("pytorch", "tensorflow")
