"""What it takes to look inside a long input: `python -m benchmarks.recording`.

The base audio model hears 30 seconds. Ours records the hidden states of every layer and, of every head, entropy,
distance and the row of one query, plus one whole map, as attention comes to be (`analysis.attention_heads`). The
reference returns what it can, `output_hidden_states` and `output_attentions`, and nothing is computed from it yet. Time
is measured in turn in one process; memory in a process for each, as the peak of what is resident above the model.
The second row records hidden states alone, against not recording.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch

from analysis.attention_heads import record_heads
from analysis.subject import Subject
from benchmarks.memory import megabytes_printed, peak_above
from benchmarks.reference import Pair, base_pair
from benchmarks.timing import add_options, announce, row, times_of
from data2vec_core.audio.model import AudioPretrainedModel
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.trace import Trace

SECONDS, RATE = 30, 16_000
PARTS = ("ours", "reference")


def ways(pair: Pair) -> dict[str, Callable[[], Any]]:
    """What each does with the same clip."""
    clip = np.random.default_rng(0).standard_normal(SECONDS * RATE).astype(np.float32)
    subject = Subject(cast(AudioPretrainedModel, pair.ours), SpeechFeatureExtractor(), name="audio-base")
    shown = subject.show(clip, sampling_rate=RATE)
    samples = shown.batch["input_values"]

    @torch.inference_mode()
    def reference() -> Any:
        return pair.reference(samples, output_hidden_states=True, output_attentions=True)

    @torch.inference_mode()
    def plain() -> Any:
        return pair.ours(samples)

    @torch.inference_mode()
    def hidden() -> Any:
        return pair.ours(samples, trace=Trace(["hidden"]))

    def ours() -> Any:
        return record_heads(subject, shown, position=100, whole=(6, 1), hidden=True)

    return {"ours": ours, "reference": reference, "plain": plain, "hidden": hidden}


def memory_of(part: str) -> float:
    """Megabytes, measured in a process of its own."""
    return megabytes_printed("benchmarks.recording", "--part", part, f"--threads={torch.get_num_threads()}")


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recording", description=__doc__)
    add_options(parser)
    parser.add_argument("--part", choices=PARTS, help="measure the memory of one, and nothing else")
    options = parser.parse_args(arguments)
    announce(options)
    pair = base_pair("Data2VecAudioModel", "audio-base", attention="eager")
    made = ways(pair)
    if options.part:
        print(peak_above(made[options.part]) / 1e6)
        return
    print("| what | ours | reference | ratio | ours, MB | reference, MB | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    ours, reference = (memory_of(part) for part in PARTS)
    sizes = (f"{ours:.0f}", f"{reference:.0f}", f"{ours / reference:.2f}")
    times = times_of((made["ours"], made["reference"]), options.runs)
    print(row("hidden states, all heads measured, one map", times=times, more=sizes), flush=True)
    times = times_of((made["hidden"], made["plain"]), options.runs)
    print(row("hidden states alone, against not recording", times=times, more=("", "", "")))


if __name__ == "__main__":
    main()
