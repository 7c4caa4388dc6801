"""The vision model without a head, in TensorFlow; see `data2vec_core.vision.model`."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from data2vec_core.config import Data2VecVisionConfig
from data2vec_core.tensorflow.embeddings import VisionEmbeddings
from data2vec_core.tensorflow.encoder import VisionEncoder
from data2vec_core.tensorflow.layers import layer_norm
from data2vec_core.tensorflow.outputs import TFModelOutput
from data2vec_core.tensorflow.pretrained import TFVisionPretrainedModel, unpacked
from data2vec_core.vision.model import Data2VecVisionModel


class Pooler(keras.layers.Layer):
    """One vector an image: the normed mean of its patches, or its class token, which the exit norm has normed."""

    def __init__(self, config: Data2VecVisionConfig) -> None:
        super().__init__()
        self.layernorm = layer_norm(config.hidden_size, config.layer_norm_eps) if config.use_mean_pooling else None
        self.built = True

    def call(self, hidden: Any) -> Any:
        """(batch, 1 + patches, dim) -> (batch, dim)"""
        return hidden[:, 0] if self.layernorm is None else self.layernorm(tf.reduce_mean(hidden[:, 1:], axis=1))


@keras.saving.register_keras_serializable("data2vec_core")
class TFData2VecVisionModel(TFVisionPretrainedModel):
    """The encoder: patches in, one vector a patch and one for the class token out.

    Args:
        config: its configuration.
        add_pooling_layer: whether there is a `pooler_output`.
    """

    pytorch_class = Data2VecVisionModel

    def __init__(self, config: Data2VecVisionConfig, add_pooling_layer: bool = False, **keras_options: Any) -> None:
        super().__init__(config, **keras_options)
        self.embeddings = VisionEmbeddings(config)
        self.encoder = VisionEncoder(config)
        self.layernorm = None if config.use_mean_pooling else layer_norm(config.hidden_size, config.layer_norm_eps)
        self.pooler = Pooler(config) if add_pooling_layer else None
        self.built = True

    @staticmethod
    def build_options(model: Any) -> dict[str, Any]:
        return {"add_pooling_layer": model.pooler is not None}

    def call(
        self,
        pixel_values: Any,
        bool_masked_pos: Any = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        interpolate_pos_encoding: bool = False,  # noqa: ARG002
        return_dict: bool = True,
        training: bool | None = None,
    ) -> Any:
        """Encode images of any size of at least one patch.

        Args:
            pixel_values: (batch, channels, height, width), normalised; or a dictionary with it and `bool_masked_pos`.
            bool_masked_pos: (batch, patches), True where the mask token replaces a patch; row-major.
            output_attentions, output_hidden_states: put them into the result; by the configuration when None.
            interpolate_pos_encoding: accepted for callers of the reference, where it changes nothing either: positions
                always follow the image's grid.
            return_dict: False for a plain tuple.
            training: whether dropout and drop path act.

        Returns:
            `last_hidden_state` (batch, 1 + patches, dim), after the exit norm where there is one (`hidden_states` are
            before it); `pooler_output` (batch, dim) of a model with a pooler.

        Raises:
            ValueError: images or mask of a wrong shape, or a mask for a model without a mask token.
        """
        pixel_values, others = unpacked(pixel_values, bool_masked_pos=bool_masked_pos)
        states, attentions = self._flags(output_hidden_states, output_attentions)
        hidden, grid = self.embeddings(pixel_values, bool_masked_pos=others["bool_masked_pos"], training=training)
        record = self.encoder(hidden, grid=grid, keeps_attentions=attentions, training=training)
        hidden = record.states[-1] if self.layernorm is None else self.layernorm(record.states[-1])
        output = TFModelOutput.of(
            last_hidden_state=hidden,
            pooler_output=None if self.pooler is None else self.pooler(hidden),
            hidden_states=tuple(record.states) if states else None,
            attentions=None if record.attentions is None else tuple(record.attentions),
        )
        return self._finished(output, return_dict)
