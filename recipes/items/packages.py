"""Files of Debian and Python packages that items are made from."""

from __future__ import annotations

import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path


def debian_file(package: str, path: str) -> Path:
    """A file that a Debian package installs.

    Raises:
        ValueError: it is not there; the message names the package.
    """
    if not Path(path).is_file():
        raise ValueError(f"{path} is missing: apt-get install {package}")
    return Path(path)


def debian_version(package: str) -> str:
    """The installed version of a Debian package.

    Raises:
        ValueError: it is not installed.
    """
    if not shutil.which("dpkg-query"):
        raise ValueError(f"{package}: items are made on Debian, and there is no dpkg-query here")
    query = ["dpkg-query", "--show", "--showformat=${Version}", package]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)
    if answer.returncode or not answer.stdout:
        raise ValueError(f"{package} is not installed: apt-get install {package}")
    return answer.stdout


def program(package: str, name: str) -> str:
    """A command of a Debian package.

    Raises:
        ValueError: it is not there; the message names the package.
    """
    found = shutil.which(name)
    if not found:
        raise ValueError(f"no command {name}: apt-get install {package}")
    return found


def python_file(package: str, module: str, path: str) -> Path:
    """A file inside an installed Python package, which is not imported for it.

    Raises:
        ValueError: it is not there; the message names the package.
    """
    spec = find_spec(module)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder) / path).is_file():
            return Path(folder) / path
    raise ValueError(f"{module}/{path} is missing: python -m pip install {package}")


def python_version(package: str) -> str:
    """The installed version of a Python package.

    Raises:
        ValueError: it is not installed.
    """
    try:
        return version(package)
    except PackageNotFoundError:
        raise ValueError(f"{package} is not installed: python -m pip install {package}") from None
