"""Tensor names: one table a format, read in both directions.

Our modules share one transformer block, so their tensor names differ from the public files', which differ among
themselves. A `KeyTable` holds the differences as pattern pairs; every name that no pattern matches is the same on both
sides. `{i}` stands for a layer number, a final `*` for the rest of the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

Rule = tuple[str, str]


class KeyTable:
    """Pairs of (public name, own name) patterns.

    Args:
        rules: used in both directions; the first match wins.
        prefix: under which a file with a head stores its backbone, such as `data2vec_audio.`.
        old_names: (old public name, public name) patterns, applied to what is read before the rules; all that match,
            in order. Unanchored: they may match inside a name.
        drop: patterns of public names that carry no weights of ours, such as old index buffers.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        prefix: str,
        old_names: Sequence[Rule] = (),
        drop: Iterable[str] = (),
    ) -> None:
        self.prefix = prefix
        self._to_own = [(name_pattern(public), name_template(own)) for public, own in rules]
        self._to_public = [(name_pattern(own), name_template(public)) for public, own in rules]
        self._old_names = [(name_pattern(old, anchored=False), name_template(new)) for old, new in old_names]
        self._drop = [name_pattern(pattern, anchored=False) for pattern in drop]

    def is_dropped(self, public_name: str) -> bool:
        """Whether a name is known to hold nothing we need."""
        return any(pattern.search(public_name) for pattern in self._drop)

    def to_own(self, public_name: str) -> str:
        """Own name of a tensor, without any prefix: of the part after `prefix`, or of a head."""
        for pattern, template in self._old_names:
            public_name = pattern.sub(template, public_name)
        return _translate(public_name, self._to_own)

    def to_public(self, own_name: str) -> str:
        """Public name of a tensor, without any prefix."""
        return _translate(own_name, self._to_public)


def name_pattern(text: str, *, anchored: bool = True) -> re.Pattern[str]:
    """The pattern of a table as a regular expression, with a group for each `{i}` and for a final `*`."""
    source = re.escape(text).replace(re.escape("{i}"), r"(\d+)")
    source = re.sub(r"\\\*$", "(.*)", source)
    return re.compile(f"^{source}$" if anchored else source)


def name_template(text: str) -> str:
    """The other side of a table's rule, for `re.Match.expand`."""
    groups = iter(range(1, 10))
    return re.sub(r"\{i\}|\*$", lambda _: rf"\g<{next(groups)}>", text)


def _translate(name: str, table: Sequence[tuple[re.Pattern[str], str]]) -> str:
    for pattern, template in table:
        if match := pattern.match(name):
            return match.expand(template)
    return name
