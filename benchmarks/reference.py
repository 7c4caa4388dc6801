"""Models of base size and the reference's, on the same random weights: what the benchmarks compare."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import transformers

import data2vec_core
from data2vec_core.checkpoints.loading import blank_weights, fit_tensors
from data2vec_core.fixed_linear import fix_linears
from data2vec_core.linear_choice import LinearKind
from data2vec_core.presets import PRESETS
from data2vec_core.pretrained import PretrainedModel

AttentionKind = Literal["sdpa", "eager"]


@dataclass(frozen=True)
class Pair:
    """Ours and the reference's, with the same weights."""

    ours: PretrainedModel
    reference: Any


def base_pair(
    class_name: str, preset: str, *, linear: LinearKind = "plain", attention: AttentionKind = "sdpa", **fields: Any
) -> Pair:
    """Both in eval mode.

    Args:
        class_name: of the model, the same on both sides.
        preset: name of the configuration, such as `audio-base`.
        linear: how ours holds the weights of its blocks; plain, it shares the reference's.
        attention: of the reference: `sdpa` is its fastest, `eager` the one that can return attentions.
        fields: of the configuration to change.
    """
    torch.manual_seed(0)
    config = PRESETS[preset].replace(**fields)
    reference_config = transformers.AutoConfig.for_model(**config.to_dict())
    reference = getattr(transformers, class_name)._from_config(reference_config, attn_implementation=attention).eval()
    with torch.no_grad():  # a fresh model has biases and tables of zeros
        for parameter in reference.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    with blank_weights():
        ours = getattr(data2vec_core, class_name)(config)
    report = fit_tensors(ours, reference.state_dict(), source="the reference")
    if not report.is_complete or report.left_over:
        raise RuntimeError(f"the two do not hold the same tensors: {report.sentences()}")
    fix_linears(ours, linear)
    return Pair(ours.eval(), reference)


def write_plainly(task: Any, folder: Path) -> None:
    """The model of a task and its processor, without a shared encoder, as the reference's pipelines read them."""
    task.model.save_pretrained(folder)
    for part in ("extractor", "tokenizer", "processor"):
        if hasattr(task, part):
            getattr(task, part).save_pretrained(folder)


def relative_difference(ours: torch.Tensor, reference: torch.Tensor) -> float:
    """Largest absolute difference over the largest absolute value of the reference."""
    return ((ours - reference).abs().max() / reference.abs().max()).item()
