"""Why a text cannot be used."""

from __future__ import annotations


class TextError(ValueError):
    """A text cannot be used; the message says why in a sentence for the person who brought it."""


class EmptyTextError(TextError):
    """There is nothing to read."""


class TextTooLongError(TextError):
    """The text has more characters than allowed, or more tokens than a model reads at once."""


class MaskCountError(TextError):
    """The text has no mask to fill, or too many."""
