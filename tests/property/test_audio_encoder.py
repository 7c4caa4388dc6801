"""What holds for every input: convolving channels-last is convolving, and padding does not reach real frames."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from data2vec_core.audio.frame_convolution import FrameConvolution
from data2vec_core.audio.masking import draw_spans
from data2vec_core.audio.model import Data2VecAudioModel
from data2vec_core.linear import WIDE
from data2vec_core.transformer import padding_bias
from tests.clips import TINY

seeds = st.integers(0, 10_000)


@given(
    seed=seeds,
    batch=st.integers(1, 3),
    in_channels=st.integers(1, 9),
    channels=st.integers(1, 9),
    kernel=st.integers(1, 10),
    stride=st.integers(1, 6),
    extra=st.integers(0, 30),
    bias=st.booleans(),
)
def test_channels_last_convolution(
    seed: int, batch: int, in_channels: int, channels: int, kernel: int, stride: int, extra: int, bias: bool
) -> None:
    """The same result and gradients as `conv1d`."""
    check_convolution(seed, batch, in_channels, channels, kernel, stride, extra, bias)


@settings(max_examples=20)
@given(
    seed=seeds,
    batch=st.integers(1, 3),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 5),
    extra=st.integers(0, 9),
    bias=st.booleans(),
)
def test_wide_convolution(seed: int, batch: int, kernel: int, stride: int, extra: int, bias: bool) -> None:
    """The same where it is a product of windows and weights."""
    check_convolution(seed, batch, WIDE, WIDE, kernel, stride, extra, bias)


def check_convolution(
    seed: int, batch: int, in_channels: int, channels: int, kernel: int, stride: int, extra: int, bias: bool
) -> None:
    torch.manual_seed(seed)
    convolution = FrameConvolution(in_channels, channels, kernel, stride, bias=bias)
    hidden = torch.randn(batch, kernel + extra, in_channels, requires_grad=True)
    parameters = [hidden, *convolution.parameters()]

    expected = F.conv1d(hidden.transpose(1, 2), convolution.weight, convolution.bias, stride=stride).transpose(1, 2)
    direction = torch.randn_like(expected)
    expected_gradients = torch.autograd.grad(expected, parameters, direction)
    convolved = convolution(hidden)
    torch.testing.assert_close(convolved, expected, rtol=1e-5, atol=1e-5)
    gradients = torch.autograd.grad(convolved, parameters, direction)
    for gradient, expected_gradient in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, expected_gradient, rtol=1e-5, atol=1e-4)
    with torch.inference_mode():
        padded = torch.cat([hidden, hidden], dim=2)[..., :in_channels]  # not contiguous
        torch.testing.assert_close(convolution(padded), expected, rtol=1e-5, atol=1e-5)


@given(seed=seeds, real=st.integers(1, 12), padding=st.integers(1, 12), scale=st.sampled_from([0.0, 1.0, 1e3]))
def test_blocks_do_not_read_padding(seed: int, real: int, padding: int, scale: float) -> None:
    """The first frames come out alike with or without padded ones behind them, whatever those hold."""
    torch.manual_seed(seed)
    encoder = Data2VecAudioModel(TINY).eval().encoder
    hidden = torch.randn(2, real + padding, TINY.hidden_size)
    hidden[:, real:] *= scale
    bias = padding_bias((torch.arange(real + padding) < real).expand(2, -1), hidden.dtype)
    with torch.no_grad():
        alone = encoder.run(hidden[:, :real])
        padded = encoder.run(hidden, bias=bias)
    torch.testing.assert_close(padded[:, :real], alone, rtol=1e-5, atol=1e-5)


@given(
    seed=seeds,
    lengths=st.lists(st.integers(0, 40), min_size=1, max_size=4),
    probability=st.floats(0, 1),
    span=st.integers(1, 12),
    min_spans=st.integers(0, 4),
)
def test_masked_spans(seed: int, lengths: list[int], probability: float, span: int, min_spans: int) -> None:
    """Within the row; in runs of at least a span; and at most as many positions as spans times their length."""
    generator = torch.Generator().manual_seed(seed)
    masked = draw_spans(
        torch.tensor(lengths), 40, probability=probability, span=span, min_spans=min_spans, generator=generator
    )
    for row, length in zip(masked, lengths, strict=True):
        assert not bool(row[length:].any())
        runs = "".join("x" if flag else " " for flag in row.tolist()).split()
        assert all(len(run) >= span for run in runs)
        spans = max(int(probability * length / span + 1), min_spans)
        assert int(row.sum()) <= spans * span
        if min_spans and length >= span:
            assert runs
