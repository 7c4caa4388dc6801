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
