"""Scripts of the widgets, put together from the files beside this one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent


def script(*parts: str) -> str:
    """One script of several files, in this order, for `js_on_load` of a `gr.HTML`; `common.js` stands before them.

    Args:
        parts: names without their ending. Each script is a scope of its own, within which parts share what they define.
    """
    return "\n".join((_FOLDER / f"{part}.js").read_text(encoding="utf-8") for part in ("common", *parts))
