"""Where the small students begin."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from data2vec_core import Data2VecAudioModel, Data2VecTextModel, Data2VecVisionModel
from data2vec_core.pretraining.distributed import Shard
from data2vec_core.pretraining.model import Batch
from recipes.backbones.starts import (
    MEL_BANDS,
    Spectra,
    start_from_neighbours,
    start_from_places,
    start_from_spectra,
)
from tests.pretraining_samples import tiny_config


def _tones(index: int, shard: Shard = Shard()) -> Batch:  # noqa: B008, ARG001
    """Pure tones of 300 to 3,000 Hz, a quarter of a second."""
    random = np.random.default_rng(index)
    time = np.arange(4000) / 16_000
    waves = [np.sin(2 * np.pi * random.uniform(300, 3000) * time) for _ in range(6)]
    return {"input_values": torch.tensor(np.stack(waves), dtype=torch.float32)}


def test_spectra_keep_step_with_the_frames() -> None:
    student = Data2VecAudioModel(tiny_config("audio"))
    values = _tones(0)["input_values"]
    assert Spectra(student)(values).shape == (6, student.frames(values, None).projected.shape[1], MEL_BANDS)


def test_spectra_can_be_read_off_after_the_start_and_blocks_stay() -> None:
    torch.manual_seed(0)
    student = Data2VecAudioModel(tiny_config("audio"))
    blocks = {name: tensor.clone() for name, tensor in student.encoder.state_dict().items()}

    def error() -> float:
        """What the best linear map leaves unexplained on tones not heard, as a share."""
        values = torch.cat([_tones(index)["input_values"] for index in range(1000, 1010)])
        with torch.no_grad():
            features = student.frames(values, None).projected.flatten(0, 1).numpy()
        spectra = Spectra(student)(values).flatten(0, 1).numpy()
        inputs = np.concatenate([features, np.ones((len(features), 1))], axis=1)
        fitted = inputs @ np.linalg.lstsq(inputs, spectra)[0]
        return float(((spectra - fitted) ** 2).sum() / ((spectra - spectra.mean(axis=0)) ** 2).sum())

    before = error()
    start_from_spectra(student, _tones, steps=60, rate=3e-3)
    assert error() < 0.7 * before
    assert all(torch.equal(tensor, blocks[name]) for name, tensor in student.encoder.state_dict().items())
    assert all(parameter.grad is None for parameter in student.parameters())


def test_tokens_in_like_company_are_near_each_other_and_stay_so() -> None:
    random = np.random.default_rng(0)
    student = Data2VecTextModel(tiny_config("text"), add_pooling_layer=False)
    # Tokens 10 and 11 stand among 20 to 29, tokens 12 and 13 among 30 to 39.
    rows = []
    for _ in range(400):
        first = random.random() < 0.5
        company = random.integers(20, 30, 4) if first else random.integers(30, 40, 4)
        middle = random.integers(10, 12) if first else random.integers(12, 14)
        rows.append(np.array([0, *company[:2], middle, *company[2:], 2], dtype=np.int32))
    start_from_neighbours(student, rows, deviation=0.05)
    weight = student.embeddings.word_embeddings.weight
    alike = nn.functional.cosine_similarity(weight[10], weight[11], dim=0)
    apart = nn.functional.cosine_similarity(weight[10], weight[12], dim=0)
    assert alike > 0.7
    assert apart < 0.2
    assert weight[student.config.pad_token_id].abs().sum() == 0
    assert abs(weight.std().item() - 0.05) < 1e-3


def test_neighbouring_places_are_alike() -> None:
    config = tiny_config("vision", use_absolute_position_embeddings=True)
    student = start_from_places(Data2VecVisionModel(config), scale=0.1)
    table = student.embeddings.position_embeddings
    assert table is not None
    rows, columns = student.embeddings.grid_size
    assert table[0, 0].abs().sum() == 0  # the class token has no place
    places = table[0, 1:].detach().view(rows, columns, -1)
    assert places.abs().max() <= 0.1
    near = (places[0, 0] - places[0, 1]).norm()
    assert near < (places[0, 0] - places[rows - 1, columns - 1]).norm()
    distinct = torch.cdist(places.flatten(0, 1), places.flatten(0, 1)) + torch.eye(rows * columns)
    assert distinct.min() > 0.01
