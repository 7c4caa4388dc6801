"""Student, teacher and head of one modality as one module: a batch in, the loss out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from data2vec_core.checkpoints.files import TEACHER_FILE
from data2vec_core.checkpoints.writing import write_tensors
from data2vec_core.linear import quicken_learning
from data2vec_core.outputs import ModelOutput
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.pretraining.decoder import PatchDecoder
from data2vec_core.pretraining.masking import Mask, Masking
from data2vec_core.pretraining.method import Method
from data2vec_core.pretraining.objective import regression_head
from data2vec_core.pretraining.saved import PREDICTOR_FILE, PREDICTOR_PARTS, save_method
from data2vec_core.pretraining.teacher import Teacher
from data2vec_core.trace import Trace

Batch = Mapping[str, Tensor]
"""What the modality's model takes by name: `input_values` and perhaps `attention_mask`, `input_ids` and perhaps
`attention_mask`, or `pixel_values`; unmasked."""

Student = TypeVar("Student", bound=PretrainedModel)
Inputs = TypeVar("Inputs")
SomeMask = TypeVar("SomeMask", bound=Mask)


@dataclass(kw_only=True)
class PretrainingOutput(ModelOutput):
    """Of `Data2VecPretraining`."""

    loss: Tensor
    """`total / count`; 0 where nothing is masked."""
    total: Tensor
    """The loss before its division; those of parts of a batch add up."""
    count: int
    """What divides: masked positions, or masked positions times channels. Adds up likewise."""
    predictions: Tensor
    """(masked, dim)"""
    targets: Tensor
    """(masked, dim) float32"""
    mask: Mask
    """What was hidden; the loss may be of fewer positions (`fairseq_compat`)."""


class Data2VecPretraining(nn.Module, ABC, Generic[Student, Inputs, SomeMask]):
    """A student that learns from its own running average.

    Each modality says what its two encoders read (`prepare`), what is hidden (`draw`), how the teacher reads the
    whole input (`watch`) and what the student makes of the rest (`study`); `modalities` has the three classes.

    Args:
        student: an encoder without a head; trained in place.
        method: how it learns.

    Raises:
        ValueError: the student lacks a part that the method needs or has one that it cannot train, or the masking or
            the decoder is another modality's.
    """

    masking_class: ClassVar[type[Masking]]
    """Of the masking that the method of this modality has."""
    masking: Any
    """The method's; subclasses narrow it."""
    class_tokens: ClassVar[int] = 0
    """Positions of the encoder before those that are masked and predicted."""
    decoder_class: ClassVar[type[PatchDecoder] | None] = None
    """Of the decoder that the method may ask for; None: this modality has none."""

    def __init__(self, student: Student, method: Method) -> None:
        super().__init__()
        if not isinstance(method.masking, self.masking_class):
            raise ValueError(
                f"method.masking of {type(self).__name__} must be a {self.masking_class.__name__}, "
                f"got {type(method.masking).__name__}"
            )
        if method.decoder is not None and self.decoder_class is None:
            raise ValueError(f"method.decoder: {type(self).__name__} has none, so it must be None")
        self.method = method
        self.masking = method.masking
        self.check_student(student)
        self.student = student
        quicken_learning(student)
        self.trace()  # refuses a rule of more layers than there are
        self.teacher = Teacher(student)
        dim = reads = student.config.hidden_size
        self.decoder: PatchDecoder | None = None
        if method.decoder is not None and self.decoder_class is not None:
            self.decoder, reads = self.decoder_class(dim, method.decoder).to(student.device), method.decoder.width
        self.head = regression_head(dim, method.head, reads=reads).to(student.device)
        for module in self.head.modules():
            student.initialise_module(module)
        self.train()

    def forward(
        self,
        batch: Batch,
        generators: Sequence[torch.Generator] | None = None,
        mask: SomeMask | None = None,
        *,
        fewest_of_all: Callable[[int], int] = int,
        is_teacher_cast: bool = False,
    ) -> PretrainingOutput:
        """One pass of teacher and student.

        Args:
            batch: the modality's input; see `Batch`.
            generators: of the masks, on the CPU, one for each mask of each row, those of a row together; see
                `mask_generators`.
            mask: instead of generators, the masks themselves, in the same order.
            fewest_of_all: see `FrameSpans`; of use to speech alone.
            is_teacher_cast: under autocast, whether the teacher computes in the lower precision, too.

        Raises:
            ValueError: neither or both of `generators` and `mask`, not `masks_per_sample` of them for every row, or an
                input that the model refuses.
        """
        inputs = self.prepare(batch)
        if mask is None and generators is not None:
            mask = self.draw(inputs, generators, fewest_of_all)
        elif mask is None or generators is not None:
            raise ValueError("give exactly one of generators and mask")
        rows, masks = len(next(iter(batch.values()))), self.method.masks_per_sample
        if len(mask.is_masked) != rows * masks:
            raise ValueError(f"mask: {masks} for each of {rows} rows, got {len(mask.is_masked)} in all")
        device = self.student.device.type
        is_cast = is_teacher_cast and torch.is_autocast_enabled(device)
        with torch.no_grad(), torch.autocast(device, torch.get_autocast_dtype(device), enabled=is_cast):
            target = self.teach(inputs, mask)
        hidden = self.study(inputs, mask)
        copy, position = self.scored(mask).to(hidden.device).nonzero(as_tuple=True)
        predictions, targets = self.head(hidden[copy, position]), target[copy // masks, position]
        total = self.method.objective.total(predictions, targets)
        count = self.method.objective.count(predictions)
        return PretrainingOutput(
            loss=total / max(count, 1), total=total, count=count, predictions=predictions, targets=targets, mask=mask
        )

    def per_mask(self, tensor: Tensor) -> Tensor:
        """(batch, ...) -> (batch * masks, ...), each row repeated once for each of its masks."""
        masks = self.method.masks_per_sample
        return tensor if masks == 1 else tensor.repeat_interleave(masks, dim=0)

    @abstractmethod
    def prepare(self, batch: Batch) -> Inputs:
        """What student and teacher read, before anything is hidden: computed once, with gradients."""

    @abstractmethod
    def draw(
        self, inputs: Inputs, generators: Sequence[torch.Generator], fewest_of_all: Callable[[int], int] = int
    ) -> SomeMask:
        """Choose what to hide, on the CPU, each mask by its own generator: (batch * masks, positions)."""

    def teach(self, inputs: Inputs, mask: SomeMask) -> Tensor:
        """What is to be predicted, from the teacher's pass over the unmasked input: (batch, positions, dim) float32."""
        trace = self.trace()
        is_counted = self.watch(inputs, mask, trace)
        return self.method.targets.build(trace, is_counted)[:, self.class_tokens :]

    @abstractmethod
    def watch(self, inputs: Inputs, mask: SomeMask, trace: Trace) -> Tensor | None:
        """Record the teacher's pass over the unmasked input.

        Returns:
            (batch, positions), which of what is recorded enters the statistics of a target; None: all.
        """

    @abstractmethod
    def study(self, inputs: Inputs, mask: SomeMask, trace: Trace | None = None) -> Tensor:
        """What the student, and the decoder after it, make of the masked copies of the input, for the head to read:
        (batch * masks, positions, width).

        Args:
            trace: records the student's pass, which holds visible positions alone where there is a decoder.
        """

    def scored(self, mask: SomeMask) -> Tensor:
        """(batch * masks, positions), where the loss is taken."""
        return mask.is_masked

    @abstractmethod
    def check_student(self, student: Student) -> None:
        """Refuse a student that cannot learn this way, with a ValueError."""

    def trace(self) -> Trace:
        """What the teacher's pass has to record."""
        return self.method.targets.trace(self.student.config.num_hidden_layers)

    def update_teacher(self, step: int) -> float:
        """Let the teacher follow after `step` updates of the student; returns the decay."""
        decay = self.method.decay(step)
        self.teacher.follow(self.student, decay)
        return decay

    def save_pretrained(self, folder: str | Path, *, dtype: torch.dtype | None = None) -> None:
        """Write a checkpoint of both: the student's, as `from_pretrained(folder)` reads it, and `teacher.safetensors`
        beside it, which `from_pretrained(folder, role="teacher")` reads; further what `load_pretraining` needs to
        predict with them: the method, and head and decoder.

        Args:
            dtype: number format of the files; the student's own by default.
        """
        self.student.save_pretrained(folder, dtype=dtype)
        teacher = self.teacher.whole(self.student)
        folder, dtype = Path(folder), dtype or self.student.dtype
        write_tensors(folder, teacher.public_tensors(), dtype=dtype, name=TEACHER_FILE)
        save_method(self.method, folder)
        write_tensors(folder, self.predictor_tensors(), dtype=dtype, name=PREDICTOR_FILE)

    def predictor_tensors(self) -> dict[str, Tensor]:
        """Head and decoder, by name."""
        return {name: tensor for name, tensor in self.state_dict().items() if name.startswith(PREDICTOR_PARTS)}
