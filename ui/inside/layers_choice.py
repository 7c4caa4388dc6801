"""What the controls of the view "Layers" may say, read with care: a link is a stranger's word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ui.inside import layers_sections as sections
from ui.inside.layers_sides import NULLS, Choice

METHODS: Final = ("pca", "umap", "tsne")
NAMES: Final = ("items", "other_model", "other_role", "measure", "null", "map")
ROLES: Final = ("student", "teacher")


def read_choice(settings: Sequence[Any]) -> Choice:
    """What the controls say, and what they begin with where they say nothing that there is."""

    def one_of(value: Any, allowed: Sequence[str]) -> str:
        return value if value in allowed else allowed[0]

    items, other, role, measure, null, method = (value if isinstance(value, str) else "" for value in settings[:6])
    return Choice(
        items,
        other,
        role if role in ROLES else "teacher",
        one_of(measure, sections.MEASURES),
        one_of(null, NULLS),  # type: ignore[arg-type]
        one_of(method, METHODS),
    )
