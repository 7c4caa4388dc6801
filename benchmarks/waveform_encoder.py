"""Speed of the waveform encoder against the reference's: `python -m benchmarks.waveform_encoder`.

Both encoders hold the same weights and see the same sound, in one process and in turn. Printed are medians and
quartiles of the wall time, and the ratio ours / reference of the medians (below 1 is faster). Our encoder keeps the
channels last, so that its layer norms need no transposes; `data2vec_core.audio.frame_convolution` says how it
convolves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from transformers import Data2VecAudioConfig as ReferenceConfig
from transformers.models.data2vec.modeling_data2vec_audio import Data2VecAudioFeatureEncoder

from benchmarks.timing import row, runs_asked_for, times_of
from data2vec_core.audio.waveform_encoder import WaveformEncoder
from data2vec_core.config import Data2VecAudioConfig


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    name: str
    channels: int
    batch: int
    seconds: int
    is_training: bool
    """Time the backward pass too."""


CASES = (
    Case("base, forward", 512, 1, 10, False),
    Case("base, forward", 512, 8, 5, False),
    Case("base, forward and backward", 512, 2, 5, True),
    Case("small, forward", 96, 8, 5, False),
    Case("small, forward and backward", 96, 8, 5, True),
)


def measure(case: Case, runs: int) -> tuple[list[float], list[float]]:
    """Seconds of every run, ours and the reference's."""
    torch.manual_seed(0)
    conv_dim = (case.channels,) * 7
    reference = Data2VecAudioFeatureEncoder(ReferenceConfig(conv_dim=conv_dim))
    ours = WaveformEncoder(Data2VecAudioConfig(conv_dim=conv_dim))
    ours.load_state_dict(reference.state_dict())
    sound = torch.randn(case.batch, case.seconds * 16_000)
    difference = (ours(sound) - reference(sound).transpose(1, 2)).abs().max() / reference(sound).abs().max()
    assert difference < 1e-5, f"the encoders disagree by {difference:.1e}"
    ways = (partial(_run, ours, sound, case.is_training), partial(_run, reference, sound, case.is_training))
    return times_of(ways, runs)


def _run(encoder: Callable[[Tensor], Tensor], sound: Tensor, is_training: bool) -> None:
    with torch.set_grad_enabled(is_training):
        frames = encoder(sound)
        if is_training:
            frames.square().mean().backward()


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    runs = runs_asked_for("benchmarks.waveform_encoder", __doc__, arguments)
    print("| case | channels | batch | ours | reference | ratio |\n| --- | --- | --- | --- | --- | --- |")
    for case in CASES:
        batch = f"{case.batch} x {case.seconds} s"
        print(row(case.name, case.channels, batch, times=measure(case, runs)), flush=True)


if __name__ == "__main__":
    main()
