"""The published settings (data2vec.md 5.1, 5.2, 5.4, 5.5), one table."""

from __future__ import annotations

from dataclasses import dataclass

from data2vec_core.config import ModelConfig
from data2vec_core.presets import PRESETS
from data2vec_core.pretraining.decoder import ConvDecoder
from data2vec_core.pretraining.masking import BertTokens, FrameSpans, InverseBlocks, PatchBlocks, TokenSpans
from data2vec_core.pretraining.method import Method
from data2vec_core.pretraining.objective import CollapseAlarm, Objective
from data2vec_core.pretraining.plan import Plan
from data2vec_core.pretraining.schedule import TeacherDecay, TriStage, WarmupCosine
from data2vec_core.pretraining.targets import TargetRule


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A published run."""

    student: ModelConfig
    """With the dropout and the scales of pre-training."""
    method: Method
    plan: Plan
    batch: str
    """What one step reads, all GPUs together."""


_AUDIO = Method(
    masking=FrameSpans(),
    decay=TeacherDecay(0.999, 0.9999, 30_000),
    targets=TargetRule(top_layers=8, tensor="feed_forward", layer_norm="instance"),
    head="linear",
    objective=Objective(scale="inverse root", divisor="positions"),
    collapse=CollapseAlarm(),
)
_TEXT = Method(
    masking=BertTokens(),
    decay=TeacherDecay(0.999, 0.9999, 100_000),
    targets=TargetRule(top_layers=10, tensor="feed_forward", layer_norm="layer"),
    head="deep",
    objective=Objective(beta=4.0, divisor="positions"),
)
_VISION = Method(
    masking=PatchBlocks(),
    decay=TeacherDecay(0.9998, 0.9998, 0),
    targets=TargetRule(top_layers=6, tensor="hidden", layer_norm="layer", mean_norm="layer"),
    head="linear",
    objective=Objective(beta=2.0, divisor="elements"),
)
_TEXT_PLAN = Plan(schedule=WarmupCosine(peak=2e-4, total=1_000_000, warmup=10_000), clip=5.0)
_VISION_PLAN = Plan(
    schedule=WarmupCosine(peak=2e-3, total=500_000, warmup=6_250, end=1e-5),  # 800 epochs of 625 steps, 10 of warm-up
    betas=(0.9, 0.999),
    eps=1e-8,
    weight_decay=0.05,
    decays_vectors=False,
    undecayed=("cls_token", "position_embeddings"),  # the mask token and the bias tables do decay
    clip=3.0,
)
_VISION_STUDENT = {"use_mask_token": True, "layer_norm_eps": 1e-6}

PUBLISHED = {
    "audio-base": Preset(
        student=PRESETS["audio-base"].replace(layerdrop=0.05, activation_dropout=0.0),
        method=_AUDIO,
        plan=Plan(schedule=TriStage(peak=5e-4, total=400_000)),
        batch="63 minutes: 16 times 3.8 million samples",
    ),
    "text-base": Preset(
        student=PRESETS["text-base"],
        method=_TEXT,
        plan=_TEXT_PLAN,
        batch="256 blocks of 512 tokens",
    ),
    "text-base-spans": Preset(  # what the released configuration does, rather than the paper's text
        student=PRESETS["text-base"],
        method=_TEXT.replace(masking=TokenSpans(), decay=TeacherDecay(0.999, 0.9999, 300_000)),
        plan=_TEXT_PLAN,
        batch="256 blocks of 512 tokens",
    ),
    "vision-base": Preset(
        student=PRESETS["vision-base"].replace(
            **_VISION_STUDENT, drop_path_rate=0.25, attention_probs_dropout_prob=0.05, layer_scale_init_value=1e-4
        ),
        method=_VISION,
        plan=_VISION_PLAN,
        batch="2048 pictures",
    ),
    "vision-large": Preset(  # the first of two such runs; the second has a decay of 0.9999 and a warm-up of 40 epochs
        student=PRESETS["vision-large"].replace(
            **_VISION_STUDENT, drop_path_rate=0.2, attention_probs_dropout_prob=0.15, layer_scale_init_value=1e-5
        ),
        method=_VISION,
        # 800 epochs of 312 steps, 80 of them warm-up.
        plan=_VISION_PLAN.replace(schedule=WarmupCosine(peak=1e-3, total=249_600, warmup=24_960, end=1e-5)),
        batch="4096 pictures",
    ),
}

METHODS = {"data2vec-audio": _AUDIO, "data2vec-text": _TEXT, "data2vec-vision": _VISION}
"""The paper's method by model type."""

ECONOMICAL_VISION = Method(
    masking=InverseBlocks(),
    masks_per_sample=16,
    decoder=ConvDecoder(),
    decay=TeacherDecay(0.9998, 0.99999, 100_000),
    targets=TargetRule(top_layers=10, tensor="feed_forward", layer_norm="instance", mean_norm="layer"),
    head="linear",
    objective=Objective(scale="inverse root", divisor="positions"),
)
"""The method of data2vec 2.0 for pictures, base size (data2vec.md 5.6), so far as it is one of settings. Not a
published run: there the blocks norm after the residual, positions are fixed sines, and the class token has a small loss
of its own; none of these is here."""
