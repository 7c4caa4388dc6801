"""Speed of one update in pre-training, base size: `python -m benchmarks.pretraining`.

Ours against the same objective built from the reference's encoders, as a careful author would: fused attention, the
teacher in eval mode and without gradients, one pass of the convolutions for both, losses of all masked positions at
once, fused AdamW, the moving average over all tensors in one call. Both start from the same weights, are given the same
masks, and have to come to the same loss; dropout is off. Plain data2vec: one mask for a pass of the teacher.

Every modality stands three times: both in float32, ours alone in bfloat16 as our loop can be told to (`Plan.bf16`,
`Plan.bf16_teacher`), both in bfloat16. Weights, optimiser, moving average and loss are in float32 throughout.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.reference import base_pair
from benchmarks.timing import row, runs_asked_for, times_of
from data2vec_core.pretraining.masking import mask_generators
from data2vec_core.pretraining.modalities import build_pretraining
from data2vec_core.pretraining.presets import METHODS

TOLERANCE: Final = {True: 1e-3, False: 3e-2}
"""Of the first loss, relative; by whether both are in float32."""
PRECISIONS: Final = (("float32", "float32"), ("bfloat16", "float32"), ("bfloat16", "bfloat16"))
"""Ours, the reference's."""
DECAY: Final = 0.999
STILL: Final[dict[str, dict[str, Any]]] = {
    "audio": {"hidden_dropout": 0.0, "activation_dropout": 0.0, "attention_dropout": 0.0, "layerdrop": 0.0},
    "text": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    "vision": {"drop_path_rate": 0.0, "use_mask_token": True, "use_mean_pooling": False},
}


@contextmanager
def outputs_of(modules: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """What the modules return, in the order in which they run."""
    found: list[Tensor] = []
    handles = [module.register_forward_hook(lambda *call: found.append(call[2])) for module in modules]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


@dataclass
class Reference:
    """The objective over the reference's encoder."""

    modality: str
    student: Any
    teacher: Any
    head: nn.Module
    top: int

    def loss(self, batch: dict[str, Tensor], mask: Any) -> Tensor:
        """Of one batch, at the masked positions."""
        match self.modality:
            case "audio":
                return self._audio(batch["input_values"], mask.is_masked)
            case "text":
                return self._text(batch["input_ids"], mask)
            case _:
                return self._vision(batch["pixel_values"], mask.is_masked)

    def _audio(self, samples: Tensor, is_masked: Tensor) -> Tensor:
        student, encoder = self.student, self.teacher.encoder
        frames, _ = student.feature_projection(student.feature_extractor(samples).transpose(1, 2))
        with torch.no_grad(), outputs_of([layer.feed_forward.output_dense for layer in encoder.layers]) as found:
            encoder(frames.detach())
            layers = [F.instance_norm(layer.transpose(1, 2)).transpose(1, 2) for layer in found[-self.top :]]
            target = torch.stack(layers).mean(dim=0)[is_masked]
        hidden = student.encoder(torch.where(is_masked[..., None], student.masked_spec_embed, frames)).last_hidden_state
        return F.mse_loss(self.head(hidden[is_masked]), target, reduction="sum") / (
            math.sqrt(hidden.shape[-1]) * len(target)
        )

    def _text(self, ids: Tensor, mask: Any) -> Tensor:
        with torch.no_grad(), outputs_of([layer.output.dense for layer in self.teacher.encoder.layer]) as found:
            self.teacher(ids)
            layers = [F.layer_norm(layer, layer.shape[-1:]) for layer in found[-self.top :]]
            target = torch.stack(layers).mean(dim=0)[mask.is_masked]
        hidden = self.student(mask.input_ids).last_hidden_state[mask.is_masked]
        return F.smooth_l1_loss(self.head(hidden), target, beta=4.0, reduction="sum") / len(target)

    def _vision(self, pixels: Tensor, is_masked: Tensor) -> Tensor:
        with torch.no_grad():
            states = self.teacher(pixels, output_hidden_states=True).hidden_states[-self.top :]
            layers = [F.layer_norm(layer, layer.shape[-1:]) for layer in states]
            target = torch.stack(layers).mean(dim=0)
            target = F.layer_norm(target, target.shape[-1:])[:, 1:][is_masked]
        hidden = self.student(pixels, bool_masked_pos=is_masked).last_hidden_state[:, 1:][is_masked]
        return F.smooth_l1_loss(self.head(hidden), target, beta=2.0)

    def follow(self) -> None:
        """The moving average, of what the teacher has of its own."""
        names = ("encoder",) if self.modality == "audio" else ("",)
        for name in names:
            ours = list(self.teacher.get_submodule(name).parameters())
            theirs = list(self.student.get_submodule(name).parameters())
            torch._foreach_lerp_(ours, [one.detach() for one in theirs], 1 - DECAY)


def updates(
    modality: str, batch: dict[str, Tensor], precisions: tuple[str, str] = PRECISIONS[0]
) -> tuple[Callable[[], float], Callable[[], float]]:
    """One update of each, as functions that return the loss before it.

    Args:
        precisions: ours, the reference's.

    Raises:
        RuntimeError: the first losses differ.
    """
    class_name = f"Data2Vec{modality.capitalize()}Model"
    pair = base_pair(class_name, f"{modality}-base", **STILL[modality])
    if modality == "text":
        pair.reference.pooler = pair.ours.pooler = None  # type: ignore[assignment] # nothing reads it
    student = copy.deepcopy(pair.ours)  # the pair shares its weights
    model: Any = build_pretraining(student, METHODS[f"data2vec-{modality}"]).train()
    theirs = pair.reference.train()
    reference = Reference(
        modality,
        theirs,
        copy.deepcopy(theirs).eval().requires_grad_(False),
        copy.deepcopy(model.head),
        model.method.targets.top_layers,
    )
    rows = len(next(iter(batch.values())))
    mask = model.draw(model.prepare(batch), mask_generators(0, 0, range(rows), 1))

    def optimiser(*modules: nn.Module) -> torch.optim.Optimizer:
        parameters = [one for module in modules for one in module.parameters() if one.requires_grad]
        return torch.optim.AdamW(parameters, lr=1e-6, fused=True)

    steps = {"ours": optimiser(model.student, model.head), "reference": optimiser(theirs, reference.head)}

    def update(name: str, loss: Tensor, follow: Callable[[], object]) -> float:
        loss.backward()
        steps[name].step()
        steps[name].zero_grad(set_to_none=True)
        follow()
        return loss.item()

    in_bf16 = [precision == "bfloat16" for precision in precisions]

    def ours() -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=in_bf16[0]):
            loss = model(batch, mask=mask, is_teacher_cast=True).loss
        return update("ours", loss, lambda: model.teacher.follow(model.student, DECAY))

    def other() -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=in_bf16[1]):
            loss = reference.loss(batch, mask)
        return update("reference", loss, reference.follow)

    one, two = ours(), other()
    if abs(one - two) > TOLERANCE[not any(in_bf16)] * abs(two):
        raise RuntimeError(f"{modality}: the losses are {one:.6f} and {two:.6f}")
    return ours, other


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    runs = runs_asked_for("benchmarks.pretraining", __doc__, arguments)
    torch.manual_seed(0)
    print("| modality | batch | ours in | reference in | ours | reference | ratio |\n" + "| --- " * 7 + "|")
    for modality, words, batch in (
        ("audio", "2 x 5 s", {"input_values": torch.randn(2, 80_000)}),
        ("text", "4 x 128", {"input_ids": torch.randint(4, 50_000, (4, 128))}),
        ("vision", "4 x 224 x 224", {"pixel_values": torch.randn(4, 3, 224, 224)}),
    ):
        for precisions in PRECISIONS:
            times = times_of(updates(modality, batch, precisions), runs)
            print(row(modality, words, *precisions, times=times), flush=True)


if __name__ == "__main__":
    main()
