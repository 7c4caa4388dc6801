"""Gradio without its stub files.

Whenever a class of components is made, Gradio reads its source and writes a `.pyi` file beside it, for editors. That is
two fifths of the time that `import gradio` takes, and needs a folder of packages that can be written to.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_PACKAGE, _WRITER = "gradio", "component_meta"
_MODULE = f"{_PACKAGE}.{_WRITER}"


class _StubSkipper(MetaPathFinder):
    """Finds the module that writes the files, and leaves that out."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != _MODULE or (spec := PathFinder.find_spec(name, path, target)) is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def run_and_leave_out(module: ModuleType) -> None:
            run(module)
            module.create_or_modify_pyi = lambda *_: None  # type: ignore[attr-defined]

        spec.loader.exec_module = run_and_leave_out  # type: ignore[method-assign]
        return spec


def write_no_stubs() -> None:
    """For the rest of this process, where Gradio has not been imported yet."""
    if _MODULE not in sys.modules and not any(isinstance(finder, _StubSkipper) for finder in sys.meta_path):
        sys.meta_path.insert(0, _StubSkipper())
