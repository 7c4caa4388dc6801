"""Image classification."""

from __future__ import annotations

from torch import Tensor, nn

from data2vec_core.config import Data2VecVisionConfig
from data2vec_core.losses import classification_loss
from data2vec_core.outputs import LogitsOutput
from data2vec_core.trace import Trace
from data2vec_core.vision.model import Data2VecVisionModel, VisionPretrainedModel


class Data2VecVisionForImageClassification(VisionPretrainedModel):
    """The encoder with its pooler and one linear layer; with `num_labels=0` the pooled vector itself."""

    def __init__(self, config: Data2VecVisionConfig) -> None:
        super().__init__(config)
        self.backbone = Data2VecVisionModel(config, add_pooling_layer=True)
        self.classifier = nn.Linear(config.hidden_size, config.class_count) if config.class_count else nn.Identity()
        self.initialise()

    def forward(
        self,
        pixel_values: Tensor,
        labels: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        interpolate_pos_encoding: bool = False,
        *,
        trace: Trace | None = None,
    ) -> LogitsOutput:
        """Score the classes of whole images.

        Args:
            pixel_values: (batch, channels, height, width), normalised, of any size of at least one patch.
            labels: what `losses.classification_loss` compares with; without them `loss` is None.
            output_attentions, output_hidden_states, interpolate_pos_encoding, trace: see `Data2VecVisionModel`.

        Returns:
            `logits` (batch, classes), and the `loss`.
        """
        encoded = self.backbone(
            pixel_values,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            interpolate_pos_encoding=interpolate_pos_encoding,
            trace=trace,
        )
        logits = self.classifier(encoded.pooler_output)
        return LogitsOutput(
            loss=None if labels is None else classification_loss(logits, labels, self.config),
            logits=logits,
            **encoded.recorded,
        )
