"""Where the time of a forward pass goes, by part of each model: `python -m benchmarks.profile`.

A part's time is its own: what the parts within it take is theirs. Base size, without gradients, the linear layers in
each of the ways in which they can be held. Medians over the runs.
"""

from __future__ import annotations

import re
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn

from benchmarks.reference import base_pair
from benchmarks.timing import runs_asked_for
from data2vec_core.linear_choice import LinearKind

KINDS: Final[tuple[LinearKind, ...]] = ("plain", "packed", "int8")
PARTS: Final = (
    ("waveform: convolutions", r"feature_extractor\..*\.conv$"),
    ("waveform: norms and activations", r"feature_extractor"),
    ("convolutions of positions", r"pos_conv_embed"),
    ("embeddings and projections", r"embeddings|feature_projection"),
    ("position bias", r"relative_position_bias"),
    ("attention: query, key, value, output", r"attention\.(query|key|value|output)$"),
    ("attention: mixing", r"attention$"),
    ("feed-forward: products", r"feed_forward\.(up|down)$"),
    ("feed-forward: activation", r"feed_forward$"),
    ("norms", r"norm$"),
)
"""Each with the names of its modules, of which the first that fits counts."""


class Stopwatch:
    """Times the modules of a model, each without what is within it."""

    def __init__(self, model: nn.Module) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._open: list[tuple[float, float]] = []
        for name, module in model.named_modules():
            module.register_forward_pre_hook(self._begin)
            module.register_forward_hook(self._ended(part_of(name)))

    def _begin(self, *_: Any) -> None:
        self._open.append((time.perf_counter(), 0.0))

    def _ended(self, part: str) -> Any:
        def end(*_: Any) -> None:
            begun, within = self._open.pop()
            whole = time.perf_counter() - begun
            self.seconds[part] += whole - within
            if self._open:
                outer, others = self._open[-1]
                self._open[-1] = (outer, others + whole)

        return end


def part_of(name: str) -> str:
    """The part to which a module belongs, by its name in the model."""
    return next((part for part, names in PARTS if re.search(names, name)), "the rest")


def inputs() -> Iterator[tuple[str, str, str, dict[str, Tensor]]]:
    """Modality, class, preset and one input of each."""
    torch.manual_seed(0)
    yield "audio, 10 s", "Data2VecAudioModel", "audio-base", {"input_values": torch.randn(1, 160_000)}
    yield "text, 128 tokens", "Data2VecTextModel", "text-base", {"input_ids": torch.randint(4, 50_000, (1, 128))}
    yield "vision, 224 pixels", "Data2VecVisionModel", "vision-base", {"pixel_values": torch.randn(1, 3, 224, 224)}


@torch.inference_mode()
def profiled(class_name: str, preset: str, kind: LinearKind, batch: Mapping[str, Any], runs: int) -> dict[str, float]:
    """Milliseconds by part, medians over the runs."""
    model = base_pair(class_name, preset, linear=kind).ours
    watch, found = Stopwatch(model), []
    for run in range(runs + 1):
        watch.seconds.clear()
        model(**batch)
        if run:
            found.append(dict(watch.seconds))
    return {part: 1000 * statistics.median(one[part] for one in found) for part in found[0]}


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    runs = runs_asked_for("benchmarks.profile", __doc__, arguments)
    print(f"| model | part | {' | '.join(KINDS)} | share of plain |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, class_name, preset, batch in inputs():
        found = {kind: profiled(class_name, preset, kind, batch, runs) for kind in KINDS}
        whole = sum(found["plain"].values())
        for part in sorted(found["plain"], key=lambda part: -found["plain"][part]):
            cells = " | ".join(f"{found[kind].get(part, 0.0):.1f}" for kind in KINDS)
            print(f"| {name} | {part} | {cells} | {100 * found['plain'][part] / whole:.0f} % |")
        print(f"| {name} | **all** | " + " | ".join(f"{sum(one.values()):.0f}" for one in found.values()) + " | |")


if __name__ == "__main__":
    main()
