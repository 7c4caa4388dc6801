"""The models on a GPU that is lent for a call."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from ui import accelerator
from ui.service import Service
from ui.settings import Settings


@pytest.fixture
def lent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A host that lends GPUs: what its decorator was told, and every call of what it decorated."""
    seen: list[Any] = []

    def gpu(duration: int) -> Callable[[accelerator.Answers], accelerator.Answers]:
        seen.append(duration)

        def decorate(function: accelerator.Answers) -> accelerator.Answers:
            def call(*arguments: Any) -> Iterator[Any]:
                seen.append(arguments[0].name)
                yield from function(*arguments)

            return call

        return decorate

    host = ModuleType("spaces")
    host.__spec__ = SimpleNamespace(name="spaces")  # type: ignore[assignment]
    host.GPU = gpu  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "spaces", host)
    return seen


def test_nothing_is_decorated_elsewhere(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "find_spec", lambda _: None)
    assert Service(settings).ask("classify_text", {"text": "a film"}).result.model == "sst2"


def test_what_runs_a_model_is_decorated_when_the_app_is_built(lent: list[Any], settings: Settings) -> None:
    service = Service(settings)
    assert lent == [accelerator.SECONDS]  # before anybody asks: the host looks for it at the start
    assert service.ask("classify_text", {"text": "a film"}).result.model == "sst2"
    last = service.ask("continue_text", {"prompt": "a film", "max_new_tokens": 3, "temperature": 0})
    assert last.result.text.startswith("a film")  # piece by piece, too
    assert lent[1:] == ["classify_text", "continue_text"]


@pytest.mark.usefixtures("lent")
def test_weights_that_may_leave_the_processor_are_not_laid_out_for_it(bundled_folder: Path) -> None:
    service = Service(Settings(bundled_folder=bundled_folder, linear="int8"))
    assert service.ask("classify_text", {"text": "a film"}).linear == "plain"
    with pytest.raises(ValueError, match="do not choose how models hold their weights"):
        service.choose_linear("int8")


@pytest.mark.usefixtures("lent")
def test_the_model_goes_to_the_gpu_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[str] = []
    task = SimpleNamespace(model=SimpleNamespace(to=moved.append))
    tool = SimpleNamespace(name="tool", answers=lambda _, inputs: iter([inputs["text"]]))
    ask = accelerator.answers()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert list(ask(tool, task, {"text": "a"})) == ["a"]  # type: ignore[arg-type]
    assert moved == []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert list(ask(tool, task, {"text": "b"})) == ["b"]  # type: ignore[arg-type]
    assert moved == ["cuda"]
