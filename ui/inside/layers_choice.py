"""What the controls of the view "Layers" may say, read with care: a link is a stranger's word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from ui.inside import layers_sections as sections
from ui.inside.layers_sides import NULLS, OWN, Choice
from ui.inside.selection import Selection

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


class Compared(NamedTuple):
    """What the view shows, to tell whether something has to be made anew."""

    of: tuple[str, ...]
    sides: tuple[str, ...]
    measure: str
    null: str


def compared(selection: Selection, choice: Choice, settings: Sequence[Any]) -> Compared:
    """Of a settled choice; `settings` end with what was brought."""
    own = tuple(map(str, settings[-2:])) if choice.items == OWN else ()
    sides = (choice.items, choice.other_model, choice.other_role, *own)
    return Compared(selection.key, sides, choice.measure, choice.null)
