"""`Trace`: what it asks for, keeps, reduces and replaces."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from data2vec_core import Trace
from data2vec_core.trace import TENSOR_NAMES


def visit_all(trace: Trace, layers: int = 3) -> dict[int, Tensor]:
    """Show a trace the hidden state of every layer; returns what it gave back."""
    return {layer: trace.visit("hidden", layer, torch.full((2, 4), float(layer))) for layer in range(layers + 1)}


def recorded(trace: Trace) -> list[tuple[str, int]]:
    """Everything a trace holds."""
    return [(name, layer) for name in TENSOR_NAMES for layer in trace.layers(name)]


def test_an_empty_trace_touches_and_keeps_nothing() -> None:
    trace = Trace()
    visit_all(trace)
    assert not trace.touches("hidden", 0)
    assert recorded(trace) == []
    assert trace.all("hidden") == ()


def test_names_alone_mean_every_layer() -> None:
    trace = Trace(["hidden"])
    visit_all(trace)
    assert trace.layers("hidden") == [0, 1, 2, 3]
    assert trace.stack("hidden")[:, 0, 0].tolist() == [0, 1, 2, 3]
    assert ("hidden", 3) in trace
    assert ("attention", 1) not in trace


def test_only_the_chosen_layers() -> None:
    trace = Trace({"hidden": [3, 1], "attention": None})
    visit_all(trace)
    assert trace.layers("hidden") == [1, 3]
    assert trace.touches("hidden", 1)
    assert not trace.touches("hidden", 2)
    assert trace.touches("attention", 17)
    with pytest.raises(KeyError, match="hidden of layer 2 was not recorded"):
        trace["hidden", 2]


def test_a_reduction_is_stored_instead_and_the_pass_goes_on_with_the_whole() -> None:
    trace = Trace(["hidden"], reduce={"hidden": lambda tensor: tensor.sum()})
    given = visit_all(trace)
    assert trace["hidden", 2].item() == 16.0
    assert given[2].shape == (2, 4)


def test_a_replacement_goes_on_and_is_what_is_recorded() -> None:
    trace = Trace(["hidden"], replace={("hidden", 1): torch.zeros_like})
    given = visit_all(trace)
    assert not given[1].any()
    assert torch.equal(trace["hidden", 1], given[1])
    assert given[2].eq(2).all()


def test_a_replacement_alone_records_nothing() -> None:
    trace = Trace(replace={("hidden", 1): torch.zeros_like})
    assert trace.touches("hidden", 1)
    visit_all(trace)
    assert recorded(trace) == []


def test_a_replacement_of_another_shape_is_refused() -> None:
    trace = Trace(replace={("hidden", 1): lambda tensor: tensor[:1]})
    with pytest.raises(ValueError, match=r"replacement of hidden in layer 1 has shape \(1, 4\).*needs \(2, 4\)"):
        visit_all(trace)


@pytest.mark.parametrize(
    "request_",
    [{"tensors": ["hiden"]}, {"reduce": {"hiden": torch.sum}}, {"replace": {("hiden", 1): torch.zeros_like}}],
)
def test_unknown_names_are_refused(request_: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="unknown tensor 'hiden'; a trace records hidden, attention"):
        Trace(**request_)


@pytest.mark.parametrize("request_", [{"tensors": {"hidden": [-1]}}, {"replace": {("hidden", -1): torch.zeros_like}}])
def test_negative_layers_are_refused(request_: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="none may be negative"):
        Trace(**request_)


def test_a_reduction_of_what_is_not_recorded_is_refused() -> None:
    with pytest.raises(ValueError, match="reduce has a function for attention, which the trace does not record"):
        Trace(["hidden"], reduce={"attention": torch.sum})


def test_the_depth_of_the_model_is_checked() -> None:
    Trace({"hidden": [0, 3], "attention": None}).require_depth(3)
    for trace in (Trace({"hidden": [1, 4]}), Trace(replace={("hidden", 4): torch.zeros_like})):
        with pytest.raises(ValueError, match="the trace names layer 4, the model has 3 layers"):
            trace.require_depth(3)


def test_looking_into_a_block_is_more_than_its_output() -> None:
    assert not Trace(["hidden"], replace={("hidden", 1): torch.zeros_like}).looks_into(1)
    assert Trace({"values": [1]}).looks_into(1)
    assert not Trace({"values": [1]}).looks_into(2)
    assert Trace(replace={("feed_forward", 2): torch.zeros_like}).looks_into(2)


def test_an_extension_records_more_and_leaves_the_request_as_it_was() -> None:
    trace = Trace({"hidden": [1]})
    extended = trace.also("hidden", "attention")
    assert extended.touches("attention", 1)
    visit_all(extended)
    assert extended.layers("hidden") == [0, 1, 2, 3]
    assert recorded(trace) == [("hidden", 1)]
    assert not trace.touches("hidden", 3)
    extended.clear()
    assert recorded(trace) == []


def test_what_is_reduced_cannot_be_asked_for_whole() -> None:
    with pytest.raises(ValueError, match="needs hidden whole"):
        Trace(["hidden"], reduce={"hidden": torch.sum}).also("hidden")


def test_clear_forgets_tensors_and_keeps_the_request() -> None:
    trace = Trace({"hidden": [1]})
    visit_all(trace)
    trace.clear()
    assert recorded(trace) == []
    visit_all(trace)
    assert trace.layers("hidden") == [1]


def test_gradients_are_kept_on_request_only() -> None:
    for retain in (True, False):
        start = torch.ones(3, requires_grad=True)
        trace = Trace(["hidden"], retain_gradients=retain)
        (trace.visit("hidden", 1, start * 2).square().sum()).backward()
        kept = trace["hidden", 1]
        assert kept.requires_grad
        if retain:
            assert kept.grad is not None
            assert kept.grad.tolist() == [4.0, 4.0, 4.0]
        else:
            assert not kept.retains_grad


def test_the_gradient_is_kept_of_what_is_stored() -> None:
    start = torch.ones(3, requires_grad=True)
    trace = Trace(["hidden"], reduce={"hidden": torch.sum}, retain_gradients=True)
    trace.visit("hidden", 1, start * 2)
    trace["hidden", 1].square().backward()
    gradient = trace["hidden", 1].grad
    assert gradient is not None
    assert gradient.item() == 12.0
