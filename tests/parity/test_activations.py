"""Activations against the reference's, by the names of public configurations."""

from __future__ import annotations

import pytest
import torch

from data2vec_core.activations import ACTIVATIONS
from tests.parity.reference import assert_close_to_reference

reference = pytest.importorskip("transformers.activations")


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name: str) -> None:
    values = torch.linspace(-12, 12, 241)
    assert_close_to_reference(ACTIVATIONS[name](values), reference.ACT2FN[name](values))
