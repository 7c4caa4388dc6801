"""Semantic segmentation: a class for every pixel."""

from __future__ import annotations

from itertools import islice

from torch import Tensor
from torch.nn import functional as F

from data2vec_core.config import Data2VecVisionConfig
from data2vec_core.losses import require_class_ids
from data2vec_core.outputs import LogitsOutput
from data2vec_core.trace import Trace
from data2vec_core.vision.model import Data2VecVisionModel, VisionPretrainedModel
from data2vec_core.vision.segmentation_heads import FCNHead, FeaturePyramid, UPerHead, resize


class Data2VecVisionForSemanticSegmentation(VisionPretrainedModel):
    """Four hidden states of the encoder, a feature pyramid, a UPerNet head, and an auxiliary head for training.

    Works on images of any size and aspect of at least one patch, whatever `image_size` the encoder was trained at.

    Raises:
        ValueError: `out_indices` has not four entries, or names states that the encoder has not.
    """

    def __init__(self, config: Data2VecVisionConfig) -> None:
        super().__init__(config)
        self.taps = segmentation_taps(config)
        self.backbone = Data2VecVisionModel(config)
        self.pyramid = FeaturePyramid(config.hidden_size)
        self.decode_head = UPerHead(config)
        self.auxiliary_head = FCNHead(config) if config.use_auxiliary_head else None
        self.initialise()

    def forward(
        self,
        pixel_values: Tensor,
        labels: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        interpolate_pos_encoding: bool = False,  # noqa: ARG002
        *,
        trace: Trace | None = None,
    ) -> LogitsOutput:
        """Score the classes of every place.

        Args:
            pixel_values: (batch, channels, height, width), normalised, of any size of at least one patch.
            labels: (batch, label height, label width) class ids, `semantic_loss_ignore_index` where the loss shall not
                look; of any size, since logits are resized to it.
            output_attentions, output_hidden_states, interpolate_pos_encoding, trace: see `Data2VecVisionModel`.

        Returns:
            `logits` (batch, classes, 4 rows, 4 columns) of the patch grid, and the `loss`.

        Raises:
            ValueError: images or labels of a wrong shape, or labels for a model of one class.
        """
        trace = self._trace_for(trace, output_hidden_states, output_attentions)
        hidden, grid = self.backbone.embeddings(pixel_values)
        states = self.backbone.encoder.states(hidden, grid=grid, trace=trace)
        if trace is None:  # nobody looks at the blocks after the last tap
            states = islice(states, self.taps[-1] + 1)
        tapped = [state for index, state in enumerate(states) if index in self.taps]
        maps = [state[:, 1:].transpose(1, 2).unflatten(2, grid) for state in tapped]  # (batch, dim, rows, columns)
        levels = self.pyramid(maps)
        logits = self.decode_head(levels)
        return LogitsOutput(
            loss=None if labels is None else self.loss(logits, levels[2], labels),
            logits=logits,
            **self._recorded(trace, output_hidden_states, output_attentions),
        )

    def loss(self, logits: Tensor, auxiliary_level: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy over the labelled pixels, plus the auxiliary head's by `auxiliary_loss_weight`.

        Args:
            logits: (batch, classes, rows, columns), of the decode head.
            auxiliary_level: (batch, dim, rows, columns), what the auxiliary head reads.
            labels: (batch, label height, label width) class ids.
        """
        if self.config.class_count == 1:
            raise ValueError("labels: a loss needs at least two classes, num_labels is 1")
        if labels.dim() != 3 or len(labels) != len(logits):
            raise ValueError(f"labels: expected ({len(logits)}, height, width), got {tuple(labels.shape)}")
        require_class_ids(labels, self.config.class_count, ignored=self.config.semantic_loss_ignore_index)
        loss = self._cross_entropy(logits, labels)
        if self.auxiliary_head is not None:
            auxiliary = self._cross_entropy(self.auxiliary_head(auxiliary_level), labels)
            loss = loss + self.config.auxiliary_loss_weight * auxiliary
        return loss

    def _cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        at_labels = resize(logits, labels.shape[1:])
        return F.cross_entropy(at_labels, labels.long(), ignore_index=self.config.semantic_loss_ignore_index)


def segmentation_taps(config: Data2VecVisionConfig) -> list[int]:
    """Which hidden states (0 is the first block's input) the pyramid reads, from early to late.

    Three are enough, as in the reference: an index that names no state is passed over, and the last map then serves
    both as the level of the grid's size and as the coarsest.

    Raises:
        ValueError: `out_indices` has not four entries, or fewer than three of them name a state.
    """
    if len(config.out_indices) != 4:
        raise ValueError(f"out_indices: segmentation needs four entries, got {config.out_indices}")
    shift = 1 if config.segmentation_taps == "beit" else -1
    states = range(config.num_hidden_layers + 1)
    taps = sorted({index + shift for index in config.out_indices} & set(states))
    if len(taps) < 3:
        raise ValueError(
            f"out_indices={config.out_indices} name only {len(taps)} of the hidden states 0 to {states[-1]} "
            f"(index k is state k {'+' if shift > 0 else '-'} 1); segmentation reads at least three"
        )
    return taps
