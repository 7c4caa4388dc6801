"""What a figure shows, as a table that opens on demand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def details_table(summary: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A `table`, folded."""
    return f"<details><summary>{escape(summary)}</summary>{table(heads, rows, summary)}</details>"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], name: str = "") -> str:
    """A table; the first cell of a row names it, and screen readers hear its own name. All texts are escaped here."""
    label = f' aria-label="{escape(name)}"' if name else ""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for name, *cells in rows
    )
    return f'<table class="numbers"{label}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
