"""Numbers of frames (data2vec.md section 10)."""

from __future__ import annotations

import pytest
import torch

from data2vec_core.audio.lengths import ADAPTER_PADDING, convolved_length, frame_count, frame_mask
from data2vec_core.config import Data2VecAudioConfig
from tests.clips import TINY

BASE = Data2VecAudioConfig()


@pytest.mark.parametrize(
    ("samples", "frames"),
    [(0, 0), (399, 0), (400, 1), (720, 2), (16000, 49), (32000, 99), (160000, 499), (320000, 999)],
)
def test_frames_of_the_public_models(samples: int, frames: int) -> None:
    assert frame_count(samples, BASE) == frames
    assert frame_count(torch.tensor([samples]), BASE).tolist() == [frames]


def test_frames_after_time_delay_layers() -> None:
    kernels, strides = BASE.tdnn_kernel, [1] * len(BASE.tdnn_kernel)
    assert convolved_length(99, kernels, strides, dilations=BASE.tdnn_dilation) == 85
    assert convolved_length(99, kernels, strides) == 91  # the reference's formula, which forgets the dilation


def test_frames_after_each_adapter_layer() -> None:
    counts = [convolved_length(49, [3] * layers, [2] * layers, padding=ADAPTER_PADDING) for layers in (1, 2, 3)]
    assert counts == [25, 13, 7]
    assert frame_count(16000, BASE.replace(add_adapter=True), after_adapter=True) == 7
    assert frame_count(16000, BASE, after_adapter=True) == 49


def test_frame_mask() -> None:
    attention_mask = (torch.arange(500) < torch.tensor([[500], [300], [84], [0]])).long()
    frames = frame_count(500, TINY)
    mask = frame_mask(attention_mask, frames, TINY)
    assert mask.sum(dim=1).tolist() == [frames, frame_count(300, TINY), 0, 0]
    assert bool((mask.long().diff(dim=1) <= 0).all()), "real frames come first"


def test_a_row_too_short_for_a_frame_has_no_real_frame() -> None:
    """Named exception: the reference marks the frame before the first, which wraps around to the last, and so takes
    every frame of such a row for real."""
    attention_mask = (torch.arange(800) < torch.tensor([[800], [399]])).long()
    assert frame_mask(attention_mask, 2, BASE).tolist() == [[True, True], [False, False]]


@pytest.mark.parametrize(("kernel", "frames"), [(1, 26), (3, 25), (4, 24)])
def test_frames_after_adapters_of_other_kernels(kernel: int, frames: int) -> None:
    """Named exception: the reference counts 25 frames whatever the kernel, and so miscounts those other than 3."""
    config = BASE.replace(add_adapter=True, num_adapter_layers=1, adapter_kernel_size=kernel)
    assert frame_count(16000, config, after_adapter=True) == frames
    convolution = torch.nn.Conv1d(1, 1, kernel, stride=config.adapter_stride, padding=ADAPTER_PADDING)
    assert convolution(torch.zeros(1, 1, 49)).shape[-1] == frames
