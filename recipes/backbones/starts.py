"""Where the small students begin: not with noise, which on little data becomes the teacher's first lesson, but with
what can be computed of the input alone.

The first targets of data2vec are what a random network makes of the input. With hundreds of thousands of steps that
does not matter; the bundled encoders take a few thousand. So the layers that read the input get a head start, without
any label: sound by its spectrum, text by which words stand near each other, pictures by where a patch is.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from data2vec_core.audio.model import Data2VecAudioModel
from data2vec_core.pretraining.distributed import Shard
from data2vec_core.pretraining.loop import Batches
from data2vec_core.processing.samples import MODEL_RATE
from data2vec_core.text.model import Data2VecTextModel
from data2vec_core.vision.model import Data2VecVisionModel

MEL_BANDS = 80


def start_from_spectra(
    student: Data2VecAudioModel, batches: Batches, *, steps: int = 3000, rate: float = 3e-3
) -> Data2VecAudioModel:
    """Teach the convolutions and the projection to give vectors from which the log-mel spectrum of their frame can be
    read off by one linear map; the map is thrown away.

    Args:
        student: trained in place; its blocks stay as they are.
        batches: `input_values` of one length, as `Crops` gives.
        steps: of Adam.
        rate: learning rate at its peak.

    Returns:
        the student.
    """
    spectra = Spectra(student)
    sample = torch.cat([spectra(batches(index, Shard())["input_values"]).flatten(0, 1) for index in range(20)])
    mean, deviation = (
        sample.mean(dim=0),
        sample.std(dim=0).clamp(min=0.01),
    )  # (bands,); a short window leaves some empty

    readout = nn.Linear(student.config.hidden_size, MEL_BANDS)
    read = [*student.feature_extractor.parameters(), *student.feature_projection.parameters(), *readout.parameters()]
    optimiser = torch.optim.Adam(read, lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.05)
    for index in range(steps):
        values = batches(index, Shard())["input_values"]
        loss = F.mse_loss(readout(student.frames(values, None).projected), (spectra(values) - mean) / deviation)
        loss.backward()
        nn.utils.clip_grad_norm_(read, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        schedule.step()
    student.zero_grad(set_to_none=True)
    return student


class Spectra:
    """Log-mel spectra in step with the student's frames: (batch, samples) -> (batch, frames, bands)."""

    def __init__(self, student: Data2VecAudioModel) -> None:
        import librosa

        self._window, self._hop = student.config.receptive_field, student.config.inputs_to_logits_ratio
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a short window leaves some bands without a frequency; they stay empty
            filters = librosa.filters.mel(sr=MODEL_RATE, n_fft=self._window, n_mels=MEL_BANDS)
        self._filters = torch.from_numpy(filters)  # (bands, window // 2 + 1)

    def __call__(self, values: Tensor) -> Tensor:
        window = torch.hann_window(self._window)
        spectrum = torch.stft(values, self._window, self._hop, window=window, center=False, return_complex=True)
        return (self._filters @ spectrum.abs().square() + 1e-3).log().transpose(1, 2)


@torch.no_grad()
def start_from_neighbours(
    student: Data2VecTextModel,
    rows: Sequence[NDArray[np.int32]],
    *,
    reach: int = 5,
    deviation: float = 0.06,
    faint: float = 0.01,
) -> Data2VecTextModel:
    """Give tokens that stand in like company like embeddings, and positions faint ones.

    The embeddings of tokens are the first singular vectors of the matrix of positive pointwise mutual information
    (Levy, Goldberg and Dagan, TACL 2015: contexts smoothed by 0.75, singular values by their root, nearer neighbours
    counting more). A position is the easiest thing to predict, and what is predicted grows in the teacher: with
    positions that learn, and whole blocks as targets, three quarters of the targets' variance was the position's after
    1,500 steps.

    Args:
        student: changed in place.
        rows: (tokens,) each, of training text.
        reach: tokens to either side that count as neighbours.
        deviation: standard deviation of the embeddings of tokens.
        faint: that of positions.

    Returns:
        the student.
    """
    from scipy.sparse import coo_matrix
    from sklearn.utils.extmath import randomized_svd

    table = student.embeddings.word_embeddings
    tokens, dim = table.weight.shape
    counts = coo_matrix((tokens, tokens), dtype=np.float64).tocsr()
    for distance in range(1, reach + 1):
        pairs = [(row[:-distance], row[distance:]) for row in rows if len(row) > distance]
        if not pairs:
            break
        left, right = (np.concatenate(side) for side in zip(*pairs, strict=True))
        one_way = coo_matrix((np.full(len(left), 1 / distance), (left, right)), shape=(tokens, tokens)).tocsr()
        counts = counts + one_way + one_way.T
    of_token = np.asarray(counts.sum(axis=1)).ravel()
    of_context = of_token**0.75 / (of_token**0.75).sum()
    counts = counts.tocoo()
    information = np.log(counts.data / (of_token[counts.row] * of_context[counts.col]))
    positive = coo_matrix((information.clip(min=0), (counts.row, counts.col)), shape=counts.shape).tocsr()
    left_vectors, values, _ = randomized_svd(positive, dim, random_state=0)
    embeddings = torch.from_numpy(left_vectors * np.sqrt(values)).float()
    table.weight.copy_(embeddings * (deviation / embeddings.std()))
    if table.padding_idx is not None:
        table.weight[table.padding_idx] = 0
    places = student.embeddings.position_embeddings.weight
    places.mul_(faint / places.std())
    return student


@torch.no_grad()
def start_from_places(student: Data2VecVisionModel, *, scale: float = 0.1) -> Data2VecVisionModel:
    """Fill the position table with sines and cosines of row and column (data2vec 2.0 keeps such a table for good;
    data2vec.md 5.6), so that the first targets already tell places apart.

    Args:
        student: changed in place.
        scale: largest number in the table.

    Returns:
        the student.
    """
    table = student.embeddings.position_embeddings
    assert table is not None
    rows, columns = student.embeddings.grid_size
    quarter = student.config.hidden_size // 4
    frequencies = 100.0 ** (-torch.arange(quarter) / quarter)

    def waves(count: int) -> Tensor:
        angles = torch.arange(count)[:, None] * frequencies  # (count, quarter)
        return torch.cat([angles.sin(), angles.cos()], dim=1)

    of_row = waves(rows)[:, None].expand(rows, columns, -1)
    of_column = waves(columns)[None].expand(rows, columns, -1)
    table[0, 1:] = scale * torch.cat([of_row, of_column], dim=-1).flatten(0, 1)
    return student
