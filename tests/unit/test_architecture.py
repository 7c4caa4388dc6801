"""The plan of the house: imports run one way, the library stays light, every module says what it is for."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: Which of the project's own packages each may import, besides itself.
MAY_IMPORT = {
    "data2vec_core": set(),
    "analysis": {"data2vec_core"},
    "ui": {"analysis", "data2vec_core"},
    "app": {"ui"},
    "recipes": {"analysis", "data2vec_core"},
    "benchmarks": {"analysis", "data2vec_core", "recipes"},
}
#: Third-party packages that a package never imports, not even inside a function.
NEVER = {
    "data2vec_core": {"gradio", "matplotlib", "transformers", "fairseq"},
    "analysis": {"gradio", "transformers"},
    "ui": {"transformers"},
    "app": {"transformers"},
}
#: Slow to import: only inside the function that needs them.
HEAVY = {"librosa", "numba", "sklearn", "umap"}
#: An optional extra, which one folder alone imports.
EXTRA = {"tensorflow", "keras", "optree"}
HOME_OF_THE_EXTRA = ROOT / "data2vec_core" / "tensorflow"
LONGEST_MODULE = 450


def _modules(*names: str) -> list[Path]:
    files = [ROOT / f"{name}.py" for name in names if (ROOT / f"{name}.py").is_file()]
    return files + [path for name in names for path in sorted((ROOT / name).rglob("*.py"))]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _imported(tree: ast.AST) -> set[str]:
    """Top-level packages that some import statement names."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _imported_at_top(tree: ast.Module) -> set[str]:
    """As `_imported`, outside functions, and outside `if TYPE_CHECKING:`."""
    found: set[str] = set()
    for node in tree.body:
        is_typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not is_typing_only:
            found |= _imported(node)
    return found


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_run_one_way(package: str) -> None:
    forbidden = (set(MAY_IMPORT) | {"tests"}) - MAY_IMPORT[package] - {package} | NEVER.get(package, set())
    wrong = {
        _name(path): sorted(names)
        for path in _modules(package)
        if (names := _imported(ast.parse(path.read_text(encoding="utf-8"))) & forbidden)
    }
    assert wrong == {}


@pytest.mark.parametrize("package", ["data2vec_core", "ui", "app"])
def test_heavy_packages_are_imported_where_they_are_used(package: str) -> None:
    wrong = {
        _name(path): sorted(names)
        for path in _modules(package)
        if (names := _imported_at_top(ast.parse(path.read_text(encoding="utf-8"))) & HEAVY)
    }
    assert wrong == {}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_tensorflow_is_imported_in_one_place(package: str) -> None:
    wrong = {
        _name(path): sorted(names)
        for path in _modules(package)
        if not path.is_relative_to(HOME_OF_THE_EXTRA)
        and (names := _imported_at_top(ast.parse(path.read_text(encoding="utf-8"))) & EXTRA)
    }
    assert wrong == {}


def test_importing_the_library_loads_neither_page_nor_plots_nor_the_reference() -> None:
    unwanted = HEAVY | EXTRA | {"gradio", "matplotlib", "transformers", "analysis", "ui"}
    code = (
        "import sys, data2vec_core, data2vec_core.tasks, data2vec_core.checkpoints.keras_h5\n"
        f"print(*sorted({unwanted!r} & {{name.partition('.')[0] for name in sys.modules}}))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


@pytest.mark.parametrize("path", _modules(*MAY_IMPORT, "tests"), ids=_name)
def test_module_says_what_it_is_for_and_stays_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert ast.get_docstring(tree) or not tree.body, "no docstring"
    assert len(text.splitlines()) <= LONGEST_MODULE, "look for two ideas"


def test_no_file_names_a_place_of_some_machine() -> None:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("not a git checkout")
    # Written in pieces, so that this file does not contain what it looks for.
    places = re.compile("|".join((r"(?<![\w.])/" + r"work/", r"/ho" + r"me/\w", r"/ro" + r"ot/", r"/tm" + r"p/\w")))
    wrong = []
    for name in filter(None, listing.stdout.split("\0")):
        content = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b""
        if b"\0" not in content and (found := places.search(content.decode("utf-8", errors="replace"))):
            wrong.append(f"{name}: {found[0]}")
    assert wrong == []
