"""A run's folder belongs to one set of settings: going on with others would mix two runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.files import read_json, write_json


def claim(out: Path, settings: Mapping[str, Any], name: str) -> bool:
    """Make a folder the place of these settings, kept there in the JSON file `name`.

    Several processes may do so at once, with the same settings.

    Returns:
        Whether it was theirs before.

    Raises:
        ValueError: it holds a run of other settings, or something else.
    """
    # Looked at in this order because others write into the folder after its settings only.
    holds_something = out.is_dir() and any(not child.name.startswith(".") for child in out.iterdir())
    if (path := out / name).is_file():
        try:
            before = read_json(path)
        except CheckpointError as error:
            raise ValueError(str(error)) from None
        for key, value in settings.items():
            if before.get(key) != value:
                raise ValueError(
                    f"{out} holds a run with {key}={before.get(key)}, this one has {value}; give another --out, or "
                    "remove the folder to begin anew"
                )
        return True
    if holds_something or out.is_file():
        raise ValueError(f"{out} is there already and holds something else; give another --out")
    out.mkdir(parents=True, exist_ok=True)
    write_json(path, settings)
    return False
