"""Gradient-weighted attention against the paper's matrices, in all three senses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from analysis.attribution import gradient_weighted_attention
from data2vec_core import (
    Data2VecAudioForSequenceClassification,
    Data2VecTextForSequenceClassification,
    Data2VecVisionForImageClassification,
    Trace,
)
from data2vec_core.presets import PRESETS
from data2vec_core.pretrained import PretrainedModel

Score = Callable[[Trace], Tensor]


def random_model(model_class: type[PretrainedModel], preset: str) -> PretrainedModel:
    """With weights large enough that attention is uneven and classes differ."""
    torch.manual_seed(0)
    model = model_class(PRESETS[preset].replace(num_labels=3))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model.eval()


def vision() -> tuple[PretrainedModel, Score, Tensor]:
    model = random_model(Data2VecVisionForImageClassification, "vision-tiny")
    pixels = torch.randn(2, 3, 32, 32)
    patches = 32 * 32 // 8**2
    readout = torch.full((2, 1 + patches), 1 / patches)
    readout[:, 0] = 0
    return model, lambda trace: model(pixels, trace=trace).logits, readout


def text() -> tuple[PretrainedModel, Score, Tensor]:
    model = random_model(Data2VecTextForSequenceClassification, "text-tiny")
    ids = torch.randint(5, 90, (2, 9))
    is_real = torch.ones_like(ids)
    is_real[1, 6:] = 0
    readout = torch.zeros(2, 9)
    readout[:, 0] = 1
    return model, lambda trace: model(ids, is_real, trace=trace).logits, readout


def audio() -> tuple[PretrainedModel, Score, Tensor]:
    model = random_model(Data2VecAudioForSequenceClassification, "audio-tiny")
    samples = torch.randn(2, 3200)
    trace = Trace({"attention": [1]})
    model(samples, trace=trace)
    frames = trace["attention", 1].shape[-1]
    return model, lambda trace: model(samples, trace=trace).logits, torch.full((2, frames), 1 / frames)


SENSES = pytest.mark.parametrize("sense", [vision, text, audio], ids=["vision", "text", "audio"])
Sense = Callable[[], tuple[PretrainedModel, Score, Tensor]]


@SENSES
def test_it_is_what_the_head_reads_of_the_papers_matrix(sense: Sense) -> None:
    """R <- R + mean over heads of (dy/dA * A)+ R, for all positions, gradients by `backward`."""
    _, score, readout = sense()
    classes = torch.tensor([2, 0])
    trace = Trace({"attention"}, retain_gradients=True)
    logits = score(trace)
    (logits[0, 2] + logits[1, 0]).backward()
    matrix = torch.eye(readout.shape[1]).expand(2, -1, -1)
    for attention in trace.all("attention"):
        assert attention.grad is not None
        matrix = matrix + (attention.grad * attention).clamp(min=0).mean(dim=1) @ matrix
    expected = (readout[:, None] @ matrix)[:, 0] - readout

    found = gradient_weighted_attention(score, readout, classes)
    assert_close(found.relevance, expected.detach())
    assert_close(found.logits, logits.detach())
    assert found.relevance.max() > 0
    assert found.relevance.min() >= 0
    assert not found.relevance.requires_grad


@SENSES
def test_no_class_means_the_best_and_classes_differ(sense: Sense) -> None:
    _, score, readout = sense()
    best = gradient_weighted_attention(score, readout)
    assert best.classes.tolist() == best.logits.argmax(dim=1).tolist()
    assert_close(best.relevance, gradient_weighted_attention(score, readout, best.classes).relevance)
    other = gradient_weighted_attention(score, readout, (best.classes + 1) % 3)
    assert not torch.allclose(other.relevance, best.relevance)


@SENSES
def test_weights_that_others_use_get_no_gradient(sense: Sense) -> None:
    model, score, readout = sense()
    with torch.no_grad():  # as a caller might have it
        gradient_weighted_attention(score, readout)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_padding_does_not_matter() -> None:
    _, score, readout = text()
    relevance = gradient_weighted_attention(score, readout).relevance
    assert (relevance[1, 6:] == 0).all()
    assert (relevance[1, :6] > 0).any()


def test_one_layer_by_hand() -> None:
    """y = 2 A[0, 1] - 3 A[0, 2], read at position 0: what lowers the score is no relevance."""
    attention = torch.tensor([[[[0.2, 0.5, 0.3], [1, 0, 0], [0, 0, 1]]]], requires_grad=True)

    def score(trace: Trace) -> Tensor:
        seen = trace.visit("attention", 1, attention)
        return torch.stack([2 * seen[:, 0, 0, 1] - 3 * seen[:, 0, 0, 2], seen.sum(dim=(1, 2, 3))], dim=1)

    relevance = gradient_weighted_attention(score, torch.tensor([[1.0, 0, 0]]), torch.tensor([0])).relevance
    assert_close(relevance, torch.tensor([[0.0, 2 * 0.5, 0.0]]))
