"""Speaker embeddings: time-delay layers, statistics pooling, additive-margin softmax (data2vec.md 2.1, ForXVector).

X-vectors: Snyder et al., ICASSP 2018. AM-softmax: Wang et al., arXiv 1801.05599.
"""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from data2vec_core.audio.heads import LayerMixingModel
from data2vec_core.audio.lengths import Length, convolved_length, frame_count
from data2vec_core.audio.model import AudioInputs
from data2vec_core.config import Data2VecAudioConfig
from data2vec_core.losses import require_class_ids
from data2vec_core.outputs import XVectorOutput

AM_SOFTMAX_SCALE = 30.0
AM_SOFTMAX_MARGIN = 0.4


class TimeDelayLayer(nn.Module):
    """A dilated convolution over time, then a ReLU; its weights are stored as a linear layer's, (out, kernel * in)."""

    def __init__(self, in_dim: int, dim: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.in_dim = in_dim
        self.kernel_size = kernel
        self.dilation = dilation
        self.kernel = nn.Linear(in_dim * kernel, dim)

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, frames, in) -> (batch, fewer frames, out)"""
        weight = self.kernel.weight.unflatten(1, (self.kernel_size, self.in_dim)).transpose(1, 2)  # (out, in, kernel)
        convolved = F.conv1d(hidden.transpose(1, 2), weight, self.kernel.bias, dilation=self.dilation)
        return F.relu(convolved).transpose(1, 2)


class AMSoftmaxLoss(nn.Module):
    """Softmax over scaled cosines, the right one lowered by a margin."""

    def __init__(self, dim: int, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(dim, classes))

    def forward(self, hidden: Tensor, labels: Tensor) -> Tensor:
        """(batch, dim) vectors and (batch,) class ids -> the mean loss"""
        labels = labels.flatten().long()
        require_class_ids(labels, self.weight.shape[1], ignored=None)
        cosines = F.normalize(hidden, dim=1) @ F.normalize(self.weight, dim=0)  # (batch, classes)
        margins = AM_SOFTMAX_MARGIN * F.one_hot(labels, cosines.shape[1])
        return F.cross_entropy(AM_SOFTMAX_SCALE * (cosines - margins), labels)


class Data2VecAudioForXVector(LayerMixingModel):
    """One vector for a whole clip that tells its speaker."""

    def __init__(self, config: Data2VecAudioConfig) -> None:
        super().__init__(config)
        self.projector = nn.Linear(config.hidden_size, config.tdnn_dim[0])
        dims = (config.tdnn_dim[0], *config.tdnn_dim)
        self.tdnn = nn.ModuleList(
            TimeDelayLayer(before, after, kernel, dilation)
            for before, after, kernel, dilation in zip(
                dims[:-1], dims[1:], config.tdnn_kernel, config.tdnn_dilation, strict=True
            )
        )
        self.feature_extractor = nn.Linear(2 * config.tdnn_dim[-1], config.xvector_output_dim)
        self.classifier = nn.Linear(config.xvector_output_dim, config.xvector_output_dim)
        self.objective = AMSoftmaxLoss(config.xvector_output_dim, config.class_count)
        self.initialise()

    def initialise_module(self, module: nn.Module) -> None:
        super().initialise_module(module)
        if isinstance(module, AMSoftmaxLoss):
            nn.init.normal_(module.weight)

    def forward(
        self,
        input_values: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        **inputs: Unpack[AudioInputs],
    ) -> XVectorOutput:
        """Embed every clip.

        Args:
            input_values: (batch, samples), as `Data2VecAudioModel` takes them.
            attention_mask: (batch, samples), 1 where real.
            labels: (batch,) speaker ids.

        Returns:
            `embeddings` and `logits` (batch, x-vector dim) each, and the `loss`.

        Raises:
            ValueError: the clips leave no frame after the time-delay layers, or a label names no speaker.
        """
        hidden, recorded = self.encode(input_values, attention_mask, inputs)
        hidden = self.projector(hidden)
        if self._frames_left(hidden.shape[1], exact=True) < 1:
            raise ValueError(f"{hidden.shape[1]} frames are too few for the time-delay layers of this model")
        for layer in self.tdnn:
            hidden = layer(hidden)
        frames = None
        if attention_mask is not None:
            encoded = frame_count(attention_mask.long().sum(dim=-1), self.config)
            frames = self._frames_left(encoded, exact=self.config.fix_tdnn_lengths)
        embeddings = self.feature_extractor(_statistics(hidden, frames))
        logits = self.classifier(embeddings)
        loss = None if labels is None else self.objective(logits, labels)
        return XVectorOutput(loss=loss, logits=logits, embeddings=embeddings, **recorded)

    def _frames_left(self, frames: Length, *, exact: bool) -> Length:
        """Frames after the time-delay layers; not exact: without their dilation, as the reference counts."""
        config = self.config
        dilations = config.tdnn_dilation if exact else None
        return convolved_length(frames, config.tdnn_kernel, [1] * len(config.tdnn_kernel), dilations=dilations)


def _statistics(hidden: Tensor, frames: Tensor | None) -> Tensor:
    """Mean and standard deviation over the first frames of each item: (batch, frames, dim) -> (batch, 2 * dim).

    The deviation of a single frame is 0, and an item without any real frame counts its first (the reference gives NaN).
    """
    if frames is None:
        correction = min(1, hidden.shape[1] - 1)
        return torch.cat([hidden.mean(dim=1), hidden.std(dim=1, correction=correction)], dim=-1)
    counts = frames.clamp(min=1).tolist()
    return torch.cat([_statistics(item[None, :count], None) for item, count in zip(hidden, counts, strict=True)])
