"""Speed of a forward pass at base size, in float32, against the reference: `python -m benchmarks.forward`.

Both models hold the same weights, see the same input, and take turns in one process, without gradients. The reference
runs with its fused attention. Batches of mixed lengths are padded for the reference; ours leave the padding out
(`without_padding`), and are compared with the reference's padded batch and with its items one by one, whose numbers
they have to give. `plain` and `packed` are how our blocks hold their weights (`data2vec_core.fixed_linear`): as PyTorch
does, or laid out for oneDNN when the model is loaded. GFLOP/s count the operations that a pass needs for the real
positions alone (products of matrices, convolutions, attention), beside the speed of this machine at one product of
large matrices.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.reference import Pair, base_pair, relative_difference
from benchmarks.timing import row, runs_asked_for, seconds_of, times_of
from data2vec_core.linear import HAS_ONEDNN, multiply
from data2vec_core.linear_choice import LinearKind

TOLERANCE = 1e-4
"""Largest difference over largest value that the answers may show, as in the parity tests."""
TOKENS = (16, 32, 64, 96, 128, 256, 384, 512)
SECONDS = (5.0, 4.5, 4.0, 3.5, 3.0, 2.5, 2.0, 1.5)
RATE = 16_000
PEAK_SIDE = 2048

Inputs = Mapping[str, Tensor]
Way = Callable[[], list[Tensor]]
"""A forward pass, or several: the last hidden states of each."""


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    name: str
    batch: str
    pair: Pair
    inputs: Inputs
    is_alone: bool = False
    """Compare with the reference's items one by one, not with its padded batch."""

    def times(self, runs: int, *, tolerance: float = TOLERANCE) -> tuple[list[float], list[float]]:
        """Seconds of every run, ours and the reference's.

        Raises:
            RuntimeError: the answers do not agree.
        """
        difference = self.difference()
        if difference > tolerance:
            raise RuntimeError(f"{self.name}, {self.batch}: the answers differ by {difference:.1e}")
        reference = self._alone if self.is_alone else _way(self.pair.reference, [self.inputs])
        return times_of((self._ours, reference), runs)

    def difference(self) -> float:
        """The largest of any item, over its largest value, from the reference's answer to that item alone."""
        return max(
            relative_difference(own[: alone.shape[1]], alone[0])
            for own, alone in zip(self._ours()[0], self._alone(), strict=True)
        )

    @property
    def _ours(self) -> Way:
        is_mixed = "attention_mask" in self.inputs
        return _way(self.pair.ours, [dict(self.inputs) | ({"without_padding": True} if is_mixed else {})])

    @property
    def _alone(self) -> Way:
        return _way(self.pair.reference, _items(self.inputs))

    @property
    def flops(self) -> int:
        """Operations for the real positions, as the reference's modules do them."""
        with FlopCounterMode(display=False) as counter:
            self._alone()
        return counter.get_total_flops()


def _way(model: Any, passes: Sequence[Mapping[str, Any]]) -> Way:
    @torch.inference_mode()
    def run() -> list[Tensor]:
        return [model(**inputs).last_hidden_state for inputs in passes]

    return run


def _items(inputs: Inputs) -> list[dict[str, Tensor]]:
    """Each item of a batch as a batch of its own, without padding."""
    ((name, batch),) = ((name, tensor) for name, tensor in inputs.items() if name != "attention_mask")
    if "attention_mask" not in inputs:
        return [{name: item[None]} for item in batch]
    lengths = inputs["attention_mask"].sum(dim=1).tolist()
    return [{name: item[None, :length]} for item, length in zip(batch, lengths, strict=True)]


def peak(runs: int = 9) -> float:
    """Operations a second of one product of large matrices, the median of some, by the quicker of the two libraries
    that PyTorch has for it."""
    left, right = torch.randn(2, PEAK_SIDE, PEAK_SIDE)
    ways: list[Callable[[], object]] = [lambda: left @ right]
    if HAS_ONEDNN:
        ways.append(lambda: multiply(left, right))
    return 2 * PEAK_SIDE**3 / min(statistics.median(seconds_of(way, runs)) for way in ways)


def _padded(items: Sequence[Tensor], value: float) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(item) for item in items])
    batch = torch.nn.utils.rnn.pad_sequence(list(items), batch_first=True, padding_value=value)
    return batch, (torch.arange(batch.shape[1]) < lengths[:, None]).long()


def cases(linear: LinearKind) -> Iterator[Case]:
    """The rows of one kind of linear layers, in order."""
    audio = base_pair("Data2VecAudioModel", "audio-base", linear=linear)
    clips, heard = _padded([torch.randn(int(seconds * RATE)) for seconds in SECONDS], 0.0)
    mixed_clips = {"input_values": clips, "attention_mask": heard}
    yield Case("audio", "1 x 10 s", audio, {"input_values": torch.randn(1, 10 * RATE)})
    yield Case("audio", "8 x 1.5 to 5 s, reference padded", audio, mixed_clips)
    yield Case("audio", "8 x 1.5 to 5 s, reference one by one", audio, mixed_clips, is_alone=True)
    text = base_pair("Data2VecTextModel", "text-base", linear=linear)
    vocabulary = text.ours.config.vocab_size
    sentences, read = _padded(
        [torch.randint(4, vocabulary, (tokens,)) for tokens in TOKENS], text.ours.config.pad_token_id
    )
    mixed_sentences = {"input_ids": sentences, "attention_mask": read}
    yield Case("text", "1 x 128", text, {"input_ids": torch.randint(4, vocabulary, (1, 128))})
    yield Case("text", "8 x 16 to 512, reference padded", text, mixed_sentences)
    yield Case("text", "8 x 16 to 512, reference one by one", text, mixed_sentences, is_alone=True)
    vision = base_pair("Data2VecVisionModel", "vision-base", linear=linear)
    for batch in (1, 8):
        yield Case("vision", f"{batch} x 224 x 224", vision, {"pixel_values": torch.randn(batch, 3, 224, 224)})


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    runs = runs_asked_for("benchmarks.forward", __doc__, arguments)
    highest = peak()
    print(f"Peak of this machine: {highest / 1e9:.0f} GFLOP/s ({PEAK_SIDE} x {PEAK_SIDE} matrices, float32).\n")
    print("| linear | model | batch | ours | reference | ratio | GFLOP/s | of the peak |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    kinds: tuple[LinearKind, ...] = ("plain", "packed")
    for kind in kinds:
        for case in cases(kind):
            times = case.times(runs)
            speed = case.flops / statistics.median(times[0])
            more = (f"{speed / 1e9:.0f}", f"{100 * speed / highest:.0f} %")
            print(row(kind, case.name, case.batch, times=times, more=more), flush=True)


if __name__ == "__main__":
    main()
