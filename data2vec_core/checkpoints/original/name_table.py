"""Names of tensors in a foreign checkpoint: every one is in a table, with its public name or as dropped on purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from data2vec_core.checkpoints.errors import CheckpointError, first_few
from data2vec_core.checkpoints.key_table import name_pattern, name_template


@dataclass
class Renamed:
    """Tensors under public names, and the names of those that were left out."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)


class NameTable:
    """(original, public) patterns as in `KeyTable`; None as public name drops the tensor. The first match wins."""

    def __init__(self, rules: Sequence[tuple[str, str | None]]) -> None:
        self._rules = [
            (name_pattern(original), None if public is None else name_template(public)) for original, public in rules
        ]

    def rename(self, tensors: Mapping[str, Tensor]) -> Renamed:
        """Translate every name.

        Raises:
            CheckpointError: names that the table does not have, or two tensors of one public name.
        """
        result = Renamed()
        unknown = []
        for name, tensor in tensors.items():
            match = next(((found, public) for rule, public in self._rules if (found := rule.match(name))), None)
            if match is None:
                unknown.append(name)
            elif match[1] is None:
                result.dropped.append(name)
            elif (public := match[0].expand(match[1])) in result.tensors:
                raise CheckpointError(f"two tensors of the file would become {public}; the second is {name}")
            else:
                result.tensors[public] = tensor
        if unknown:
            raise CheckpointError(f"tensors that this model does not have: {first_few(unknown)}")
        return result
