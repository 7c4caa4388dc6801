"""Names of the ways in which a model may hold the weights of its linear layers (`data2vec_core.fixed_linear`): here, so
that they can be had without PyTorch."""

from __future__ import annotations

from typing import Final, Literal, get_args

LinearKind = Literal["plain", "packed", "int8"]
LinearChoice = Literal["best", "plain", "packed", "int8"]
LINEAR_CHOICES: Final[tuple[LinearChoice, ...]] = get_args(LinearChoice)
