"""Fixtures of every test."""

import os

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _own_uploads(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Apps under test keep uploads to themselves: another app of this machine deletes its own when it ends, and files
    of the same content have the same place."""
    os.environ["GRADIO_TEMP_DIR"] = str(tmp_path_factory.mktemp("data2vec-lab-"))


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Every test draws the same random numbers, whatever ran before it."""
    torch.manual_seed(0)
