"""Image classification in TensorFlow; see `data2vec_core.vision.classification`."""

from __future__ import annotations

from typing import Any

import keras

from data2vec_core.config import Data2VecVisionConfig
from data2vec_core.tensorflow.layers import linear
from data2vec_core.tensorflow.losses import classification_loss
from data2vec_core.tensorflow.model import TFData2VecVisionModel
from data2vec_core.tensorflow.outputs import TFModelOutput
from data2vec_core.tensorflow.pretrained import TFVisionPretrainedModel, unpacked
from data2vec_core.vision.classification import Data2VecVisionForImageClassification


@keras.saving.register_keras_serializable("data2vec_core")
class TFData2VecVisionForImageClassification(TFVisionPretrainedModel):
    """The encoder with its pooler and one linear layer; with `num_labels=0` the pooled vector itself.

    `fit` takes (pixel_values, labels), and compares logits with labels by the loss and metrics of `compile`, or by the
    model's own loss where `compile` has none.
    """

    pytorch_class = Data2VecVisionForImageClassification

    def __init__(self, config: Data2VecVisionConfig, **keras_options: Any) -> None:
        super().__init__(config, **keras_options)
        self.backbone = TFData2VecVisionModel(config, add_pooling_layer=True)
        self.classifier = (
            linear(config.hidden_size, config.class_count, spread=config.initializer_range)
            if config.class_count
            else None
        )
        self.built = True

    def call(
        self,
        pixel_values: Any,
        labels: Any = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        interpolate_pos_encoding: bool = False,
        return_dict: bool = True,
        training: bool | None = None,
    ) -> Any:
        """Score the classes of whole images.

        Args:
            pixel_values: (batch, channels, height, width), normalised, of any size of at least one patch; or a
                dictionary with it and `labels`.
            labels: what `losses.classification_loss` compares with; without them there is no `loss`.
            output_attentions, output_hidden_states, interpolate_pos_encoding, return_dict, training: see
                `TFData2VecVisionModel`.

        Returns:
            `logits` (batch, classes), and the `loss`.
        """
        pixel_values, others = unpacked(pixel_values, labels=labels)
        encoded = self.backbone(
            pixel_values,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            interpolate_pos_encoding=interpolate_pos_encoding,
            training=training,
        )
        logits = encoded.pooler_output if self.classifier is None else self.classifier(encoded.pooler_output)
        labels = others["labels"]
        output = TFModelOutput.of(
            loss=None if labels is None else classification_loss(logits, labels, self.config),
            logits=logits,
            hidden_states=encoded.hidden_states,
            attentions=encoded.attentions,
        )
        return self._finished(output, return_dict)

    def compared(self, labels: Any, output: TFModelOutput) -> Any:  # noqa: ARG002
        """(batch, classes) logits."""
        return output.logits
