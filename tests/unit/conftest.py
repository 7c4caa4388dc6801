"""What several unit tests share."""

from __future__ import annotations

import pytest

from tests.labelled_data import save_encoder


@pytest.fixture(scope="session")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A tiny checkpoint of each modality."""
    root = tmp_path_factory.mktemp("encoders")
    return {modality: save_encoder(modality, root / modality) for modality in ("audio", "text", "vision")}
