"""What tasks are learnt from: a content and what is to be said of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

Content = TypeVar("Content")
Target = TypeVar("Target")


@dataclass(frozen=True)
class Example(Generic[Content, Target]):
    """One item with its answer."""

    content: Content
    """A sound (samples at 16 kHz), a text, a picture, or what a kind of task makes of them."""
    target: Target
    """A label, a transcript, a label map, ...; see the kind of task."""


def few_of(
    examples: Sequence[Example[Content, Target]],
    share: float,
    *,
    seed: int = 0,
    stratum: Callable[[Example[Content, Target]], Hashable] = lambda example: 0,  # noqa: ARG005
) -> list[Example[Content, Target]]:
    """A random share of the examples, in their order, and as large a share of every stratum (at least one each).

    Args:
        share: 0 to 1.
        stratum: what has to be represented, such as the label; none by default.
    """
    strata: dict[Hashable, list[int]] = defaultdict(list)
    for index, example in enumerate(examples):
        strata[stratum(example)].append(index)
    random = np.random.default_rng(seed)
    chosen: list[int] = []
    for indices in strata.values():
        count = max(1, round(share * len(indices)))
        chosen += random.permutation(indices)[:count].tolist()
    return [examples[index] for index in sorted(chosen)]
