"""Tests of the TensorFlow classes: collected where TensorFlow is installed. `make test-tensorflow` runs nothing
else, and so fails where there is nothing to collect."""

from __future__ import annotations

import os

import pytest

from data2vec_core.runtime_choice import has_tensorflow

if not has_tensorflow():
    collect_ignore_glob = ["test_*.py"]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow would greet every run with pages of its own


@pytest.fixture(autouse=True)
def _seed_keras(_seed: None) -> None:
    """Every test draws the same random numbers in TensorFlow, too."""
    import keras

    keras.utils.set_random_seed(0)
