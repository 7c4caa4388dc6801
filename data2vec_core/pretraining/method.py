"""All settings of the method in one place: what is hidden, averaged, predicted, and measured how."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, Self

from data2vec_core.pretraining.decoder import ConvDecoder
from data2vec_core.pretraining.masking import Masking
from data2vec_core.pretraining.objective import CollapseAlarm, Objective
from data2vec_core.pretraining.schedule import TeacherDecay
from data2vec_core.pretraining.targets import TargetRule


@dataclass(frozen=True, kw_only=True)
class Method:
    """How a student learns from its teacher; the published ones are in `presets`."""

    masking: Masking
    """`FrameSpans` for speech, `BertTokens` or `TokenSpans` for text, `PatchBlocks` or `InverseBlocks` for vision."""
    decay: TeacherDecay
    targets: TargetRule
    head: Literal["linear", "deep"]
    """One linear layer, or two with a GELU between; see `regression_head`. Reads the decoder, where there is one."""
    objective: Objective
    collapse: CollapseAlarm | None = None
    """When to give a run up; None: never."""
    masks_per_sample: int = 1
    """M: masked copies of each item that the student sees for one pass of the teacher (data2vec.md 5.6)."""
    decoder: ConvDecoder | None = None
    """Vision: let the student encode the visible patches alone, and this fill in the others; `InverseBlocks` hide as
    many of every picture, as it needs. None: mask tokens stand for what is hidden."""
    fairseq_compat: bool = False
    """Do as the released code does where it departs from the paper (data2vec.md 5.2, 5.4). Speech: padded frames enter
    the statistics of the targets. Text: the teacher sees only the chosen tokens, the others being padding to it
    (fairseq#4881), and the loss is taken only where the student sees `<mask>`, not at tokens replaced by another or
    kept (fairseq#4229). Vision: no difference."""

    def __post_init__(self) -> None:
        if self.masks_per_sample < 1:
            raise ValueError(f"Method.masks_per_sample={self.masks_per_sample}: at least 1")

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)
