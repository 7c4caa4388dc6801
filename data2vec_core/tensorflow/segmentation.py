"""Semantic segmentation in TensorFlow: a class for every pixel; see `data2vec_core.vision.segmentation`."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from data2vec_core.config import Data2VecVisionConfig
from data2vec_core.tensorflow.losses import pixel_loss
from data2vec_core.tensorflow.model import TFData2VecVisionModel
from data2vec_core.tensorflow.outputs import TFModelOutput
from data2vec_core.tensorflow.pretrained import TFVisionPretrainedModel, unpacked
from data2vec_core.tensorflow.resizing import resize
from data2vec_core.tensorflow.segmentation_heads import FCNHead, FeaturePyramid, UPerHead
from data2vec_core.vision.segmentation import Data2VecVisionForSemanticSegmentation, segmentation_taps


@keras.saving.register_keras_serializable("data2vec_core")
class TFData2VecVisionForSemanticSegmentation(TFVisionPretrainedModel):
    """Four hidden states of the encoder, a feature pyramid, a UPerNet head, and an auxiliary head for training.

    Works on images of any size and aspect of at least one patch, whatever `image_size` the encoder was trained at.

    `fit` takes (pixel_values, labels). Without a loss of `compile` it learns by the model's own, the auxiliary head's
    included; a Keras loss or metric is given the logits at the labels' size, classes last.

    Raises:
        ValueError: `out_indices` has not four entries, or names states that the encoder has not.
    """

    pytorch_class = Data2VecVisionForSemanticSegmentation

    def __init__(self, config: Data2VecVisionConfig, **keras_options: Any) -> None:
        super().__init__(config, **keras_options)
        self._taps = tuple(segmentation_taps(config))
        self.backbone = TFData2VecVisionModel(config)
        self.pyramid = FeaturePyramid(config)
        self.decode_head = UPerHead(config)
        self.auxiliary_head = FCNHead(config) if config.use_auxiliary_head else None
        self.built = True

    def call(
        self,
        pixel_values: Any,
        labels: Any = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        interpolate_pos_encoding: bool = False,  # noqa: ARG002
        return_dict: bool = True,
        training: bool | None = None,
    ) -> Any:
        """Score the classes of every place.

        Args:
            pixel_values: (batch, channels, height, width), normalised, of any size of at least one patch; or a
                dictionary with it and `labels`.
            labels: (batch, label height, label width) class ids, `semantic_loss_ignore_index` where the loss shall not
                look; of any size, since logits are resized to it.
            output_attentions, output_hidden_states, interpolate_pos_encoding, return_dict, training: see
                `TFData2VecVisionModel`.

        Returns:
            `logits` (batch, classes, 4 rows, 4 columns) of the patch grid, and the `loss`.

        Raises:
            ValueError: images or labels of a wrong shape, or labels for a model of one class.
        """
        pixel_values, others = unpacked(pixel_values, labels=labels)
        labels = others["labels"]
        states, attentions = self._flags(output_hidden_states, output_attentions)
        hidden, (rows, columns) = self.backbone.embeddings(pixel_values, training=training)
        record = self.backbone.encoder(
            hidden,
            grid=(rows, columns),
            blocks=None if states or attentions else self._taps[-1],  # nobody looks at those after the last tap
            keeps_attentions=attentions,
            training=training,
        )
        shape = (-1, rows, columns, self.config.hidden_size)
        maps = [tf.reshape(record.states[tap][:, 1:], shape) for tap in self._taps]
        levels = self.pyramid(maps, training=training)
        scores = self.decode_head(levels, training=training)  # (batch, 4 rows, 4 columns, classes)
        output = TFModelOutput.of(
            loss=None if labels is None else self._loss(scores, levels[2], labels, training),
            logits=tf.transpose(scores, (0, 3, 1, 2)),
            hidden_states=tuple(record.states) if states else None,
            attentions=None if record.attentions is None else tuple(record.attentions),
        )
        return self._finished(output, return_dict)

    def compared(self, labels: Any, output: TFModelOutput) -> Any:
        """(batch, label height, label width, classes) logits."""
        return self._at_labels(tf.transpose(output.logits, (0, 2, 3, 1)), labels)

    def _loss(self, scores: Any, auxiliary_level: Any, labels: Any, training: bool | None) -> Any:
        """Mean cross-entropy over the labelled pixels, plus the auxiliary head's by `auxiliary_loss_weight`."""
        if self.config.class_count == 1:
            raise ValueError("labels: a loss needs at least two classes, num_labels is 1")
        if len(labels.shape) != 3 or not scores.shape[:1].is_compatible_with(labels.shape[:1]):
            raise ValueError(f"labels: expected ({scores.shape[0]}, height, width), got {tuple(labels.shape)}")
        loss = pixel_loss(self._at_labels(scores, labels), labels, self.config)
        if self.auxiliary_head is not None:
            auxiliary = self.auxiliary_head(auxiliary_level, training=training)
            loss += self.config.auxiliary_loss_weight * pixel_loss(
                self._at_labels(auxiliary, labels), labels, self.config
            )
        return loss

    @staticmethod
    def _at_labels(scores: Any, labels: Any) -> Any:
        _, height, width = keras.ops.shape(labels)
        return resize(scores, (height, width))
