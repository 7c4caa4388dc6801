"""Speed of the waveform encoder against the reference's: `python -m benchmarks.waveform_encoder`.

Both encoders hold the same weights and see the same sound, in one process and in turn. Printed are medians and
quartiles of the wall time, and the ratio ours / reference of the medians (below 1 is faster). Our encoder keeps the
channels last, so that its layer norms need no transposes. The convolution itself is left to PyTorch's channels-last
kernels: gathering the windows by a strided view for one matrix product a layer was slower in every case.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import Data2VecAudioConfig as ReferenceConfig
from transformers.models.data2vec.modeling_data2vec_audio import Data2VecAudioFeatureEncoder

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
    times: tuple[list[float], list[float]] = ([], [])
    for run in range(runs + 1):
        for encoder, seconds in zip((ours, reference), times, strict=True):
            elapsed = _timed(encoder, sound, case.is_training)
            if run:  # the first warms up
                seconds.append(elapsed)
    return times


def _timed(encoder: Callable[[Tensor], Tensor], sound: Tensor, is_training: bool) -> float:
    started = time.perf_counter()
    with torch.set_grad_enabled(is_training):
        frames = encoder(sound)
        if is_training:
            frames.square().mean().backward()
    return time.perf_counter() - started


def _shown(seconds: list[float]) -> str:
    low, middle, high = statistics.quantiles(seconds, n=4)
    return f"{1000 * middle:.0f} ({1000 * low:.0f} to {1000 * high:.0f})"


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.waveform_encoder", description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--threads", type=int, help="processor threads (all)")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    print(f"{torch.get_num_threads()} threads, {options.runs} runs, milliseconds: median (quartiles)\n")
    print("| case | channels | batch | ours | reference | ratio |\n| --- | --- | --- | --- | --- | --- |")
    for case in CASES:
        ours, reference = measure(case, options.runs)
        ratio = statistics.median(ours) / statistics.median(reference)
        batch = f"{case.batch} x {case.seconds} s"
        print(
            f"| {case.name} | {case.channels} | {batch} | {_shown(ours)} | {_shown(reference)} | {ratio:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
