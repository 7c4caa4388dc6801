"""A PyTorch model and its TensorFlow sister with the same random weights, and their results side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import data2vec_core
from data2vec_core import tensorflow as data2vec_tensorflow
from data2vec_core.presets import PRESETS

TINY: Any = PRESETS["vision-tiny"].replace(num_labels=5)
COMPONENT = 1e-5
"""Largest difference over largest PyTorch value that one part of a model may show, in float32."""
END_TO_END = 1e-4
"""The same of a whole model's answer, its loss and its gradients."""
STATES = ("last_hidden_state", "hidden_states", "attentions")
TASKS = ("Model", "ForImageClassification", "ForSemanticSegmentation")


def randomise(model: torch.nn.Module) -> None:
    """Disturb every weight and running statistic: fresh biases of 0 and norms of 1 would hide two of them swapped."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
        for name, buffer in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.uniform_(0.5, 1.5)


def pytorch_model(task: str, config: Any, **options: Any) -> Any:
    """A random model in eval mode."""
    model = getattr(data2vec_core, f"Data2VecVision{task}")(config, **options).eval()
    randomise(model)
    return model


def sisters(task: str, config: Any, **options: Any) -> tuple[Any, Any]:
    """The TensorFlow model, and the PyTorch one whose weights it has."""
    model = pytorch_model(task, config, **options)
    return getattr(data2vec_tensorflow, f"TFData2VecVision{task}").from_pytorch(model), model


def array(values: Any) -> NDArray[Any]:
    """A tensor of either framework."""
    return values.detach().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def assert_close(ours: Any, expected: Any, tolerance: float, name: str = "result") -> None:
    """Compare tensors of either framework, and tuples of them."""
    if isinstance(expected, tuple):
        assert len(ours) == len(expected), name
        for index, pair in enumerate(zip(ours, expected, strict=True)):
            assert_close(*pair, tolerance, f"{name}[{index}]")
        return
    ours, expected = array(ours), array(expected)
    assert ours.shape == expected.shape, f"{name}: {ours.shape} instead of {expected.shape}"
    scale = np.abs(expected).max() if expected.size else 0.0
    difference = np.abs(ours - expected).max() if expected.size else 0.0
    assert difference <= tolerance * (scale or 1.0), f"{name} differs by {difference / (scale or 1.0):.1e}"


def assert_same_result(ours: Mapping[str, Any], expected: Any) -> None:
    """Compare whole results: every layer's states as a component's, scores and loss as a whole model's."""
    assert sorted(ours) == sorted(expected.keys())
    for name in ours:
        assert_close(ours[name], expected[name], COMPONENT if name in STATES else END_TO_END, name)
