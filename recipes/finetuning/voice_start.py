"""Where vectors of voices begin: with what is computed of spectra, which tell voices apart before anything is learnt.

Speaker verification is the one task here for which pre-training is of little use: its targets are what is said, not who
says it, and a linear discriminant analysis of the mean spectrum does better than any layer. So the head begins as just
that analysis, and the loss goes on from there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from data2vec_core import Data2VecAudioForXVector
from recipes.backbones.starts import MEL_BANDS, Spectra

CHANNELS = 2 * MEL_BANDS
"""Of the last time-delay layer: how far a band is above its mean, and how far below."""


def start_from_spectra(
    model: Data2VecAudioForXVector, crops: Callable[[int], Tensor], *, steps: int = 600, rate: float = 2e-3
) -> None:
    """Teach the time-delay layers to give the log-mel spectrum of their frame, split at each band's mean since what
    they give is never negative.

    Args:
        model: trained in place, up to its pooling; its last time-delay layer has `CHANNELS` channels.
        crops: (batch, samples) of one length, by step.
        steps: of Adam.
        rate: at its peak.
    """
    spectra = Spectra(model.backbone)
    sample = torch.cat([spectra(crops(step)).flatten(0, 1) for step in range(10)])
    mean, deviation = sample.mean(dim=0), sample.std(dim=0).clamp(min=0.01)  # (bands,)
    learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(learnt, lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.1)
    model.eval()  # without masks and dropout: what is to be learnt is exact
    for step in range(steps):
        values = crops(step)
        bands = (spectra(values) - mean) / deviation
        with torch.autocast("cpu", torch.bfloat16):
            given = frames(model, values).float()  # (batch, fewer frames, CHANNELS)
        edge = (bands.shape[1] - given.shape[1]) // 2
        bands = bands[:, edge : edge + given.shape[1]]
        loss = F.mse_loss(given, torch.cat([bands.relu(), (-bands).relu()], dim=-1))
        loss.backward()
        nn.utils.clip_grad_norm_(learnt, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        schedule.step()


def frames(model: Data2VecAudioForXVector, values: Tensor) -> Tensor:
    """What the pooling of a model is given: (batch, samples) -> (batch, frames, channels)."""
    hidden, _ = model.encode(values, None, {})
    hidden = model.projector(hidden)
    for layer in model.tdnn:
        hidden = layer(hidden)
    return hidden


@torch.no_grad()
def start_from_discriminants(
    model: Data2VecAudioForXVector,
    clips: Sequence[Tensor],
    speakers: Sequence[int],
    corpora: Sequence[Hashable],
    *,
    shrinkage: float = 0.1,
) -> None:
    """Make the vectors those of a linear discriminant analysis of the pooled statistics, and each speaker's prototype
    their mean vector.

    Args:
        model: changed in place.
        clips: (1, samples) each.
        speakers: class id of each clip.
        corpora: of each clip; speakers are compared with the mean of their corpus, lest its microphones be what tells
            them apart.
    """
    model.eval()
    pooled = []
    for clip in clips:
        with torch.autocast("cpu", torch.bfloat16):
            hidden = frames(model, clip)[0].float()
        pooled.append(torch.cat([hidden.mean(dim=0), hidden.std(dim=0)]))
    statistics = torch.stack(pooled).double().numpy()
    ids = np.array(speakers)
    weight = discriminants(
        statistics, ids, corpora, dim=model.config.xvector_output_dim, shrinkage=shrinkage
    )  # (dim, 2 * channels)
    mean = statistics.mean(axis=0)
    vectors = (statistics - mean) @ weight.T
    model.feature_extractor.weight.copy_(torch.from_numpy(weight))
    model.feature_extractor.bias.copy_(torch.from_numpy(-weight @ mean))
    for speaker in np.unique(ids):
        prototype = torch.from_numpy(vectors[ids == speaker].mean(axis=0)).float()
        model.objective.weight[:, speaker] = 0.5 * F.normalize(prototype, dim=0)
    model.train()


def discriminants(
    statistics: NDArray[np.float64],
    speakers: NDArray[np.int64],
    corpora: Sequence[Hashable],
    *,
    dim: int,
    shrinkage: float,
) -> NDArray[np.float64]:
    """Directions in which speakers differ most for how much each varies (Fisher).

    Args:
        statistics: (clips, features).
        speakers: (clips,) ids.
        corpora: of each clip.
        dim: how many directions.
        shrinkage: share of the diagonal in the covariance within speakers, 0 to 1.

    Returns:
        (dim, features), best first, of variance 1 within speakers.
    """
    from scipy.linalg import eigh

    deviation = statistics.std(axis=0) + 1e-8
    scaled = statistics / deviation
    clips_of: dict[Any, list[int]] = defaultdict(list)
    for index, corpus in enumerate(corpora):
        clips_of[corpus].append(index)
    within = np.zeros((scaled.shape[1],) * 2)
    between = np.zeros_like(within)
    for indices in clips_of.values():
        part, ids = scaled[indices], speakers[indices]
        means = {speaker: part[ids == speaker].mean(axis=0) for speaker in np.unique(ids)}
        apart = np.stack(list(means.values())) - np.mean(list(means.values()), axis=0)
        left = part - np.stack([means[speaker] for speaker in ids])
        within += left.T @ left / max(1, len(left) - len(means))
        between += apart.T @ apart / len(means)
    within /= len(clips_of)
    within = (1 - shrinkage) * within + shrinkage * np.diag(np.diag(within) + 1e-6)
    _, directions = eigh(between, within)  # ascending
    best: NDArray[np.float64] = directions[:, : -dim - 1 : -1].T / deviation
    return best
