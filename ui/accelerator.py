"""Models on the GPU of a host that lends one for the length of a call (ZeroGPU), and on the processor elsewhere.

Such a host brings a package `spaces`. A function that it decorates runs in another process, which has a GPU: what goes
in and comes out is copied, and nothing that it changes stays. So models stay on the processor where they are kept, and
their copy goes to the GPU where it is used; for the sizes here, that takes a fraction of a second.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ui.catalogue import Task, Tool

SECONDS: Final = 60
"""Of GPU that a call asks for: visitors have minutes a day, and a shorter call waits less."""

Answers = Callable[["Tool", "Task", Mapping[str, Any]], Iterator[Any]]


def is_lent() -> bool:
    """Whether this host is of that kind."""
    return find_spec("spaces") is not None


def answers() -> Answers:
    """How to ask a loaded task: `Tool.answers`, on a lent GPU where there is one to lend.

    To be called once, while the app is built: such a host looks then for what will need a GPU, and has to see torch
    imported after its package.
    """
    if not is_lent():
        return _on_processor
    spaces = importlib.import_module("spaces")  # of the host: it is not installed anywhere else
    lent: Answers = spaces.GPU(duration=SECONDS)(_on_gpu)
    return lent


def _on_processor(tool: Tool, task: Task, inputs: Mapping[str, Any]) -> Iterator[Any]:
    return tool.answers(task, inputs)


def _on_gpu(tool: Tool, task: Task, inputs: Mapping[str, Any]) -> Iterator[Any]:
    """In the process that has the GPU; on a host of this kind without one, the processor does."""
    import torch

    if torch.cuda.is_available():
        task.model.to("cuda")  # type: ignore[attr-defined] # of a copy
    yield from tool.answers(task, inputs)
