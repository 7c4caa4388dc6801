"""TensorFlow for the tasks on pictures: a model that takes and gives PyTorch's tensors, in the place of its sister."""

from __future__ import annotations

from typing import Any, Self

import tensorflow as tf
import torch
from torch import Tensor

from data2vec_core.linear_choice import LinearKind
from data2vec_core.outputs import LogitsOutput
from data2vec_core.runtime_choice import Runtime
from data2vec_core.tensorflow.classification import TFData2VecVisionForImageClassification
from data2vec_core.tensorflow.pretrained import TFVisionPretrainedModel
from data2vec_core.tensorflow.segmentation import TFData2VecVisionForSemanticSegmentation
from data2vec_core.trace import TENSOR_NAMES, Trace
from data2vec_core.vision.model import VisionPretrainedModel

_CLASSES: tuple[type[TFVisionPretrainedModel], ...] = (
    TFData2VecVisionForImageClassification,
    TFData2VecVisionForSemanticSegmentation,
)


class TensorFlowRuntime:
    """Answers like the PyTorch model that it was made from, in eval mode; its graph takes pictures of any size.

    Has what the tasks ask of a model, no more.
    """

    runtime: Runtime = "tensorflow"
    device = torch.device("cpu")
    """Where it takes and leaves tensors."""
    dtype = torch.float32
    linear_kind: LinearKind = "plain"

    def __init__(self, model: VisionPretrainedModel) -> None:
        """
        Args:
            model: one with a head.
        """
        _take_the_threads_of_pytorch()
        sister = next(one for one in _CLASSES if one.pytorch_class is type(model))
        self.config = model.config
        self.key_table = model.key_table
        self.load_report = model.load_report
        self.nbytes = model.nbytes
        self._model = sister.from_pytorch(model)
        pixels = tf.TensorSpec((None, self.config.num_channels, None, None), tf.float32)
        self._graphs = {states: tf.function(self._called(states), input_signature=[pixels]) for states in (False, True)}

    def __call__(self, pixel_values: Tensor, *, trace: Trace | None = None) -> LogitsOutput:
        """Score classes.

        Args:
            pixel_values: (batch, channels, height, width).
            trace: may record hidden states.

        Raises:
            ValueError: the trace wants more than that, or to replace something.
        """
        blocks = self.config.num_hidden_layers
        if trace is not None:
            _require_states_only(trace, blocks)
        output = self._graphs[trace is not None](pixel_values.numpy())
        if trace is not None:
            for layer, values in enumerate(output.hidden_states):
                state = torch.from_numpy(values.numpy())
                if trace.visit("hidden", layer, state) is not state:
                    raise ValueError("in TensorFlow a trace can replace nothing")
        return LogitsOutput(logits=torch.from_numpy(output.logits.numpy()))

    def eval(self) -> Self:
        """It is in eval mode always."""
        return self

    def _called(self, states: bool) -> Any:
        return lambda pixels: self._model(pixels, output_hidden_states=states, output_attentions=False, training=False)


def _require_states_only(trace: Trace, blocks: int) -> None:
    trace.require_depth(blocks)
    trace.clear()
    wanted = [name for name in TENSOR_NAMES if any(trace.touches(name, layer) for layer in range(blocks + 1))]
    if set(wanted) - {"hidden"}:
        raise ValueError(f"in TensorFlow a trace records hidden states only, got one for {', '.join(wanted)}")


def _take_the_threads_of_pytorch() -> None:
    """Whoever limits one framework means both. Once TensorFlow has begun, it keeps what it has."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(torch.get_num_threads())
    except RuntimeError:
        return
