"""When two answers of a task are the same.

Threads that run at once share the processor's cores, and on how many a matrix product is computed decides the order of
its sums: the last bits of a score may differ from those of a call that runs alone. Nothing else may.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass

import numpy as np
import pytest

ROUNDING = 1e-5
"""Largest difference of two scores that counts as none."""


def assert_same(found: object, expected: object) -> None:
    """Compare answers field by field: numbers up to rounding, everything else exactly."""
    assert type(found) is type(expected)
    if is_dataclass(found):
        for field in fields(found):
            assert_same(getattr(found, field.name), getattr(expected, field.name))
    elif isinstance(found, np.ndarray):
        np.testing.assert_allclose(found, np.asarray(expected), rtol=0, atol=ROUNDING)
    elif isinstance(found, Sequence) and not isinstance(found, str):
        assert isinstance(expected, Sequence)
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif isinstance(found, float):
        assert found == pytest.approx(expected, rel=0, abs=ROUNDING)
    else:
        assert found == expected
