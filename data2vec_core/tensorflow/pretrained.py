"""What the three TensorFlow classes have in common: checkpoints, and how Keras trains, saves and exports them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import keras
import tensorflow as tf

from data2vec_core.checkpoints.loading import LoadReport, blank_weights
from data2vec_core.config import Data2VecVisionConfig
from data2vec_core.tensorflow.outputs import TFModelOutput
from data2vec_core.tensorflow.weights import pytorch_tensors, take_weights
from data2vec_core.vision.model import VisionPretrainedModel


class TFVisionPretrainedModel(keras.Model):
    """Base of the three classes. A head class keeps its encoder in `backbone`.

    Checkpoints are read and written by the PyTorch class of the same architecture, whose rules (which tensors may be
    missing, what is warned of) therefore hold here as well.
    """

    pytorch_class: ClassVar[type[VisionPretrainedModel]]

    load_report: LoadReport | None = None
    """What loading found, initialised and left over; None for a model that was not loaded."""

    def __init__(self, config: Data2VecVisionConfig, **keras_options: Any) -> None:
        """
        Args:
            **keras_options: `name` and `trainable`, as of every `keras.Model`. The number format is that of Keras's
                global policy.
        """
        super().__init__(**keras_options)
        if not isinstance(config, Data2VecVisionConfig):
            raise TypeError(f"{type(self).__name__} needs a Data2VecVisionConfig, got {type(config).__name__}")
        self.config = config

    @staticmethod
    def build_options(model: Any) -> dict[str, Any]:  # noqa: ARG004
        """What a model of either framework was built with, beside its configuration, as arguments of both
        constructors."""
        return {}

    # Checkpoints

    @classmethod
    def from_pretrained(cls, folder_or_name: str | Path, **options: Any) -> Self:
        """Build a model from a checkpoint: a local folder, the name of a bundled model, or a hub id.

        The weights are held in float32. `load_report` says what happened to every tensor.

        Args:
            folder_or_name: looked up in that order.
            **options: `role`, `ignore_mismatched_sizes`, `revision`, `cache_dir`, `token`, `local_files_only`, and
                fields of the configuration to change, as `PretrainedModel.from_pretrained` takes them.

        Raises:
            CheckpointError: nothing there, no network, an unreadable file, or backbone tensors missing or mis-shaped.
            TypeError: an option that is neither of these nor a configuration field.
            ValueError: an override that breaks a rule.
        """
        return cls.from_pytorch(cls.pytorch_class.from_pretrained(folder_or_name, **options))

    @classmethod
    def from_pytorch(cls, model: VisionPretrainedModel) -> Self:
        """The sister of a PyTorch model, with a copy of its weights.

        Raises:
            TypeError: `model` is of another class.
            ValueError: its linear layers are packed, or held in eight bits.
        """
        if type(model) is not cls.pytorch_class:
            raise TypeError(f"{cls.__name__} takes a {cls.pytorch_class.__name__}, got {type(model).__name__}")
        if model.linear_kind != "plain":
            raise ValueError(f"the linear layers of the model are {model.linear_kind}; load it with linear='plain'")
        built = cls(model.config, **cls.build_options(model))
        take_weights(built, model.state_dict())
        built.load_report = model.load_report
        return built

    def to_pytorch(self) -> VisionPretrainedModel:
        """The PyTorch model of the same configuration, in eval mode, with a copy of the weights."""
        with blank_weights():
            model = self.pytorch_class(self.config, **self.build_options(self))
        model.load_state_dict(pytorch_tensors(self), assign=True)
        return model.eval()

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `config.json` and `model.safetensors` as the PyTorch class does, which reads them.

        Args:
            folder: made when it does not exist.
        """
        self.to_pytorch().save_pretrained(folder)

    # Keras

    def get_config(self) -> dict[str, Any]:
        """For `save`: what `from_config` builds the model from."""
        keras_options = {"name": self.name, "trainable": self.trainable}
        return {"config": self.config.to_dict(), **self.build_options(self), **keras_options}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> Self:  # noqa: ARG003
        """The way back from `get_config`."""
        return cls(**{**config, "config": Data2VecVisionConfig.from_dict(config["config"])})

    def export(self, filepath: str | Path, format: str = "tf_saved_model", **options: Any) -> None:  # noqa: A002
        """Write the model for serving, as `keras.Model.export` does; images may have any number and size, unless an
        `input_signature` says otherwise."""
        shape = (None, self.config.num_channels, None, None)
        options.setdefault("input_signature", [tf.TensorSpec(shape, tf.float32, name="pixel_values")])
        super().export(filepath, format=format, **options)

    def train_step(self, data: Any) -> dict[str, Any]:
        """For `fit`: one update."""
        return super().train_step(self._with_labels(data))

    def test_step(self, data: Any) -> dict[str, Any]:
        """For `evaluate`: one batch."""
        return super().test_step(self._with_labels(data))

    def _with_labels(self, data: Any) -> Any:
        """A batch whose labels are among the inputs too, where the loss to come is the model's own."""
        inputs, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        if self.loss is not None or labels is None:
            return data
        inputs = inputs if isinstance(inputs, Mapping) else {"pixel_values": inputs}
        return keras.utils.pack_x_y_sample_weight({**inputs, "labels": labels}, labels, weights)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """For `fit` and `evaluate`: the loss that `compile` was given (Keras keeps the one of an earlier `compile`), of
        what it compares (`compared`); without one, the model's own."""
        if self.loss is not None:
            return super().compute_loss(x, y, self.compared(y, y_pred), sample_weight, training)
        if sample_weight is not None:
            raise ValueError("sample_weight: the model's own loss takes none; give compile() a Keras loss")
        if y_pred.loss is None:
            raise ValueError("there is no loss without labels: fit the model to (pixel_values, labels)")
        return y_pred.loss + sum(self.losses)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """For `fit` and `evaluate`: the metrics that `compile` was given, of what they compare."""
        return super().compute_metrics(x, y, y_pred if y is None else self.compared(y, y_pred), sample_weight)

    def compared(self, labels: Any, output: TFModelOutput) -> Any:  # noqa: ARG002
        """What a Keras loss or metric compares with the labels: of a model without a head, the fields by name."""
        return dict(output)

    # Calls

    def _finished(self, output: TFModelOutput, return_dict: bool) -> Any:
        return output if return_dict else output.to_tuple()

    def _flags(self, output_hidden_states: bool | None, output_attentions: bool | None) -> tuple[bool, bool]:
        """Whether to return hidden states, and attentions: by the configuration where a call does not say."""
        states = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        attentions = self.config.output_attentions if output_attentions is None else output_attentions
        return states, attentions


def unpacked(inputs: Any, **arguments: Any) -> tuple[Any, dict[str, Any]]:
    """The pixels, and the arguments beside them, of a call whose first argument may be a dictionary of inputs.

    Raises:
        ValueError: the dictionary has no `pixel_values`, or something that the model does not take.
    """
    if not isinstance(inputs, Mapping):
        return inputs, arguments
    if "pixel_values" not in inputs or inputs.keys() - arguments.keys() - {"pixel_values"}:
        names = ", ".join(["pixel_values", *arguments])
        raise ValueError(f"inputs: expected pixel_values, and maybe others of {names}; got {sorted(inputs)}")
    return inputs["pixel_values"], {**arguments, **{name: inputs[name] for name in inputs if name in arguments}}
