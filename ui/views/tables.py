"""What a figure shows, as a table that opens on demand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def details_table(summary: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A `table`, folded."""
    return f"<details><summary>{escape(summary)}</summary>{table(heads, rows)}</details>"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the first cell of a row names it. All texts are escaped here."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for name, *cells in rows
    )
    return f'<table class="numbers"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
