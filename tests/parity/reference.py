"""Comparing our models with those of the transformers library, live, on the same random weights.

A test module that imports this one is skipped where transformers is not installed; `transformers` itself is imported
from here for the same reason.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import BufferingHandler
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor, nn

from data2vec_core.checkpoints.loading import CheckpointWarning, blank_weights, fit_tensors, to_public_name
from data2vec_core.config import Data2VecConfig
from data2vec_core.pretrained import PretrainedModel

transformers: Any = pytest.importorskip("transformers")

OurModel = TypeVar("OurModel", bound=PretrainedModel)

COMPONENT = 1e-5
"""Largest difference over largest reference value that one part of a model may show, in float32."""
END_TO_END = 1e-4
"""The same of a whole model's answer, its loss and its gradients."""

STATES = ("extract_features", "last_hidden_state", "hidden_states", "attentions", "cross_attentions")
"""Fields of a result that hold what the layers computed: each is held to the tolerance of a component."""


def reference_config(config: Data2VecConfig, **changes: Any) -> Any:
    """The reference's configuration with the same fields as ours."""
    return transformers.AutoConfig.for_model(**(config.to_dict() | changes))


def random_reference(reference_class: Any, config: Data2VecConfig, *, disturbance: float = 0.1, **changes: Any) -> Any:
    """A reference model in eval mode, with explicit attention and every weight random.

    A fresh model has biases of 0 and norm weights of 1, which would hide two of them swapped; so all are disturbed.
    At base width take 0.02: more saturates every softmax, and the gradients behind them are then mostly rounding.
    """
    model = reference_class._from_config(reference_config(config, **changes), attn_implementation="eager")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * disturbance)
    return model.eval()


def relative_difference(ours: Tensor, reference: Tensor) -> float:
    """Largest absolute difference over the largest absolute reference value (over 1 where that is 0)."""
    if not reference.numel():
        return 0.0
    scale = reference.abs().max().item() or 1.0
    return (ours - reference).abs().max().item() / scale


def assert_close_to_reference(ours: Any, reference: Any, tolerance: float = COMPONENT, name: str = "result") -> None:
    """Compare tensors, sequences of tensors, and whole results, which must have the same fields.

    Caches (`past_key_values`) are left out: they are compared by what they lead to.
    """
    if isinstance(reference, Tensor):
        assert isinstance(ours, Tensor), f"{name} is {type(ours).__name__}, expected a tensor"
        assert ours.shape == reference.shape, f"{name}: {tuple(ours.shape)} instead of {tuple(reference.shape)}"
        difference = relative_difference(ours, reference)
        assert difference <= tolerance, f"{name} differs by {difference:.1e} (at most {tolerance:.0e})"
    elif hasattr(reference, "keys"):
        keys = [key for key in reference.keys() if key != "past_key_values"]  # noqa: SIM118
        assert sorted(keys) == sorted(key for key in ours.keys() if key != "past_key_values"), name  # noqa: SIM118
        for key in keys:
            assert_close_to_reference(ours[key], reference[key], tolerance, f"{name}.{key}")
    else:
        assert len(ours) == len(reference), f"{name}: {len(ours)} entries instead of {len(reference)}"
        for index, (our_item, reference_item) in enumerate(zip(ours, reference, strict=True)):
            assert_close_to_reference(our_item, reference_item, tolerance, f"{name}[{index}]")


def assert_same_result(ours: Any, reference: Any) -> None:
    """Compare two whole results: every layer's states as a component's, scores and loss as a whole model's."""
    assert_close_to_reference(ours, reference, END_TO_END)
    for field in STATES:
        if field in reference.keys():  # noqa: SIM118
            assert_close_to_reference(ours[field], reference[field], COMPONENT, field)


def assert_same_gradients(
    ours: PretrainedModel,
    reference: nn.Module,
    tolerance: float = END_TO_END,
    invariant: tuple[str, ...] = ("key.bias", "k_proj.bias"),
) -> None:
    """Compare the gradients of all parameters after both losses' `backward`.

    A softmax does not change when all its scores move together, so the gradient of a key bias is 0 in exact
    arithmetic and rounding noise here. Those, and others that a caller knows to be `invariant` (ends of public names),
    are measured against the largest gradient of the model.
    """
    own = {to_public_name(ours, name): parameter for name, parameter in ours.named_parameters()}
    theirs = dict(reference.named_parameters())
    assert sorted(own) == sorted(theirs)
    largest = max(p.grad.abs().max().item() for p in theirs.values() if p.grad is not None)
    for name, parameter in theirs.items():
        gradient, our_gradient = parameter.grad, own[name].grad
        assert (gradient is None) == (our_gradient is None), f"only one side has a gradient of {name}"
        if gradient is None or our_gradient is None:
            continue
        if name.endswith(invariant):
            assert (our_gradient - gradient).abs().max().item() <= tolerance * largest, name
        else:
            assert_close_to_reference(our_gradient, gradient, tolerance, f"gradient of {name}")


def reload_in_ours(reference_model: Any, our_class: type[OurModel], tmp_path: Path, **overrides: Any) -> OurModel:
    """Our class with the reference's weights, by way of its files; loading must find nothing to remark on."""
    folder = tmp_path / "from-reference"
    reference_model.save_pretrained(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error", CheckpointWarning)
        return our_class.from_pretrained(folder, **overrides)


def reload_in_reference(our_model: PretrainedModel, reference_class: Any, tmp_path: Path, **overrides: Any) -> Any:
    """The reference's class with our weights, by way of our files; transformers must not warn of anything."""
    folder = tmp_path / "from-ours"
    our_model.save_pretrained(folder)
    return read_in_reference(folder, reference_class, **overrides)


def read_in_reference(folder: Path, reference_class: Any, **overrides: Any) -> Any:
    """The reference's class with the weights of a folder that fits it: transformers must not warn of anything."""
    with _transformers_log() as records:
        model, found = reference_class.from_pretrained(
            folder, attn_implementation="eager", output_loading_info=True, **overrides
        )
    assert [record.getMessage() for record in records] == []
    assert {key: names for key, names in found.items() if names} == {}
    return model.eval()


def on_the_same_tensors(reference_model: Any, our_class: type[OurModel], config: Data2VecConfig) -> OurModel:
    """Our class on the reference's own tensors, in its memory: at base size files would take longer than the passes."""
    with blank_weights():
        ours = our_class(config)
    report = fit_tensors(ours, reference_model.state_dict(), source="the reference")
    assert report.is_complete
    assert report.left_over == ()
    return ours.eval()


@contextmanager
def _transformers_log() -> Iterator[list[logging.LogRecord]]:
    """What transformers logs at warning level or above (its logger does not reach pytest's own capture)."""
    handler = BufferingHandler(capacity=1000)
    handler.setLevel(logging.WARNING)
    logger = logging.getLogger("transformers")
    logger.addHandler(handler)
    try:
        yield handler.buffer
    finally:
        logger.removeHandler(handler)
