"""Recording inside the speech model: only what is asked for, and at no cost to the rest."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from data2vec_core.audio.heads import Data2VecAudioForSequenceClassification
from data2vec_core.audio.lengths import frame_count
from data2vec_core.audio.model import Data2VecAudioModel
from data2vec_core.trace import Trace
from tests.clips import FRAMES, SAMPLES, TINY, two_clips

HEADS, DIM, LAYERS = TINY.num_attention_heads, TINY.hidden_size, TINY.num_hidden_layers


@pytest.fixture
def model() -> Data2VecAudioModel:
    return Data2VecAudioModel(TINY).eval()


@pytest.fixture
def fused_calls(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One entry for every run of the fused attention kernel."""
    calls: list[None] = []
    fused = F.scaled_dot_product_attention

    def counted(*args: Any, **kwargs: Any) -> Tensor:
        calls.append(None)
        return fused(*args, **kwargs)

    monkeypatch.setattr(F, "scaled_dot_product_attention", counted)
    return calls


@pytest.mark.parametrize("padded", [False, True], ids=["unpadded", "padded"])
def test_chosen_layers_only(model: Data2VecAudioModel, fused_calls: list[None], padded: bool) -> None:
    values = two_clips(padded=padded)
    expected = model(**values)
    assert len(fused_calls) == LAYERS
    fused_calls.clear()
    trace = Trace({"attention": [2]})
    result = model(**values, trace=trace)
    assert len(fused_calls) == LAYERS - 1
    assert trace.layers("attention") == [2]
    assert trace["attention", 2].shape == (2, HEADS, FRAMES, FRAMES)
    torch.testing.assert_close(result.last_hidden_state, expected.last_hidden_state)
    assert result.attentions is None


def test_other_tensors_leave_the_fused_kernel_alone(model: Data2VecAudioModel, fused_calls: list[None]) -> None:
    trace = Trace(["hidden", "values", "feed_forward"])
    result = model(**two_clips(padded=False), trace=trace)
    assert len(fused_calls) == LAYERS
    assert trace.layers("hidden") == [0, 1, 2, 3]
    assert trace.layers("values") == trace.layers("feed_forward") == [1, 2, 3]
    assert trace["values", 1].shape == (2, HEADS, FRAMES, TINY.hidden_size // HEADS)
    assert trace["feed_forward", 3].shape == (2, FRAMES, DIM)
    assert torch.equal(trace["hidden", 3], result.last_hidden_state)


def test_padding_receives_no_attention(model: Data2VecAudioModel) -> None:
    maps = model(**two_clips(padded=True), output_attentions=True).attentions
    real = frame_count(SAMPLES[1], TINY)
    for probabilities in maps:
        assert probabilities[1, :, :, real:].max() == 0
        assert probabilities[0].min() > 0


def test_replacing_the_values_of_one_frame(model: Data2VecAudioModel) -> None:
    """Without its values a frame reaches others no more: only its own residual is left of it."""

    def drop_frame(values: Tensor) -> Tensor:
        return values.index_fill(2, torch.tensor([4]), 0.0)

    values = two_clips(padded=False)
    trace = Trace(["values", "hidden"], replace={("values", 2): drop_frame})
    changed = model(**values, trace=trace)
    plain = Trace(["hidden"])
    unchanged = model(**values, trace=plain)
    assert trace["values", 2][:, :, 4].abs().max() == 0
    assert trace["values", 2][:, :, 3].abs().max() > 0
    assert torch.equal(trace["hidden", 1], plain["hidden", 1])
    assert not torch.allclose(trace["hidden", 2], plain["hidden", 2])
    assert not torch.allclose(changed.last_hidden_state, unchanged.last_hidden_state)


def test_replacing_hidden_states(model: Data2VecAudioModel) -> None:
    """A model whose last state is replaced returns the replacement."""
    trace = Trace(replace={("hidden", LAYERS): torch.zeros_like})
    assert model(**two_clips(padded=False), trace=trace).last_hidden_state.abs().max() == 0


def test_a_replacement_must_keep_the_shape(model: Data2VecAudioModel) -> None:
    trace = Trace(replace={("feed_forward", 1): lambda fed: fed[:, :1]})
    with pytest.raises(ValueError, match="replacement of feed_forward in layer 1"):
        model(**two_clips(padded=False), trace=trace)


def test_gradients_stay_on_request(model: Data2VecAudioModel) -> None:
    trace = Trace({"hidden": [0, 2], "attention": [1]}, retain_gradients=True)
    model(**two_clips(padded=False), trace=trace).last_hidden_state.square().sum().backward()
    for key in (("hidden", 0), ("hidden", 2), ("attention", 1)):
        gradient = trace[key].grad
        assert gradient is not None
        assert gradient.abs().max() > 0


def test_summaries_instead_of_maps(model: Data2VecAudioModel) -> None:
    def entropy(probabilities: Tensor) -> Tensor:
        return -torch.special.xlogy(probabilities, probabilities).sum(dim=-1).mean(dim=(0, 2))

    trace = Trace(["attention"], reduce={"attention": entropy})
    model(**two_clips(padded=False), trace=trace)
    assert trace.stack("attention").shape == (LAYERS, HEADS)


@pytest.mark.parametrize("weighted", [False, True], ids=["last layer", "weighted layers"])
def test_heads_hand_the_trace_down(weighted: bool) -> None:
    model = Data2VecAudioForSequenceClassification(TINY.replace(use_weighted_layer_sum=weighted)).eval()
    values = two_clips(padded=True)
    trace = Trace({"attention": [1], "hidden": [0]})
    result = model(**values, trace=trace)
    assert trace.layers("attention") == [1]
    assert ("hidden", 0) in trace
    assert torch.equal(result.logits, model(**values, trace=Trace({"attention": [1]})).logits)
    assert result.hidden_states is None


@pytest.mark.parametrize("weighted", [False, True], ids=["last layer", "weighted layers"])
def test_flags_extend_a_trace_for_one_pass_only(weighted: bool, fused_calls: list[None]) -> None:
    model = Data2VecAudioForSequenceClassification(TINY.replace(use_weighted_layer_sum=weighted)).eval()
    values = two_clips(padded=False)
    trace = Trace({"hidden": [2]})
    result = model(**values, output_hidden_states=True, output_attentions=True, trace=trace)
    assert len(result.hidden_states) == LAYERS + 1
    assert len(result.attentions) == LAYERS
    assert trace.layers("hidden") == [2]
    assert torch.equal(trace["hidden", 2], result.hidden_states[2])
    assert not fused_calls
    model(**values, trace=trace)
    assert len(fused_calls) == LAYERS
    assert trace.layers("attention") == []
