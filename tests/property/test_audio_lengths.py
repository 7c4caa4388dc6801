"""The length formula against the convolutions themselves."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from data2vec_core.audio.adapter import Adapter
from data2vec_core.audio.lengths import convolved_length, frame_count
from data2vec_core.audio.waveform_encoder import WaveformEncoder
from data2vec_core.config import Data2VecAudioConfig
from tests.clips import TINY

layers = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 4)), min_size=1, max_size=4)


@given(layers=layers, extra=st.integers(0, 60))
def test_frames_of_the_waveform_encoder(layers: list[tuple[int, int]], extra: int) -> None:
    kernels, strides = zip(*layers, strict=True)
    config = Data2VecAudioConfig(conv_dim=(2,) * len(layers), conv_kernel=kernels, conv_stride=strides)
    samples = 1 + extra
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        samples = (samples - 1) * stride + kernel  # the shortest input that becomes this many frames
    assert frame_count(samples, config) == 1 + extra
    assert frame_count(samples - 1, config) == extra
    assert WaveformEncoder(config)(torch.zeros(1, samples)).shape == (1, 1 + extra, 2)


@given(layers=layers, frames=st.integers(1, 250), clips=st.integers(1, 3), extra=st.integers(0, 3))
def test_pieces_of_a_clip_give_what_the_whole_gives(
    layers: list[tuple[int, int]], frames: int, clips: int, extra: int
) -> None:
    kernels, strides = zip(*layers, strict=True)
    config = Data2VecAudioConfig(conv_dim=(2,) * len(layers), conv_kernel=kernels, conv_stride=strides)
    hop = config.inputs_to_logits_ratio
    samples = torch.randn(clips, config.receptive_field + (frames - 1) * hop + min(extra, hop - 1))
    encoder = WaveformEncoder(config)
    whole = encoder(samples).detach()  # with gradients, in one
    with torch.no_grad():
        pieces = encoder(samples)
    assert whole.shape == (clips, frames, 2)
    torch.testing.assert_close(pieces, whole, atol=1e-5, rtol=1e-4)


@given(
    samples=st.integers(400, 3000),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    count=st.integers(1, 3),
)
def test_frames_after_the_adapter(samples: int, kernel: int, stride: int, count: int) -> None:
    config = TINY.replace(add_adapter=True, adapter_kernel_size=kernel, adapter_stride=stride, num_adapter_layers=count)
    expected = frame_count(samples, config, after_adapter=True)
    hidden = torch.zeros(1, frame_count(samples, config), config.hidden_size)
    if expected:
        assert Adapter(config).eval()(hidden).shape[1] == expected


@given(
    length=st.integers(1, 80),
    layers=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=3),
)
def test_dilated_convolutions(length: int, layers: list[tuple[int, int, int]]) -> None:
    kernels, strides, dilations = zip(*layers, strict=True)
    expected = convolved_length(length, kernels, strides, dilations=dilations)
    hidden = torch.zeros(1, 1, length)
    if expected:
        for kernel, stride, dilation in layers:
            hidden = torch.nn.Conv1d(1, 1, kernel, stride=stride, dilation=dilation)(hidden)
        assert hidden.shape[-1] == expected


@given(lengths=st.lists(st.integers(0, 5000), min_size=1, max_size=5))
def test_numbers_and_tensors_agree(lengths: list[int]) -> None:
    assert frame_count(torch.tensor(lengths), TINY).tolist() == [frame_count(length, TINY) for length in lengths]
